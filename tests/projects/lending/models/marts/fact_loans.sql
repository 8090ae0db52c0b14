{{ config(materialized='incremental', unique_key='loan_id', incremental_strategy='merge', on_schema_change='fail') }}
-- The newest report of each loan.
select loan_id, book_id, member, branch, state, at, cast(at as date) as day
from (
    select *, row_number() over (partition by loan_id order by at desc, state) as rank
    from {{ ref('int_loan_reports') }}
    {% if is_incremental() %}
    where at >= (select max(at) from {{ this }})
    {% endif %}
) as reports
where rank = 1
