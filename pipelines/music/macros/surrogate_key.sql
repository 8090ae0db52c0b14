{#
  The key of a dimension: a hash of its natural key. Parts are kept apart by a separator ('ab','c' is not 'a','bc'),
  a NULL part has a mark of its own ('' is not NULL), so the key is never NULL, and the key of nothing but NULLs is the
  dimension's unknown member. Never give it a double: its text is not the same everywhere.
#}
{% macro surrogate_key(columns) -%}
md5(concat_ws('␟', {% for column in columns %}coalesce(cast({{ column }} as string), '␀'){% if not loop.last %}, {% endif %}{% endfor %}))
{%- endmacro %}
