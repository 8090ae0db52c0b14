{# The part of the `dbt_utils` package that needs no database. #}

{% macro generate_surrogate_key(field_list) -%}
{%- set null_text = '' if var('surrogate_key_treat_nulls_as_empty_strings', false) else '_dbt_utils_surrogate_key_null_' -%}
{%- set parts = [] -%}
{%- for field in field_list -%}
  {%- do parts.append("coalesce(cast(" ~ field ~ " as " ~ dbt.type_string() ~ "), '" ~ null_text ~ "')") -%}
  {%- if not loop.last -%}{%- do parts.append("'-'") -%}{%- endif -%}
{%- endfor -%}
{{ dbt.hash(dbt.concat(parts)) }}
{%- endmacro %}

{% macro group_by(n) %}group by {% for i in range(1, n + 1) %}{{ i }}{{ ', ' if not loop.last }}{% endfor %}{% endmacro %}

{% macro safe_add(field_list) %}{% for field in field_list %}coalesce({{ field }}, 0){{ ' + ' if not loop.last }}{% endfor %}{% endmacro %}
{% macro safe_subtract(field_list) %}{% for field in field_list %}coalesce({{ field }}, 0){{ ' - ' if not loop.last }}{% endfor %}{% endmacro %}
{% macro safe_divide(numerator, denominator) %}({{ numerator }}) / nullif(({{ denominator }}), 0){% endmacro %}

{% macro pivot(column, values, alias=true, agg='sum', cmp='=', prefix='', suffix='', then_value=1, else_value=0, quote_identifiers=true, distinct=false) %}
{%- for value in values %}
{{ agg }}({{ 'distinct ' if distinct }}case when {{ column }} {{ cmp }} '{{ value | replace("'", "\\'") }}' then {{ then_value }} else {{ else_value }} end)
{%- if alias %} as {{ adapter.quote(prefix ~ value ~ suffix) if quote_identifiers else slugify(prefix ~ value ~ suffix) }}{% endif -%}
{{ ',' if not loop.last }}
{%- endfor %}
{% endmacro %}

{% macro deduplicate(relation, partition_by, order_by) %}
select * except (__row_number) from (
    select *, row_number() over (partition by {{ partition_by }} order by {{ order_by }}) as __row_number
    from {{ relation }}
) where __row_number = 1
{% endmacro %}

{% macro haversine_distance(lat1, lon1, lat2, lon2, unit='mi') %}
{%- if unit not in ('mi', 'km') %}{{ exceptions.raise_compiler_error("dbt_utils.haversine_distance knows the units mi and km, not " ~ unit) }}{% endif -%}
2 * 3961 * asin(sqrt(pow(sin(radians(({{ lat2 }} - {{ lat1 }}) / 2)), 2) + cos(radians({{ lat1 }})) * cos(radians({{ lat2 }})) * pow(sin(radians(({{ lon2 }} - {{ lon1 }}) / 2)), 2))){{ ' * 1.60934' if unit == 'km' }}
{%- endmacro %}

{% macro slugify(string) %}
{%- set out = [] -%}
{%- for char in (string or '') | lower -%}
  {%- if char in 'abcdefghijklmnopqrstuvwxyz0123456789_' -%}{%- do out.append(char) -%}
  {%- elif char in ' -' and (out | length == 0 or out[(out | length) - 1] != '_') -%}{%- do out.append('_') -%}
  {%- endif -%}
{%- endfor -%}
{%- set slug = out | join -%}
{{ return(('_' ~ slug) if slug and slug[0] in '0123456789' else slug) }}
{% endmacro %}

{% macro log_info(message) %}{% endmacro %}
