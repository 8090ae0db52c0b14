{#-
  Visits of a user: 30 minutes without an event end one, whatever the application calls a session.
  As session_window(event_time, '30 minutes') has it, an event exactly 30 minutes after the last starts a new one.
#}
{{ config(unique_key=['user_id', 'started_at']) }}

with events as (
    select
        user_id,
        event_time,
        session_id,
        item_in_session,
        page,
        level,
        lag(event_time) over (partition by user_id order by event_time, session_id, item_in_session) as previous_time
    from {{ ref('fact_page_views') }}
    where user_id is not null
),

marked as (
    select
        user_id,
        event_time,
        session_id,
        item_in_session,
        page,
        level,
        case when previous_time is null or event_time >= previous_time + interval '30' minute then 1 else 0 end as starts
    from events
),

numbered as (
    select
        user_id,
        event_time,
        page,
        level,
        sum(starts) over (
            partition by user_id order by event_time, session_id, item_in_session
            rows between unbounded preceding and current row
        ) as session_number
    from marked
),

sessions as (
    select
        user_id,
        session_number,
        min(event_time) as started_at,
        max(event_time) as ended_at,
        count(*) as page_views,
        count(*) filter (where page = 'NextSong') as songs,
        count(*) filter (where level = 'paid') as paid_page_views
    from numbered
    group by user_id, session_number
)

select
    user_id,
    {{ surrogate_key(['user_id']) }} as user_key,
    started_at,
    ended_at,
    cast(started_at as date) as event_date,
    cast(unix_millis(ended_at) - unix_millis(started_at) as double) / cast(1000 as double) as length_seconds,
    page_views,
    songs,
    paid_page_views
from sessions
