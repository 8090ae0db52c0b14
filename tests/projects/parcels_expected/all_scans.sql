-- in sluice: select scan_key, parcel, hub, status, weight_g, unix_millis(scanned_at) as at, region, customs from scans.all_scans
with scanned as (
    select distinct parcel, s.hub, lower(status) as status, weight_g, scanned_ms, h.region
    from scans as s join hubs as h on h.hub = s.hub
), good as (select * from scanned where weight_g between 0 and 30000)
select md5(parcel || '-' || hub || '-' || scanned_ms), parcel, hub, status, weight_g, scanned_ms, region, region = 'south' from good
