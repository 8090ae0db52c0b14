-- in sluice: select parcel, status, weight_g, unix_millis(dbt_valid_from) as since, unix_millis(dbt_valid_to) as until from history.parcel_history
with scanned as (
    select distinct parcel, s.hub, lower(status) as status, weight_g, scanned_ms, h.region
    from scans as s join hubs as h on h.hub = s.hub
), good as (select * from scanned where weight_g between 0 and 30000)
select parcel, status, weight_g, scanned_ms, lead(scanned_ms) over (partition by parcel order by scanned_ms)
from good where status <> 'sorted'
