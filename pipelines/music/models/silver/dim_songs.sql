{#- One row for artist and title. The same song comes with several durations, so duration is no part of the key. #}
{{ config(unique_key=['song_key']) }}

select
    song_key,
    artist_key,
    artist,
    song,
    min(duration_seconds) as duration_seconds_min,
    max(duration_seconds) as duration_seconds_max
from {{ ref('fact_listens') }}
where artist is not null or song is not null
group by song_key, artist_key, artist, song
union all
select
    {{ surrogate_key(['null', 'null']) }} as song_key,
    {{ surrogate_key(['null']) }} as artist_key,
    'unknown' as artist,
    'unknown' as song,
    cast(null as double) as duration_seconds_min,
    cast(null as double) as duration_seconds_max
