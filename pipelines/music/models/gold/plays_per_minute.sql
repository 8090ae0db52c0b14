{#- Plays in each minute (tumbling), by state and level. #}
{{ config(unique_key=['minute_start', 'state', 'level']) }}

select
    window.start as minute_start,
    state,
    level,
    count(*) as plays,
    sum(duration_seconds) as listening_seconds
from {{ ref('fact_listens') }}
group by window(event_time, '1 minute'), state, level
