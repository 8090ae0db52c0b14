-- in sluice: select loan_id, member, days_late from marts.late_loans
with fact as (
    select distinct on (loan_id) *, make_timestamp(at_ms * 1000)::date as day
    from loans where loan_id is not null order by loan_id, at_ms desc, state
)
select loan_id, member, datediff('day', day, date '2024-06-01') - 14 from fact
where state <> 'returned' and datediff('day', day, date '2024-06-01') > 14 and day not in (date '2024-05-01', date '2024-05-09')
