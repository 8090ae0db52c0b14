//! Projects with packages below `dbt_packages`, and macros that ask for the columns of tables.

use expect_test::expect;

use super::{faults, rows};

const DBT: &str = "name: shop\nversion: '1.0'\nvars: { rate: 2, money: { digits: 1 } }\n\
                   dispatch: [ { macro_namespace: money, search_order: [shop, spark_money, money] } ]\n\
                   models: { money: { +schema: cash, off: { +enabled: false } } }\n";
const PACKAGE: &str = "name: money\nversion: '1.0'\nvars: { money: { digits: 4, rate: 1, sign: '$' } }\nmodels: { +materialized: table, +tags: money }\n";
const MACROS: &str = "{% macro rounded(x) %}{{ return(adapter.dispatch('rounded', 'money')(x)) }}{% endmacro %}\n\
    {% macro default__rounded(x) %}round({{ x }}, {{ digits() }}){% endmacro %}\n\
    {% macro digits() %}{{ var('digits') }}{% endmacro %}\n\
    {% macro signed(x) %}{{ adapter.dispatch('signed', 'money')(x) }}{% endmacro %}\n\
    {% macro default__signed(x) %}concat('?', {{ x }}){% endmacro %}\n\
    {% test positive(model, column_name) %}select * from {{ model }} where {{ column_name }} <= 0{% endtest %}\n";

/// A project with the package `money`, which has a model, a seed and tests.
fn with_package<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut files = vec![
        ("dbt_project.yml", DBT),
        (
            "packages.yml",
            "packages:\n  - package: someone/money\n    version: 1.0.0\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n",
        ),
        ("dbt_packages/money/dbt_project.yml", PACKAGE),
        ("dbt_packages/money/macros/money.sql", MACROS),
        ("dbt_packages/money/seeds/rates.csv", "code,rate\neur,1.26\nusd,1.04\n"),
        ("dbt_packages/money/models/off/never.sql", "select nothing"),
        (
            "dbt_packages/money/models/rates_in.sql",
            "select code, {{ rounded('rate * ' ~ var('rate')) }} as rate, '{{ this }} {{ var('sign') }}' as here from {{ ref('rates') }}",
        ),
        (
            "dbt_packages/money/models/schema.yml",
            "models:\n  - name: rates_in\n    columns: [ { name: rate, data_tests: [ positive ] } ]\n",
        ),
    ];
    files.extend_from_slice(more);
    files
}

