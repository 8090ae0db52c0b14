-- in sluice: select parcel, weight_g, unix_millis(scanned_at) as at, failed_tests from scans.all_scans__quarantine
with scanned as (
    select distinct parcel, s.hub, lower(status) as status, weight_g, scanned_ms, h.region
    from scans as s join hubs as h on h.hub = s.hub
), good as (select * from scanned where weight_g between 0 and 30000)
select parcel, weight_g, scanned_ms, 'dbt_utils_accepted_range_all_scans_weight_g__30000__0'
from scanned where not weight_g between 0 and 30000
