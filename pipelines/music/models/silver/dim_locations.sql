{#-
  One row for each city, state and ZIP code, with its point; `city_key` is the city level. Coordinates are attributes:
  a double is never in a key.
#}
{{ config(unique_key=['location_key']) }}

with seen as (
    {{ every_stream(['city', 'state', 'zip', 'lon', 'lat']) }}
),

places as (
    select
        city,
        state,
        zip,
        min(lon) as longitude,
        min(lat) as latitude
    from seen
    where city is not null or state is not null or zip is not null
    group by city, state, zip
)

select
    {{ surrogate_key(['city', 'state', 'zip']) }} as location_key,
    {{ surrogate_key(['city', 'state']) }} as city_key,
    coalesce(city, 'unknown') as city,
    coalesce(state, 'unknown') as state,
    coalesce(zip, 'unknown') as zip,
    longitude,
    latitude
from places
union all
select
    {{ surrogate_key(['null', 'null', 'null']) }} as location_key,
    {{ surrogate_key(['null', 'null']) }} as city_key,
    'unknown' as city,
    'unknown' as state,
    'unknown' as zip,
    cast(null as double) as longitude,
    cast(null as double) as latitude
