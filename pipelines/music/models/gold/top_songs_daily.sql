{#- Plays of each song on each day. #}
{{ config(unique_key=['event_date', 'song_key']) }}

with hours as (
    select
        cast(datetime_key as date) as event_date,
        song_key,
        artist,
        song,
        plays,
        listening_seconds
    from {{ ref('top_songs_hourly') }}
)

select
    event_date,
    song_key,
    artist,
    song,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds
from hours
group by event_date, song_key, artist, song
