{% snapshot book_history %}
{{ config(target_schema='history', strategy='timestamp', updated_at='changed_at') }}
select * from {{ ref('stg_books') }}
{% endsnapshot %}
