{# The part of the `dbt_utils` package that needs no rows: columns of tables are known from the SQL that makes them. #}

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

{% macro date_spine(datepart, start_date, end_date) %}{{ dbt.date_spine(datepart, start_date, end_date) }}{% endmacro %}
{% macro generate_series(upper_bound) %}{{ dbt.generate_series(upper_bound) }}{% endmacro %}

{# The names of the columns of a table but for some. #}
{% macro get_filtered_columns_in_relation(from, except=[]) -%}
{%- set gone = [] -%}
{%- for name in except -%}{%- do gone.append(name | lower) -%}{%- endfor -%}
{%- set names = [] -%}
{%- for column in adapter.get_columns_in_relation(from) if column.name | lower not in gone -%}{%- do names.append(column.name) -%}{%- endfor -%}
{{ return(names) }}
{%- endmacro %}

{% macro star(from, relation_alias=false, except=[], prefix='', suffix='', quote_identifiers=true) -%}
{%- set names = get_filtered_columns_in_relation(from, except) -%}
{%- if not names -%}*{%- endif -%}
{%- for name in names -%}
{{ (relation_alias ~ '.') if relation_alias }}{{ adapter.quote(name) if quote_identifiers else name }}
{%- if prefix or suffix %} as {{ adapter.quote(prefix ~ name ~ suffix) if quote_identifiers else prefix ~ name ~ suffix }}{% endif -%}
{{ ', ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{# All rows of some tables, with NULL where a table has not the column of another. #}
{% macro union_relations(relations, column_override=none, include=[], exclude=[], source_column_name='_dbt_source_relation', where=none) -%}
{%- if include and exclude -%}{{ exceptions.raise_compiler_error("dbt_utils.union_relations takes include or exclude, not both") }}{%- endif -%}
{%- set wanted = [] -%}{%- for name in include -%}{%- do wanted.append(name | lower) -%}{%- endfor -%}
{%- set gone = [] -%}{%- for name in exclude -%}{%- do gone.append(name | lower) -%}{%- endfor -%}
{%- set seen = [] -%}
{%- set all = [] -%}
{%- set of_relations = [] -%}
{%- for relation in relations -%}
  {%- set own = [] -%}
  {%- for column in adapter.get_columns_in_relation(relation) -%}
    {%- set key = column.name | lower -%}
    {%- if key not in gone and (not wanted or key in wanted) -%}
      {%- do own.append(key) -%}
      {%- if key not in seen -%}{%- do seen.append(key) -%}{%- do all.append(column) -%}{%- endif -%}
    {%- endif -%}
  {%- endfor -%}
  {%- do of_relations.append(own) -%}
{%- endfor -%}
{%- for relation in relations -%}
{%- set own = of_relations[loop.index0] %}
select {% if source_column_name is not none %}cast('{{ relation | string | replace('`', '') }}' as string) as {{ source_column_name }}{{ ', ' if all }}{% endif -%}
{%- for column in all -%}
{%- set data_type = (column_override or {}).get(column.name, column.data_type) -%}
cast({{ adapter.quote(column.name) if (column.name | lower) in own else 'null' }} as {{ data_type }}) as {{ adapter.quote(column.name) }}{{ ', ' if not loop.last }}
{%- endfor %}
{{- '1 as no_columns' if not all and source_column_name is none }}
from {{ relation }}{{ (' where ' ~ where) if where }}
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{# One row for each row and column of a table. #}
{% macro unpivot(relation=none, cast_to=none, exclude=[], remove=[], field_name='field_name', value_name='value', quote_identifiers=false) -%}
{%- set kept = exclude or [] -%}
{%- set gone = [] -%}{%- for name in kept + (remove or []) -%}{%- do gone.append(name | lower) -%}{%- endfor -%}
{%- set names = get_filtered_columns_in_relation(relation, gone) -%}
{%- set cast_to = cast_to or dbt.type_string() -%}
{%- if not names -%}select * from {{ relation }}{%- endif -%}
{%- for name in names %}
{%- set quoted = adapter.quote(name) if quote_identifiers else name %}
select {% for other in kept %}{{ adapter.quote(other) if quote_identifiers else other }}, {% endfor -%}
cast('{{ name }}' as {{ dbt.type_string() }}) as {{ field_name }}, cast({{ quoted }} as {{ cast_to }}) as {{ value_name }}
from {{ relation }}
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{% macro nullcheck(cols) -%}
{%- for column in cols -%}
{%- if column.is_string() -%}nullif({{ column.name }}, '') as {{ column.name }}{%- else -%}{{ column.name }}{%- endif -%}{{ ', ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}
{% macro nullcheck_table(relation) -%}
{%- set cols = adapter.get_columns_in_relation(relation) -%}
select {{ nullcheck(cols) if cols else '*' }} from {{ relation }}
{%- endmacro %}

{# The number of the bucket, from 1; 0 below all, and one more than there are from the upper end on. #}
{% macro width_bucket(expr, min_value, max_value, num_buckets) -%}
cast(greatest(least(floor((({{ expr }}) - ({{ min_value }})) / ((({{ max_value }}) - ({{ min_value }})) / {{ num_buckets }})) + 1, {{ num_buckets }} + 1), 0) as int)
{%- endmacro %}

{% macro degrees_to_radians(degrees) %}radians({{ degrees }}){% endmacro %}

{% macro get_url_parameter(field, url_parameter) -%}
nullif({{ dbt.split_part(dbt.split_part(field, "'" ~ url_parameter ~ "='", 2), "'&'", 1) }}, '')
{%- endmacro %}
{% macro get_url_host(field) -%}
{%- set bare = "replace(replace(replace(" ~ field ~ ", 'android-app://', ''), 'http://', ''), 'https://', '')" -%}
{{ dbt.split_part(dbt.split_part(bare, "'/'", 1), "'?'", 1) }}
{%- endmacro %}
{% macro get_url_path(field) -%}
{%- set bare = "replace(replace(" ~ field ~ ", 'http://', ''), 'https://', '')" -%}
{%- set slash = "coalesce(nullif(position('/' in " ~ bare ~ "), 0), position('?' in " ~ bare ~ ") - 1)" -%}
{{ dbt.split_part("right(" ~ bare ~ ", length(" ~ bare ~ ") - " ~ slash ~ ")", "'?'", 1) }}
{%- endmacro %}
