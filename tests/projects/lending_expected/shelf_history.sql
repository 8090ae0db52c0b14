-- in sluice: select book_id, shelf, price_cents, unix_seconds(dbt_valid_from) as since, year(dbt_valid_to) as until from history.shelf_history
with ordered as (
    select *, lag(shelf) over (partition by book_id order by changed_ms) as before,
        row_number() over (partition by book_id order by changed_ms) as n
    from (select distinct * from books)
), versions as (select * from ordered where n = 1 or shelf is distinct from before)
select book_id, shelf, round(price * 100)::bigint, changed_ms // 1000,
    coalesce(year(make_timestamp(lead(changed_ms) over (partition by book_id order by changed_ms) * 1000)), 9999)
from versions
