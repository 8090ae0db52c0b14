-- Milliseconds read as seconds give days of 86 seconds and years far off.
select
    session_id,
    item_in_session,
    event_time
from {{ ref('fact_page_views') }}
where event_time < timestamp '2000-01-01 00:00:00' or event_time >= timestamp '2100-01-01 00:00:00'
