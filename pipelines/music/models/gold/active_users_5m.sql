{#- Users active in five minutes, for every minute (hopping). Nobody logged in is nobody active. #}
{{ config(unique_key=['window_end']) }}

select
    window.start as window_start,
    window.end as window_end,
    count(distinct user_id) as active_users,
    count(*) as page_views
from {{ ref('fact_page_views') }}
where user_id is not null
group by window(event_time, '5 minutes', '1 minute')
