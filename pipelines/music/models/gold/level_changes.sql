{#- Changes of level for each day: the stream's level is the old one. #}
{{ config(unique_key=['event_date', 'old_level', 'new_level']) }}

select
    event_date,
    old_level,
    new_level,
    count(*) as changes,
    count(distinct user_id) as users
from {{ ref('fact_status_changes') }}
group by event_date, old_level, new_level
