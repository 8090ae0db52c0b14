//! What the macros of `dbt` give when their SQL runs.

use super::rows;

const SEED: (&str, &str) =
    ("seeds/s.csv", "id,a,b,t\n1,2024-01-31 10:00:00,2024-03-02 09:30:00,x-y-z\n2,2023-12-31 23:59:59,,\n");

/// The rows of a query over the seed, without the frame around them.
fn of(query: &str) -> Vec<String> {
    let model = format!("select {query} from {{{{ ref('s') }}}} order by id");
    let text = rows(&[SEED, ("models/m.sql", &model)], "m");
    let lines = text.lines().skip(3).filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(",")).collect()
}

/// Times: NULL gives NULL, months keep the day where they can, boundaries are counted.
#[test]
fn times() {
    assert_eq!(of("{{ dbt.dateadd('month', 1, 'a') }} as x"), ["2024-02-29T10:00:00Z", "2024-01-31T23:59:59Z"]);
    assert_eq!(of("{{ dbt.dateadd('hour', -12, 'b') }} as x"), ["2024-03-01T21:30:00Z", ""]);
    assert_eq!(of("{{ dbt.dateadd('quarter', 'id', \"'2024-11-30'\") }} as x")[0], "2025-02-28T00:00:00Z");
    assert_eq!(of("{{ dbt.datediff('a', 'b', 'day') }} as x"), ["31", ""]);
    assert_eq!(of("{{ dbt.datediff('a', 'b', 'month') }} as x, {{ dbt.datediff('a', 'b', 'week') }} as y")[0], "2,4");
    assert_eq!(of("{{ dbt.datediff('b', 'a', 'hour') }} as x")[0], "-744");
    assert_eq!(of("{{ dbt.date_trunc('month', 'a') }} as x")[0], "2024-01-01T00:00:00Z");
    assert_eq!(
        of("{{ dbt.last_day('a', 'month') }} as x, {{ dbt.last_day('a', 'quarter') }} as y")[0],
        "2024-01-31,2024-03-31"
    );
    assert_eq!(of("{{ dbt.date(2024, 2, 29) }} as x")[0], "2024-02-29");
}

/// Texts, types and lists.
#[test]
fn texts() {
    assert_eq!(of("{{ dbt.split_part('t', \"'-'\", 2) }} as x, {{ dbt.right('t', 3) }} as y"), ["y,y-z", ","]);
    assert_eq!(of("{{ dbt.position(\"'y'\", 't') }} as x, {{ dbt.length('t') }} as y")[0], "3,5");
    assert_eq!(
        of("{{ dbt.replace('t', \"'-'\", \"'+'\") }} as x, {{ dbt.concat(['t', 'id']) }} as y")[0],
        "x+y+z,x-y-z1"
    );
    assert_eq!(of("{{ dbt.hash('id') }} as x")[0], "c4ca4238a0b923820dcc509a6f75849b");
    assert_eq!(of("{{ dbt.safe_cast('id', dbt.type_numeric()) }} as x")[0], "1.000000");
    assert_eq!(
        of("{{ dbt.string_literal('it') }} as x, {{ dbt_utils.generate_surrogate_key(['id', 't']) }} as y")[0].len(),
        35
    );
    assert_eq!(of("{{ dbt_utils.safe_divide('id', 'id - 1') }} as x"), ["", "2.0"]);
    assert_eq!(of("round({{ dbt_utils.haversine_distance(0, 0, 0, 1, 'km') }}, 0) as x")[0], "111.0");
}
