-- in sluice: select day, hub, accepted, sorted, delivered, lost from hubs.hub_days
with scanned as (
    select distinct parcel, s.hub, lower(status) as status, weight_g, scanned_ms, h.region
    from scans as s join hubs as h on h.hub = s.hub
), good as (select * from scanned where weight_g between 0 and 30000), days as (select unnest(generate_series(timestamp '2024-03-01', timestamp '2024-03-07', interval 1 day))::date as day)
select d.day, h.hub, count(*) filter (status = 'accepted'), count(*) filter (status = 'sorted'),
    count(*) filter (status = 'delivered'), count(*) filter (status = 'lost')
from days as d cross join hubs as h
left join good as g on g.hub = h.hub and make_timestamp(g.scanned_ms * 1000)::date = d.day
group by d.day, h.hub
