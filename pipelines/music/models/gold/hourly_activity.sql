{#- Activity in each hour. #}
{{ config(unique_key=['datetime_key']) }}

select
    datetime_key,
    count(*) as page_views,
    count(*) filter (where page = 'NextSong') as plays,
    count(distinct user_id) as active_users
from {{ ref('fact_page_views') }}
group by datetime_key
