{#- Each hour against the same hour of the day before; null where that hour had nothing. #}
{{ config(unique_key=['datetime_key']) }}

with day_before as (
    select
        datetime_key + interval '24' hour as datetime_key,
        page_views,
        plays,
        active_users
    from {{ ref('hourly_activity') }}
)

select
    h.datetime_key,
    h.page_views,
    h.plays,
    h.active_users,
    b.page_views as page_views_day_before,
    b.plays as plays_day_before,
    b.active_users as active_users_day_before,
    h.page_views - b.page_views as page_views_change,
    h.plays - b.plays as plays_change,
    h.active_users - b.active_users as active_users_change
from {{ ref('hourly_activity') }} as h
left join day_before as b on h.datetime_key = b.datetime_key
