{% snapshot parcel_history %}
{{ config(strategy='check', unique_key='parcel', updated_at='scanned_at', check_cols='all') }}
select parcel, status, weight_g, scanned_at from {{ ref('all_scans') }} where status <> 'sorted'
{% endsnapshot %}
