{{ config(materialized='ephemeral') }}
select loan_id, book_id, member, branch, state, timestamp_millis(at_ms) as at
from {{ source('desk', 'loans') }}
where loan_id is not null
