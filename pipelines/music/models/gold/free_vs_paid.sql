{#- Free against paid for each day, by the level at the time of the play. A user who changed on that day is in both rows. #}
{{ config(unique_key=['event_date', 'level']) }}

with user_days as (
    select event_date, 'free' as level, free_plays as plays, free_listening_seconds as listening_seconds
    from {{ ref('songs_per_user_day') }}
    where free_plays > 0
    union all
    select event_date, 'paid' as level, paid_plays as plays, paid_listening_seconds as listening_seconds
    from {{ ref('songs_per_user_day') }}
    where paid_plays > 0
)

select
    event_date,
    level,
    count(*) as listeners,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds,
    cast(sum(plays) as double) / cast(count(*) as double) as plays_per_listener,
    sum(listening_seconds) / cast(count(*) as double) as listening_seconds_per_listener
from user_days
group by event_date, level
