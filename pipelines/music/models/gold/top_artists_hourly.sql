{#- Plays of each artist in each hour, from the songs. #}
{{ config(unique_key=['datetime_key', 'artist_key']) }}

select
    datetime_key,
    {{ surrogate_key(['artist']) }} as artist_key,
    artist,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds,
    count(*) as songs
from {{ ref('top_songs_hourly') }}
group by datetime_key, artist
