{#- Listeners and plays by gender and by the level at the time of the play, all time. #}
{{ config(unique_key=['gender', 'level']) }}

with user_days as (
    select user_id, 'free' as level, free_plays as plays, free_listening_seconds as listening_seconds
    from {{ ref('songs_per_user_day') }}
    where free_plays > 0
    union all
    select user_id, 'paid' as level, paid_plays as plays, paid_listening_seconds as listening_seconds
    from {{ ref('songs_per_user_day') }}
    where paid_plays > 0
),

listeners as (
    select
        user_id,
        level,
        sum(plays) as plays,
        sum(listening_seconds) as listening_seconds
    from user_days
    group by user_id, level
)

select
    u.gender,
    l.level,
    count(*) as listeners,
    sum(l.plays) as plays,
    sum(l.listening_seconds) as listening_seconds
from listeners as l
inner join {{ ref('users_seen') }} as u on l.user_id = u.user_id
group by u.gender, l.level
