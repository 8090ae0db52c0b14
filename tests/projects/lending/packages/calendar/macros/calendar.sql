{% macro is_weekend(day) %}{{ return(adapter.dispatch('is_weekend', 'calendar')(day)) }}{% endmacro %}

{% macro default__is_weekend(day) %}({{ calendar.iso_weekday(day) }} >= {{ var('weekend_from', 6) }}){% endmacro %}

{% macro iso_weekday(day) %}(pmod(dayofweek({{ day }}) + 5, 7) + 1){% endmacro %}

{% macro label(text) %}{{ return(adapter.dispatch('label', 'calendar')(text)) }}{% endmacro %}
{% macro default__label(text) %}'{{ text }}'{% endmacro %}

{% test not_in_future(model, column_name, until) %}
select {{ column_name }} from {{ model }} where {{ column_name }} > {{ until }}
{% endtest %}
