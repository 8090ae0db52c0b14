select
    l.branch,
    b.name as branch_name,
    l.day,
    count(*) as loans,
    sum(case when l.state = 'returned' then 1 else 0 end) as returned,
    max({{ calendar.is_weekend('l.day') }}) as weekend
from {{ ref('fact_loans') }} as l
left join {{ ref('branches') }} as b on b.branch_id = l.branch
group by l.branch, b.name, l.day
