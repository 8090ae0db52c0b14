{#- Plays of each song in each hour. The only one of the top tables that reads plays; the others add up this one. #}
{{ config(unique_key=['datetime_key', 'song_key']) }}

select
    datetime_key,
    song_key,
    artist,
    song,
    count(*) as plays,
    sum(duration_seconds) as listening_seconds
from {{ ref('fact_listens') }}
group by datetime_key, song_key, artist, song
