{#- Plays of each artist, all time, from the songs. Every artist is here: order by plays when reading. #}
{{ config(unique_key=['artist_key']) }}

select
    {{ surrogate_key(['artist']) }} as artist_key,
    artist,
    sum(plays) as plays,
    sum(listening_seconds) as listening_seconds,
    count(*) as songs
from {{ ref('top_songs') }}
group by artist
