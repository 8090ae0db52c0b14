select
    book_id,
    trim(title) as title,
    shelf,
    cast({{ cents('price') }} as bigint) as price_cents,
    timestamp_millis(changed_ms) as changed_at
from {{ source('desk', 'books') }}
