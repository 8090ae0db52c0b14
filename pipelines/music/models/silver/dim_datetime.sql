{#- The hours that the facts have, so the calendar never ends before the data does. 1970-01-01 00:00 is the unknown hour. #}
{{ config(unique_key=['datetime_key']) }}

with hours as (
    {% for fact in ['fact_page_views', 'fact_listens', 'fact_auths', 'fact_status_changes'] -%}
    select datetime_key from {{ ref(fact) }}
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
    union all
    select timestamp_millis(0) as datetime_key
),

distinct_hours as (
    select distinct datetime_key
    from hours
)

select
    datetime_key,
    cast(datetime_key as date) as calendar_date,
    year(datetime_key) as calendar_year,
    month(datetime_key) as month_of_year,
    day(datetime_key) as day_of_month,
    hour(datetime_key) as hour_of_day,
    dayofweek(datetime_key) as weekday_number,
    {{ weekday_name('dayofweek(datetime_key)') }} as weekday_name,
    {{ is_weekend('dayofweek(datetime_key)') }} as is_weekend,
    datetime_key = timestamp_millis(0) as is_unknown
from distinct_hours
