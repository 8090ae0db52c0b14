{#- Every user of any stream, once, as first seen: attributes and the level to start the history from. #}
{{ config(unique_key=['user_id']) }}

with seen as (
    {{ every_stream(['userId', 'firstName', 'lastName', 'gender', 'registration', 'level', 'ts', 'sessionId', 'itemInSession']) }}
),

identified as (
    select
        userId as user_id,
        firstName as first_name,
        lastName as last_name,
        gender,
        registration,
        level,
        ts,
        sessionId as session_id,
        itemInSession as item_in_session
    from seen
    where userId is not null and sessionId is not null and itemInSession is not null and ts is not null
),

first_seen as (
    select
        user_id, first_name, last_name, gender, registration, level, ts, session_id, item_in_session
    from (
        select
            user_id, first_name, last_name, gender, registration, level, ts, session_id, item_in_session,
            row_number() over (partition by user_id order by ts, session_id, item_in_session) as rn
        from identified
    ) as ranked
    where rn = 1
)

select
    user_id,
    {{ surrogate_key(['user_id']) }} as user_key,
    first_name,
    last_name,
    coalesce(gender, 'unknown') as gender,
    timestamp_millis(registration) as registered_at,
    coalesce(level, 'unknown') as first_level,
    timestamp_millis(ts) as first_seen_at,
    session_id as first_session_id,
    item_in_session as first_item_in_session
from first_seen
