{#-
  Slowly changing (type 2) on level, to the millisecond. A version starts where the user was first seen, and at each order
  to change the level. Everything is a function of one user's rows, and those are few: no event but level changes is read.
#}
{{ config(unique_key=['user_version_key']) }}

with observed as (
    select
        user_id,
        first_level as level,
        first_seen_at as observed_at,
        first_session_id as session_id,
        first_item_in_session as item_in_session,
        0 as step
    from {{ ref('users_seen') }}
    union all
    select
        user_id,
        new_level as level,
        event_time as observed_at,
        session_id,
        item_in_session,
        1 as step
    from {{ ref('fact_status_changes') }}
    where user_id is not null and new_level <> 'unknown'
),

compared as (
    select
        user_id,
        level,
        observed_at,
        session_id,
        item_in_session,
        step,
        lag(level) over (partition by user_id order by observed_at, session_id, item_in_session, step) as level_before
    from observed
),

versions as (
    select
        user_id,
        level,
        observed_at as valid_from,
        lead(observed_at) over (partition by user_id order by observed_at, session_id, item_in_session, step) as valid_to
    from compared
    where level_before is null or level_before <> level
)

select
    {{ surrogate_key(['v.user_id', 'unix_millis(v.valid_from)', 'v.level']) }} as user_version_key,
    u.user_key,
    u.user_id,
    u.first_name,
    u.last_name,
    u.gender,
    u.registered_at,
    v.level,
    v.valid_from,
    v.valid_to,
    v.valid_to is null as is_current
from versions as v
inner join {{ ref('users_seen') }} as u on v.user_id = u.user_id
union all
select
    {{ surrogate_key(['null', 'null', 'null']) }} as user_version_key,
    {{ surrogate_key(['null']) }} as user_key,
    cast(null as int) as user_id,
    'unknown' as first_name,
    'unknown' as last_name,
    'unknown' as gender,
    cast(null as timestamp) as registered_at,
    'unknown' as level,
    timestamp_millis(0) as valid_from,
    cast(null as timestamp) as valid_to,
    true as is_current
