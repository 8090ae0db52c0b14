{#- One row for each artist, from the songs. #}
{{ config(unique_key=['artist_key']) }}

select
    artist_key,
    artist,
    count(*) as songs
from {{ ref('dim_songs') }}
where artist_key <> {{ surrogate_key(['null']) }}
group by artist_key, artist
union all
select
    {{ surrogate_key(['null']) }} as artist_key,
    'unknown' as artist,
    cast(0 as bigint) as songs
