{#- Plays of each song, all time. Every song is here: order by plays when reading. #}
{{ config(unique_key=['song_key']) }}

select
    song_key,
    artist,
    song,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds
from {{ ref('top_songs_daily') }}
group by song_key, artist, song
