with days as (
    select cast(date_day as date) as day
    from ({{ dbt_utils.date_spine('day', "date'" ~ var('first_day') ~ "'", "date'2024-03-08'") }}) as spine
),
scans as (
    select cast(scanned_at as date) as day, hub, {{ dbt_utils.pivot('status', var('statuses'), prefix='n_') }}
    from {{ ref('all_scans') }}
    group by cast(scanned_at as date), hub
)
select days.day, h.hub, {% for status in var('statuses') %}coalesce(scans.n_{{ status }}, 0) as {{ status }}{{ ', ' if not loop.last }}{% endfor %}
from days
cross join {{ ref('hubs') }} as h
left join scans on scans.day = days.day and scans.hub = h.hub
