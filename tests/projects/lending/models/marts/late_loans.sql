{{ config(materialized='view') }}
select loan_id, member, datediff(date'{{ var("today", "2024-06-01") }}', day) - {{ var('loan_days') }} as days_late
from {{ ref('fact_loans') }}
where state <> 'returned' and datediff(date'{{ var("today", "2024-06-01") }}', day) > {{ var('loan_days') }}
    and day not in (select day from {{ ref('calendar', 'days_off') }})
