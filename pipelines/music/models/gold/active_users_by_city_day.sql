{#- A city is its name and state: not a ZIP code, not a pair of coordinates. Nobody logged in is nobody active. #}
{{ config(unique_key=['event_date', 'state', 'city']) }}

select
    event_date,
    state,
    city,
    count(distinct user_id) as active_users,
    count(*) as page_views
from {{ ref('fact_page_views') }}
where user_id is not null
group by event_date, state, city
