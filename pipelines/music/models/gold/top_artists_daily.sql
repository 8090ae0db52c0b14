{#- Plays of each artist on each day, from the songs. #}
{{ config(unique_key=['event_date', 'artist_key']) }}

select
    event_date,
    {{ surrogate_key(['artist']) }} as artist_key,
    artist,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds,
    count(*) as songs
from {{ ref('top_songs_daily') }}
group by event_date, artist
