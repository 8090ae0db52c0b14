{{ config(materialized='view') }}
select s.*, 'north' as region from {{ ref('stg_scans') }} as s join {{ ref('hubs') }} as h on h.hub = s.hub where h.region = 'north'
