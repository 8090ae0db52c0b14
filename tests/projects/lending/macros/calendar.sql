{# The project's own form of a package's macro. #}
{% macro spark__label(text) %}upper('{{ text }}'){% endmacro %}

{% macro cents(column) %}round({{ column }} * 100, 0){% endmacro %}
