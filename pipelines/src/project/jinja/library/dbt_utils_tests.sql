{# The generic tests of `dbt_utils` that need no list of columns. Each selects the rows that fail. #}

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

{% test not_constant(model, column_name) %}
select count(distinct {{ column_name }}) as filler_column from {{ model }} having count(distinct {{ column_name }}) = 1
{% endtest %}

{% test at_least_one(model, column_name) %}
select count({{ column_name }}) as filler_column from {{ model }} having count({{ column_name }}) = 0
{% endtest %}

{% test not_null_proportion(model, column_name, at_least, at_most=1.0) %}
select not_null_proportion from (
    select sum(case when {{ column_name }} is null then 0 else 1 end) / cast(count(*) as double) as not_null_proportion
    from {{ model }}
) as proportions
where not_null_proportion < {{ at_least }} or not_null_proportion > {{ at_most }}
{% endtest %}

{% test equal_rowcount(model, compare_model) %}
select here.n as rows_here, there.n as rows_there
from (select count(*) as n from {{ model }}) as here cross join (select count(*) as n from {{ compare_model }}) as there
where here.n <> there.n
{% endtest %}

{% test fewer_rows_than(model, compare_model) %}
select here.n as rows_here, there.n as rows_there
from (select count(*) as n from {{ model }}) as here cross join (select count(*) as n from {{ compare_model }}) as there
where here.n >= there.n
{% endtest %}

{% test relationships_where(model, column_name, to, field, from_condition='1=1', to_condition='1=1') %}
select child.from_field
from (select {{ column_name }} as from_field from {{ model }} where {{ column_name }} is not null and {{ from_condition }}) as child
left join (select {{ field }} as to_field from {{ to }} where {{ to_condition }}) as parent on child.from_field = parent.to_field
where parent.to_field is null
{% endtest %}
