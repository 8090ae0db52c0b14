{# The `dbt` package for Spark SQL: what dbt calls cross-database macros. #}

{% macro concat(fields) %}concat({{ fields | join(', ') }}){% endmacro %}
{% macro hash(field) %}md5(cast({{ field }} as string)){% endmacro %}
{% macro cast(field, type) %}cast({{ field }} as {{ type }}){% endmacro %}
{% macro safe_cast(field, type) %}cast({{ field }} as {{ type }}){% endmacro %}
{% macro cast_bool_to_text(field) %}cast({{ field }} as string){% endmacro %}

{% macro type_string() %}string{% endmacro %}
{% macro type_boolean() %}boolean{% endmacro %}
{% macro type_int() %}integer{% endmacro %}
{% macro type_bigint() %}bigint{% endmacro %}
{% macro type_float() %}float{% endmacro %}
{% macro type_numeric() %}decimal(28,6){% endmacro %}
{% macro type_timestamp() %}timestamp{% endmacro %}

{% macro current_timestamp() %}current_timestamp(){% endmacro %}
{% macro date_trunc(datepart, date) %}date_trunc('{{ datepart }}', {{ date }}){% endmacro %}
{% macro dateadd(datepart, interval, from_date_or_timestamp) -%}
{%- set n = 'cast(' ~ interval ~ ' as int)' -%}
{%- set parts = {'year': n, 'quarter': '0, ' ~ n ~ ' * 3', 'month': '0, ' ~ n, 'week': '0, 0, ' ~ n, 'day': '0, 0, 0, ' ~ n, 'hour': '0, 0, 0, 0, ' ~ n, 'minute': '0, 0, 0, 0, 0, ' ~ n, 'second': '0, 0, 0, 0, 0, 0, ' ~ n} -%}
{%- if datepart not in parts -%}{{ exceptions.raise_compiler_error("dbt.dateadd knows " ~ (parts | list | join(', ')) ~ ", not " ~ datepart) }}{%- endif -%}
(cast({{ from_date_or_timestamp }} as timestamp) + make_interval({{ parts[datepart] }}))
{%- endmacro %}

{# Boundaries crossed from the first to the second, as dbt counts them on Spark; weeks begin on Sunday. #}
{% macro datediff(first_date, second_date, datepart) -%}
{%- set a = 'cast(' ~ first_date ~ ' as date)' -%}
{%- set b = 'cast(' ~ second_date ~ ' as date)' -%}
{%- set seconds = {'hour': 3600, 'minute': 60, 'second': 1} -%}
{%- if datepart == 'day' -%}datediff({{ b }}, {{ a }})
{%- elif datepart == 'week' -%}cast((datediff({{ b }}, {{ a }}) + dayofweek({{ a }}) - dayofweek({{ b }})) / 7 as int)
{%- elif datepart == 'month' -%}((year({{ b }}) - year({{ a }})) * 12 + month({{ b }}) - month({{ a }}))
{%- elif datepart == 'quarter' -%}((year({{ b }}) - year({{ a }})) * 4 + quarter({{ b }}) - quarter({{ a }}))
{%- elif datepart == 'year' -%}(year({{ b }}) - year({{ a }}))
{%- elif datepart in seconds -%}
{%- set units = '(unix_seconds(cast(' ~ second_date ~ ' as timestamp)) - unix_seconds(cast(' ~ first_date ~ ' as timestamp))) / ' ~ seconds[datepart] -%}
case when {{ first_date }} < {{ second_date }} then ceil({{ units }}) else floor({{ units }}) end
{%- else -%}{{ exceptions.raise_compiler_error("dbt.datediff knows second, minute, hour, day, week, month, quarter and year, not " ~ datepart) }}
{%- endif -%}
{%- endmacro %}

{% macro date(year, month, day) %}make_date({{ year }}, {{ month }}, {{ day }}){% endmacro %}
{% macro last_day(date, datepart) %}
{%- if datepart == 'month' -%}last_day(cast({{ date }} as date))
{%- elif datepart in ('quarter', 'year') -%}date_sub(add_months(cast(date_trunc('{{ datepart }}', {{ date }}) as date), cast({{ 3 if datepart == 'quarter' else 12 }} as int)), cast(1 as int))
{%- else -%}{{ exceptions.raise_compiler_error("dbt.last_day knows month, quarter and year, not " ~ datepart) }}
{%- endif -%}
{% endmacro %}

{% macro length(expression) %}length({{ expression }}){% endmacro %}
{% macro position(substring_text, string_text) %}position({{ substring_text }} in {{ string_text }}){% endmacro %}
{% macro replace(field, old_chars, new_chars) %}replace({{ field }}, {{ old_chars }}, {{ new_chars }}){% endmacro %}
{% macro right(string_text, length_expression) %}right({{ string_text }}, {{ length_expression }}){% endmacro %}
{% macro split_part(string_text, delimiter_text, part_number) %}split_part({{ string_text }}, {{ delimiter_text }}, {{ part_number }}){% endmacro %}
{% macro string_literal(value) %}'{{ value }}'{% endmacro %}
{% macro escape_single_quotes(expression) %}{{ expression | replace("'", "\\'") }}{% endmacro %}

{% macro any_value(expression) %}first({{ expression }}){% endmacro %}
{% macro bool_or(expression) %}max({{ expression }}){% endmacro %}
{% macro array_construct(inputs=[], data_type=none) %}array({{ inputs | join(', ') }}){% endmacro %}
{% macro array_append(array, new_element) %}concat({{ array }}, array({{ new_element }})){% endmacro %}
{% macro array_concat(array_1, array_2) %}concat({{ array_1 }}, {{ array_2 }}){% endmacro %}
{% macro listagg(measure, delimiter_text="','", order_by_clause=none, limit_num=none) -%}
{%- if order_by_clause or limit_num -%}{{ exceptions.raise_compiler_error("dbt.listagg on Spark has no order and no limit; sort the array: array_join(sort_array(collect_list(x)), ',')") }}{%- endif -%}
array_join(collect_list({{ measure }}), {{ delimiter_text }})
{%- endmacro %}
{% macro except() %}except{% endmacro %}
{% macro intersect() %}intersect{% endmacro %}

{# One row for each period from the start up to the end, which is not among them. #}
{% macro date_spine(datepart, start_date, end_date) -%}
{%- set steps = {'second': '1 second', 'minute': '1 minute', 'hour': '1 hour', 'day': '1 day', 'week': '7 day', 'month': '1 month', 'quarter': '3 month', 'year': '1 year'} -%}
{%- if datepart not in steps -%}{{ exceptions.raise_compiler_error("date_spine knows " ~ (steps | list | join(', ')) ~ ", not " ~ datepart) }}{%- endif -%}
select date_{{ datepart }} from (
    select unnest(generate_series(cast({{ start_date }} as timestamp), cast({{ end_date }} as timestamp), interval {{ steps[datepart] }})) as date_{{ datepart }}
) as all_periods where date_{{ datepart }} < cast({{ end_date }} as timestamp)
{%- endmacro %}
{% macro generate_series(upper_bound) -%}
select unnest(generate_series(1, {{ upper_bound }})) as generated_number
{%- endmacro %}
