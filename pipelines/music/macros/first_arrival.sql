{#
  Each event once: of the rows with the same key the one that came first. Producers are at-least-once, so what a later
  copy says is the same; keeping the first makes it rare that a row has to be taken back.
  `relation` has the columns kafka_time, kafka_partition and kafka_offset, which order the copies.
#}
{% macro first_arrival(relation, key, columns) -%}
select
        {{ columns | join(', ') }}
    from (
        select
            {{ columns | join(', ') }},
            row_number() over (
                partition by {{ key | join(', ') }}
                order by kafka_time, kafka_partition, kafka_offset
            ) as rn
        from {{ relation }}
    ) as ranked
    where rn = 1
{%- endmacro %}
