-- in sluice: select parcel, hub, status, weight_g, unix_millis(scanned_at) as at from scans.parcels_now
with scanned as (
    select distinct parcel, s.hub, lower(status) as status, weight_g, scanned_ms, h.region
    from scans as s join hubs as h on h.hub = s.hub
), good as (select * from scanned where weight_g between 0 and 30000)
select distinct on (parcel) parcel, hub, status, weight_g, scanned_ms from good order by parcel, scanned_ms desc
