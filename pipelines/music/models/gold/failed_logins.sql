{#-
  Logins in each hour, and how many failed. The stream also has events that only follow a login's redirect; a login is the
  event right after the page Login, and only those count. The rest is shown as spurious.
#}
{{ config(unique_key=['datetime_key']) }}

with login_pages as (
    select
        session_id,
        item_in_session + 1 as next_item
    from {{ ref('fact_page_views') }}
    where page = 'Login'
),

auths as (
    select
        a.datetime_key,
        a.success,
        p.next_item is not null as is_login
    from {{ ref('fact_auths') }} as a
    left join login_pages as p on a.session_id = p.session_id and a.item_in_session = p.next_item
)

select
    datetime_key,
    count(*) filter (where is_login) as logins,
    count(*) filter (where is_login and not success) as failed_logins,
    count(*) filter (where not is_login) as spurious_events
from auths
group by datetime_key
