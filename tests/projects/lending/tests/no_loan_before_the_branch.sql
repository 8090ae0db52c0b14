{{ config(tags=['branches']) }}
select l.loan_id from {{ ref('fact_loans') }} as l join {{ ref('branches') }} as b on b.branch_id = l.branch
where l.day < b.opened
