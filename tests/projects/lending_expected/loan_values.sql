-- in sluice: select loan_id, book_id, title, price_cents from marts.loan_values_v
with fact as (
    select distinct on (loan_id) * from loans where loan_id is not null order by loan_id, at_ms desc, state
)
select f.loan_id, f.book_id, trim(b.title), round(b.price * 100)::bigint
from fact as f asof join (select distinct * from books) as b on f.book_id = b.book_id and f.at_ms >= b.changed_ms
