-- in sluice: select branch, branch_name, day, loans, returned, weekend from marts.loans_per_branch_day
with fact as (
    select distinct on (loan_id) *, make_timestamp(at_ms * 1000)::date as day
    from loans where loan_id is not null order by loan_id, at_ms desc, state
)
select branch, name, day, count(*), count(*) filter (state = 'returned'), isodow(day) >= 6
from fact left join branches on branch_id = branch group by all
