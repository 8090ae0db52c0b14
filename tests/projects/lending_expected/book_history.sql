-- in sluice: select book_id, title, shelf, price_cents, unix_seconds(dbt_valid_from) as since, unix_seconds(dbt_valid_to) as until from history.book_history
select distinct book_id, trim(title), shelf, round(price * 100)::bigint, changed_ms // 1000,
    (select min(changed_ms) // 1000 from books as later where later.book_id = books.book_id and later.changed_ms > books.changed_ms)
from books
