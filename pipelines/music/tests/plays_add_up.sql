-- Each way to count all plays gives the same number: no join or key doubles or drops one.
with counted as (
    select 'fact_listens' as counted_by, count(*) as plays from {{ ref('fact_listens') }}
    union all
    select 'top_songs' as counted_by, sum(plays) as plays from {{ ref('top_songs') }}
    union all
    select 'top_artists' as counted_by, sum(plays) as plays from {{ ref('top_artists') }}
    union all
    select 'plays_per_minute' as counted_by, sum(plays) as plays from {{ ref('plays_per_minute') }}
    union all
    select 'fact_listens and dim_songs' as counted_by, count(*) as plays
    from {{ ref('fact_listens') }} as f
    inner join {{ ref('dim_songs') }} as s on f.song_key = s.song_key
)

select
    min(coalesce(plays, 0)) as plays_min,
    max(coalesce(plays, 0)) as plays_max
from counted
having min(coalesce(plays, 0)) <> max(coalesce(plays, 0))
