{#
  The given columns of all four streams. For dimensions: a user, a place, a session counts whichever stream shows it.
  Copies of an event are in here as often as they came, so use it under GROUP BY, DISTINCT or top-1 only.
#}
{% macro every_stream(columns) -%}
{% for stream in ['page_view_events', 'listen_events', 'auth_events', 'status_change_events'] -%}
select {{ columns | join(', ') }} from {{ source('music', stream) }}
    {%- if not loop.last %}
    union all
    {% endif -%}
{% endfor %}
{%- endmacro %}
