-- Each play finds exactly one version of its user, by dim_users and its level as of the event.
-- Warns: an order to change the level that was lost on its way leaves plays of a level that the history does not know.
{{ config(severity='warn') }}

select
    f.session_id,
    f.item_in_session,
    count(u.user_version_key) as versions
from {{ ref('fact_listens') }} as f
left join {{ ref('dim_users') }} as u on {{ user_version('f', 'u') }}
group by f.session_id, f.item_in_session
having count(u.user_version_key) <> 1
