{{ config(alias='loan_values_v', tags=['money']) }}
-- What a book was worth when it went out.
select l.loan_id, l.book_id, h.title, h.price_cents
from {{ ref('fact_loans') }} as l
join {{ ref('book_history') }} as h
    on h.book_id = l.book_id and h.dbt_valid_from <= l.at and (h.dbt_valid_to is null or l.at < h.dbt_valid_to)
