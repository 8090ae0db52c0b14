{#
  The condition that finds the version of a user that held at an event: exactly one row of dim_users for each row of a fact.
  Both ends are closed because the order to change the level and the change have the same millisecond; the level, which
  is the one at the event, says which side of it an event is on. The unknown user has one version.
#}
{% macro user_version(fact, users) -%}
{{ fact }}.user_key = {{ users }}.user_key
    and (
        {{ users }}.user_id is null
        or (
            {{ fact }}.level = {{ users }}.level
            and {{ fact }}.event_time >= {{ users }}.valid_from
            and {{ fact }}.event_time <= coalesce({{ users }}.valid_to, {{ fact }}.event_time)
        )
    )
{%- endmacro %}
