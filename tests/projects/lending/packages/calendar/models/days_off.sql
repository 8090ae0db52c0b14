select day, holiday, {{ is_weekend('day') }} as weekend, {{ label(var('first_day')) }} as week_starts
from {{ ref('holidays') }}
