-- The newest scan of each parcel.
{{ dbt_utils.deduplicate(relation=ref('all_scans'), partition_by='parcel', order_by='scanned_at desc, scan_key') }}
