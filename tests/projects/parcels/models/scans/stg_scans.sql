{{ config(materialized='ephemeral') }}
select distinct
    {{ dbt_utils.generate_surrogate_key(['parcel', 'hub', 'scanned_ms']) }} as scan_key,
    parcel, hub, lower(status) as status, weight_g,
    timestamp_millis(scanned_ms) as scanned_at
from {{ source('scanners', 'scans') }}
