{# The generic tests of `dbt_utils`. Each selects the rows that fail. #}

{% test unique_combination_of_columns(model, combination_of_columns, quote_columns=false) %}
{%- set columns = combination_of_columns | join(', ') %}
select {{ columns }} from {{ model }} group by {{ columns }} having count(*) > 1
{% endtest %}

{% test expression_is_true(model, expression, column_name=none) %}
select 1 as failed from {{ model }} where not({{ (column_name ~ ' ' if column_name else '') ~ expression }})
{% endtest %}

{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}
{%- set equal = '=' if inclusive else '' %}
select * from {{ model }} where false
{%- if min_value is not none %} or not {{ column_name }} >{{ equal }} {{ min_value }}{% endif %}
{%- if max_value is not none %} or not {{ column_name }} <{{ equal }} {{ max_value }}{% endif %}
{% endtest %}

{% test not_empty_string(model, column_name, trim_whitespace=true) %}
select {{ column_name }} from {{ model }} where {{ 'trim(' ~ column_name ~ ')' if trim_whitespace else column_name }} = ''
{% endtest %}

{% test not_constant(model, column_name, group_by_columns=[]) %}
select {{ (group_by_columns | join(', ') ~ ', ') if group_by_columns }}count(distinct {{ column_name }}) as filler_column
from {{ model }} {{ ('group by ' ~ group_by_columns | join(', ')) if group_by_columns }} having count(distinct {{ column_name }}) = 1
{% endtest %}

{% test at_least_one(model, column_name, group_by_columns=[]) %}
select {{ (group_by_columns | join(', ') ~ ', ') if group_by_columns }}count({{ column_name }}) as filler_column
from {{ model }} {{ ('group by ' ~ group_by_columns | join(', ')) if group_by_columns }} having count({{ column_name }}) = 0
{% endtest %}

{% test not_null_proportion(model, column_name, at_least=0.0, at_most=1.0, group_by_columns=[]) %}
select not_null_proportion from (
    select sum(case when {{ column_name }} is null then 0 else 1 end) / cast(count(*) as double) as not_null_proportion
    from {{ model }} {{ ('group by ' ~ group_by_columns | join(', ')) if group_by_columns }}
) as proportions
where not_null_proportion < {{ at_least }} or not_null_proportion > {{ at_most }}
{% endtest %}

{# Numbers of rows of two tables side by side, by groups if there are any. #}
{% macro row_counts(model, compare_model, group_by_columns) -%}
{%- set groups = group_by_columns | join(', ') -%}
{%- set by = ('group by ' ~ groups) if group_by_columns else '' -%}
{%- set keys = (groups ~ ', ') if group_by_columns else '' -%}
select coalesce(here.n, 0) as rows_here, coalesce(there.n, 0) as rows_there
from (select {{ keys }}1 as one, count(*) as n from {{ model }} {{ by }}) as here
full join (select {{ keys }}1 as one, count(*) as n from {{ compare_model }} {{ by }}) as there
on here.one = there.one{% for column in group_by_columns %} and here.{{ column }} = there.{{ column }}{% endfor %}
{%- endmacro %}

{% test equal_rowcount(model, compare_model, group_by_columns=[]) %}
select rows_here, rows_there from ({{ dbt_utils.row_counts(model, compare_model, group_by_columns) }}) as counts
where rows_here <> rows_there
{% endtest %}

{% test fewer_rows_than(model, compare_model, group_by_columns=[]) %}
select rows_here, rows_there from ({{ dbt_utils.row_counts(model, compare_model, group_by_columns) }}) as counts
where rows_here >= rows_there
{% endtest %}

{% test relationships_where(model, column_name, to, field, from_condition='1=1', to_condition='1=1') %}
select child.from_field
from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null and {{ from_condition }}) as child
left join (select {{ field }} as to_field from {{ to }} where {{ to_condition }}) as parent on child.from_field = parent.to_field
where parent.to_field is null
{% endtest %}

{% test equality(model, compare_model, compare_columns=none, exclude_columns=[], precision=none) %}
{%- set names = [] -%}
{%- set gone = [] -%}{%- for name in exclude_columns or [] -%}{%- do gone.append(name | lower) -%}{%- endfor -%}
{%- set types = {} -%}
{%- if compare_columns and precision is none -%}
  {%- for name in compare_columns -%}{%- do names.append(name) -%}{%- endfor -%}
{%- else -%}
  {%- set wanted = [] -%}{%- for name in compare_columns or [] -%}{%- do wanted.append(name | lower) -%}{%- endfor -%}
  {%- for column in adapter.get_columns_in_relation(model) if (column.name | lower) not in gone and (not wanted or (column.name | lower) in wanted) -%}
    {%- set rounded = precision is not none and (column.is_float() or column.is_numeric()) -%}
    {%- do names.append(('round(' ~ adapter.quote(column.name) ~ ', ' ~ precision ~ ') as ' ~ adapter.quote(column.name)) if rounded else adapter.quote(column.name)) -%}
  {%- endfor -%}
{%- endif -%}
{%- set columns = names | join(', ') or '*' %}
select 'missing there' as which_diff, * from (select {{ columns }} from {{ model }} except select {{ columns }} from {{ compare_model }}) as a_minus_b
union all
select 'missing here' as which_diff, * from (select {{ columns }} from {{ compare_model }} except select {{ columns }} from {{ model }}) as b_minus_a
{% endtest %}

{% test recency(model, field, datepart, interval, ignore_time_component=false, group_by_columns=[]) %}
{%- set newest = 'cast(max(' ~ field ~ ') as ' ~ ('date' if ignore_time_component else 'timestamp') ~ ')' -%}
{%- set since = dbt.dateadd(datepart, interval * -1, dbt.current_timestamp()) -%}
{%- set since = 'cast(' ~ since ~ ' as date)' if ignore_time_component else since %}
select {{ (group_by_columns | join(', ') ~ ', ') if group_by_columns }}{{ newest }} as most_recent
from {{ model }} {{ ('group by ' ~ group_by_columns | join(', ')) if group_by_columns }} having {{ newest }} < {{ since }}
{% endtest %}

{% test cardinality_equality(model, column_name, to, field) %}
select here.value_field, here.n as rows_here, there.n as rows_there
from (select {{ column_name }} as value_field, count(*) as n from {{ model }} group by {{ column_name }}) as here
full join (select {{ field }} as value_field, count(*) as n from {{ to }} group by {{ field }}) as there
on here.value_field = there.value_field
where here.n is null or there.n is null or here.n <> there.n
{% endtest %}

{% test mutually_exclusive_ranges(model, lower_bound_column, upper_bound_column, partition_by=none, gaps='allowed', zero_length_range_allowed=false) %}
{%- set compare = {'not_allowed': '=', 'allowed': '<=', 'required': '<'} -%}
{%- if gaps not in compare -%}{{ exceptions.raise_compiler_error("gaps can be allowed, not_allowed or required, not " ~ gaps) }}{%- endif -%}
{%- set over = 'over (' ~ (('partition by ' ~ partition_by ~ ' ') if partition_by else '') ~ 'order by ' ~ lower_bound_column ~ ', ' ~ upper_bound_column ~ ')' %}
select lower_bound, upper_bound, next_lower_bound from (
    select {{ lower_bound_column }} as lower_bound, {{ upper_bound_column }} as upper_bound,
        lead({{ lower_bound_column }}) {{ over }} as next_lower_bound,
        lead(1) {{ over }} as has_next
    from {{ model }}
) as ranges
where not (
    coalesce(lower_bound {{ '<=' if zero_length_range_allowed else '<' }} upper_bound, has_next is null and lower_bound is not null)
    and (has_next is null or coalesce(upper_bound {{ compare[gaps] }} next_lower_bound, false))
)
{% endtest %}

{% test sequential_values(model, column_name, interval=1, datepart=none, group_by_columns=[]) %}
{%- set over = 'over (' ~ (('partition by ' ~ group_by_columns | join(', ') ~ ' ') if group_by_columns else '') ~ 'order by ' ~ column_name ~ ')' %}
select value_field, before_field from (
    select {{ column_name }} as value_field, lag({{ column_name }}) {{ over }} as before_field from {{ model }}
) as windowed
where before_field is not null and
{%- if datepart %} cast(value_field as timestamp) <> cast({{ dbt.dateadd(datepart, interval, 'before_field') }} as timestamp)
{%- else %} value_field <> before_field + {{ interval }}
{%- endif %}
{% endtest %}
