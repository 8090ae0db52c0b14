{# Only the names, so that dbt finds them when it parses; sluice has macros of its own for them. #}
{% macro star(from, relation_alias=false, except=[], prefix='', suffix='', quote_identifiers=true) %}*{% endmacro %}
{% macro union_relations(relations, column_override=none, include=[], exclude=[], source_column_name='_dbt_source_relation', where=none) %}{% endmacro %}
{% macro deduplicate(relation, partition_by, order_by) %}{% endmacro %}
{% macro date_spine(datepart, start_date, end_date) %}{% endmacro %}
{% macro generate_surrogate_key(field_list) %}{% endmacro %}
{% macro pivot(column, values, alias=true, agg='sum', cmp='=', prefix='', suffix='', then_value=1, else_value=0, quote_identifiers=true, distinct=false) %}{% endmacro %}
{% test unique_combination_of_columns(model, combination_of_columns, quote_columns=false) %}{% endtest %}
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}{% endtest %}
{% test equality(model, compare_model, compare_columns=none, exclude_columns=[], precision=none) %}{% endtest %}
{% test expression_is_true(model, expression, column_name=none) %}{% endtest %}
