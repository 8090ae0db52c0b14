{#- Each order to change the level, once. The stream gives the old level; there are two, so the new one is the other. #}
{{ config(unique_key=['session_id', 'item_in_session'], partition_by=['event_date']) }}

with arrived as (
    select
        sessionId as session_id,
        itemInSession as item_in_session,
        ts,
        userId as user_id,
        level,
        auth,
        city,
        state,
        zip,
        _topic as kafka_topic,
        _partition as kafka_partition,
        _offset as kafka_offset,
        _timestamp as kafka_time
    from {{ source('music', 'status_change_events') }}
    where sessionId is not null and itemInSession is not null and ts is not null
),

once as (
    {{ first_arrival('arrived', key=['session_id', 'item_in_session'], columns=[
        'session_id', 'item_in_session', 'ts', 'user_id', 'level', 'auth', 'city', 'state', 'zip',
        'kafka_topic', 'kafka_partition', 'kafka_offset'
    ]) }}
)

select
    session_id,
    item_in_session,
    timestamp_millis(ts) as event_time,
    cast(timestamp_millis(ts) as date) as event_date,
    date_trunc('hour', timestamp_millis(ts)) as datetime_key,
    user_id,
    {{ surrogate_key(['user_id']) }} as user_key,
    {{ surrogate_key(['city', 'state', 'zip']) }} as location_key,
    auth,
    coalesce(level, 'unknown') as level,
    coalesce(level, 'unknown') as old_level,
    case level when 'free' then 'paid' when 'paid' then 'free' else 'unknown' end as new_level,
    coalesce(city, 'unknown') as city,
    coalesce(state, 'unknown') as state,
    kafka_topic,
    kafka_partition,
    kafka_offset
from once
