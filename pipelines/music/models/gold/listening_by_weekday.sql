{#- How much is listened to on which day of the week. Averages are over the days and users that the data has. #}
{{ config(unique_key=['weekday_number']) }}

with user_days as (
    select
        dayofweek(event_date) as weekday_number,
        event_date,
        plays,
        listening_seconds
    from {{ ref('songs_per_user_day') }}
),

weekdays as (
    select
        weekday_number,
        count(distinct event_date) as days,
        count(*) as user_days,
        sum(plays) as plays,
        sum(listening_seconds) as listening_seconds
    from user_days
    group by weekday_number
)

select
    weekday_number,
    {{ weekday_name('weekday_number') }} as weekday_name,
    {{ is_weekend('weekday_number') }} as is_weekend,
    days,
    user_days,
    plays,
    listening_seconds,
    listening_seconds / cast(days as double) as listening_seconds_per_day,
    listening_seconds / cast(user_days as double) as listening_seconds_per_user_day,
    cast(plays as double) / cast(user_days as double) as plays_per_user_day
from weekdays
