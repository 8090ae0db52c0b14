-- in sluice: select loan_id, book_id, member, branch, state, unix_seconds(at) as at, day from marts.fact_loans
select loan_id, book_id, member, branch, state, at_ms // 1000 as at, make_timestamp(at_ms * 1000)::date as day
from (select distinct on (loan_id) * from loans where loan_id is not null order by loan_id, at_ms desc, state)
