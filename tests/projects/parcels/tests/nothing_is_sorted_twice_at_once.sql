select parcel, scanned_at from {{ ref('all_scans') }} group by parcel, scanned_at having count(*) > 1