/// Nodes of a package are made with its own macros and vars, which the project's replace; the project reads them.
#[test]
fn nodes_and_macros() {
    let model = "select code, rate, here, {{ money.rounded('0.456') }} as r, {{ money.signed('code') }} as s from {{ ref('money', 'rates_in') }} order by code";
    let own = "{% macro spark__signed(x) %}concat('!', {{ x }}){% endmacro %}";
    let files = with_package(&[("models/used.sql", model), ("macros/own.sql", own)]);
    expect![[r#"
        +------+------+---------------------+-----+------+
        | code | rate | here                | r   | s    |
        +------+------+---------------------+-----+------+
        | eur  | 2.5  | `cash`.`rates_in` $ | 0.5 | !eur |
        | usd  | 2.1  | `cash`.`rates_in` $ | 0.5 | !usd |
        +------+------+---------------------+-----+------+"#]]
    .assert_eq(&rows(&files, "used"));
}

/// A package that is named and not there, and a ref into the wrong one, are faults that say what to do.
#[test]
fn faults_of_packages() {
    let list =
        ("packages.yml", "packages:\n  - package: x/dbt_dates\n    version: 1.0.0\n  - git: https://host/x/y.git\n");
    let told = faults(&[list]);
    let expected = "packages.yml:2: package \"x/dbt_dates\" is not installed; run `dbt deps`, which puts it into dbt_packages\n\
                    packages.yml:4: package \"https://host/x/y.git\" is not installed; run `dbt deps`, which puts it into dbt_packages";
    assert_eq!(told, expected);
    // A folder's name need not be that of the repository.
    let other = ("packages.yml", "packages:\n  - git: https://host/x/dollars.git\n");
    assert_eq!(faults(&with_package(&[other])), "");
    let of = |model: &str| faults(&with_package(&[("models/m.sql", model)]));
    assert!(
        of("select * from {{ ref('mony', 'rates_in') }}")
            .contains("package \"mony\", which is not installed; did you mean \"money\"?")
    );
    assert!(
        of("select * from {{ ref('money', 'm') }}").contains("which has no such node; it is one of package \"shop\"")
    );
    assert!(of("select {{ money.round(1) }}").contains("unknown macro \"money.round\"; did you mean \"rounded\"?"));
    let twice = faults(&with_package(&[("models/rates_in.sql", "select 1 as a")]));
    assert!(twice.contains("model \"rates_in\" has the name of models/rates_in.sql"), "{twice}");
}

/// A macro of a package that cannot be read is a fault where it is used, and nowhere else.
#[test]
fn unreadable_macros() {
    let broken = (
        "dbt_packages/money/macros/more.sql",
        "{% macro odd() %}\n{{ x[1:2, 3] }}{% endmacro %}{% macro even() %}2{% endmacro %}",
    );
    let of = |model: &str| faults(&with_package(&[broken, ("models/m.sql", model)]));
    assert_eq!(of("select {{ money.even() }} as two"), "");
    let used = of("select {{ money.odd() }} as one");
    let begin = "models/m.sql:1: the macro at dbt_packages/money/macros/more.sql:2 cannot be read: jinja syntax error";
    assert!(used.starts_with(begin) && used.contains("spark__<name>"), "{used}");
}

/// Macros that ask for columns are told those of sources, seeds, models and ephemeral models.
#[test]
fn columns_of_tables() {
    let files = [
        ("seeds/a.csv", "id,name\n1,x\n"),
        ("seeds/b.csv", "id,amount\n2,1.5\n"),
        (
            "models/e.sql",
            "{{ config(materialized='ephemeral') }}select id, name, upper(name) as loud from {{ ref('a') }}",
        ),
        (
            "models/m.sql",
            "select {{ dbt_utils.star(ref('e'), except=['NAME'], relation_alias='t', prefix='p_') }} from {{ ref('e') }} t",
        ),
        ("models/u.sql", "select * from ({{ dbt_utils.union_relations([ref('a'), ref('b')]) }}) order by id"),
        (
            "models/p.sql",
            "select * from ({{ dbt_utils.unpivot(ref('u'), exclude=['id'], remove=['_dbt_source_relation']) }}) order by 1, 2",
        ),
        (
            "models/d.sql",
            "select cast(date_day as date) as d from ({{ dbt_utils.date_spine('day', \"date'2024-02-28'\", \"date'2024-03-02'\") }}) order by 1",
        ),
        (
            "models/w.sql",
            "select id, {{ dbt_utils.width_bucket('amount', 0, 3, 3) }} as bucket, {{ dbt_utils.get_url_path(\"'http://h/a/b?c=d'\") }} as path, \
             {{ dbt_utils.get_url_host(\"'http://h/a/b?c=d'\") }} as host, {{ dbt_utils.get_url_parameter(\"'http://h/a/b?c=d'\", 'c') }} as c from {{ ref('b') }}",
        ),
    ];
    expect![[r#"
        +------+--------+
        | p_id | p_loud |
        +------+--------+
        | 1    | X      |
        +------+--------+"#]]
    .assert_eq(&rows(&files, "m"));
    expect![[r#"
        +----------------------+----+------+--------+
        | _dbt_source_relation | id | name | amount |
        +----------------------+----+------+--------+
        | default.a            | 1  | x    |        |
        | default.b            | 2  |      | 1.5    |
        +----------------------+----+------+--------+"#]]
    .assert_eq(&rows(&files, "u"));
    expect![[r#"
        +----+------------+-------+
        | id | field_name | value |
        +----+------------+-------+
        | 1  | amount     |       |
        | 1  | name       | x     |
        | 2  | amount     | 1.5   |
        | 2  | name       |       |
        +----+------------+-------+"#]]
    .assert_eq(&rows(&files, "p"));
    expect![[r#"
        +------------+
        | d          |
        +------------+
        | 2024-02-28 |
        | 2024-02-29 |
        | 2024-03-01 |
        +------------+"#]]
    .assert_eq(&rows(&files, "d"));
    expect![[r#"
        +----+--------+------+------+---+
        | id | bucket | path | host | c |
        +----+--------+------+------+---+
        | 2  | 2      | a/b  | h    | d |
        +----+--------+------+------+---+"#]]
    .assert_eq(&rows(&files, "w"));
}
