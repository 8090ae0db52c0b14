{#-
  Sessions that came to the page Upgrade (Downgrade), and those of them that submitted it afterwards in the same session.
  A session counts on the day of its first such page.
#}
{{ config(unique_key=['event_date', 'funnel']) }}

with steps as (
    select
        session_id,
        item_in_session,
        event_date,
        case when page in ('Upgrade', 'Submit Upgrade') then 'upgrade' else 'downgrade' end as funnel,
        page in ('Submit Upgrade', 'Submit Downgrade') as is_submit
    from {{ ref('fact_page_views') }}
    where page in ('Upgrade', 'Submit Upgrade', 'Downgrade', 'Submit Downgrade')
),

sessions as (
    select
        session_id,
        funnel,
        min(event_date) as event_date,
        min(item_in_session) filter (where not is_submit) as offer_item,
        max(item_in_session) filter (where is_submit) as submit_item
    from steps
    group by session_id, funnel
),

days as (
    select
        event_date,
        funnel,
        count(*) filter (where offer_item is not null) as sessions_offered,
        count(*) filter (where submit_item > offer_item) as sessions_converted
    from sessions
    group by event_date, funnel
)

select
    event_date,
    funnel,
    sessions_offered,
    sessions_converted,
    case when sessions_offered > 0 then cast(sessions_converted as double) / cast(sessions_offered as double) end as conversion_rate
from days
