{#-
  One row for each session of the application. Its key is the application's own id: a hash would add nothing to it.
  Only what stays is here, so that a row is written once or twice; lengths and counts are in gold's user_sessions.
#}
{{ config(unique_key=['session_id']) }}

with seen as (
    {{ every_stream(['sessionId', 'userId', 'userAgent', 'ts']) }}
),

sessions as (
    select
        sessionId as session_id,
        max(userId) as user_id,
        max(userAgent) as user_agent,
        min(ts) as started_ms
    from seen
    where sessionId is not null and ts is not null
    group by sessionId
)

select
    session_id,
    user_id,
    {{ surrogate_key(['user_id']) }} as user_key,
    coalesce(replace(user_agent, '"', ''), 'unknown') as user_agent,
    timestamp_millis(started_ms) as started_at
from sessions
union all
select
    cast(-1 as bigint) as session_id,
    cast(null as int) as user_id,
    {{ surrogate_key(['null']) }} as user_key,
    'unknown' as user_agent,
    timestamp_millis(0) as started_at
