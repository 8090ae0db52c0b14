{#- What each user listened to on each day, split by the level at the time of the play. Several gold tables are sums of this one. #}
{{ config(unique_key=['event_date', 'user_id'], partition_by=['event_date']) }}

select
    event_date,
    user_id,
    {{ surrogate_key(['user_id']) }} as user_key,
    count(*) as plays,
    count(distinct song_key) as songs,
    coalesce(sum(duration_seconds), cast(0 as double)) as listening_seconds,
    count(*) filter (where level = 'free') as free_plays,
    coalesce(sum(duration_seconds) filter (where level = 'free'), cast(0 as double)) as free_listening_seconds,
    count(*) filter (where level = 'paid') as paid_plays,
    coalesce(sum(duration_seconds) filter (where level = 'paid'), cast(0 as double)) as paid_listening_seconds
from {{ ref('fact_listens') }}
where user_id is not null
group by event_date, user_id
