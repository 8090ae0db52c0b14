{# Names for Spark's dayofweek, in which 1 is Sunday and 7 is Saturday. #}
{% macro weekday_name(dayofweek) -%}
case {{ dayofweek }} when 1 then 'Sunday' when 2 then 'Monday' when 3 then 'Tuesday' when 4 then 'Wednesday' when 5 then 'Thursday' when 6 then 'Friday' when 7 then 'Saturday' end
{%- endmacro %}

{# The weekend is Saturday and Sunday. #}
{% macro is_weekend(dayofweek) -%}
{{ dayofweek }} in (1, 7)
{%- endmacro %}
