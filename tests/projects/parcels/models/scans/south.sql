{{ config(materialized='view') }}
select s.*, 'south' as region, true as customs from {{ ref('stg_scans') }} as s join {{ ref('hubs') }} as h on h.hub = s.hub where h.region = 'south'
