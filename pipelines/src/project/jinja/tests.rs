//! Tests of rendering: dbt's functions, macros, and what the errors say.

use super::*;
use crate::project::relation::{Catalog, Relation};

fn engine(macros: &str) -> (Engine, Faults) {
    let mut faults = Faults::default();
    let mut vars = Config::new();
    vars.insert("days".into(), 7.into());
    vars.insert("names".into(), serde_json::json!(["a", "b"]));
    let env: EnvVars = Arc::new(|name| (name == "REGION").then(|| "north".to_owned()));
    let files = [("macros/own.sql".to_owned(), macros.to_owned())];
    let own = PackageTemplates { name: "shop".into(), vars, macros: files.to_vec() };
    let engine = Engine::new(vec![own], HashMap::new(), env, &mut faults);
    (engine, faults)
}

fn session() -> Session {
    let mut catalog = Catalog::default();
    catalog.nodes.insert("orders".into(), Relation::table("silver", "orders"));
    let eph = Relation { ephemeral: Some("eph".into()), ..Relation::table("silver", "eph") };
    catalog.nodes.insert("eph".into(), eph);
    catalog.sources.insert(("raw".into(), "orders".into()), Relation::table("bronze", "orders_v2"));
    let this = Some(Relation::table("gold", "daily"));
    Session { execute: true, catalog: Arc::new(catalog), this, ..Session::default() }
}

fn rendered(macros: &str, source: &str) -> Result<Rendered, String> {
    let (engine, faults) = engine(macros);
    assert_eq!(faults.errors, []);
    engine.render("models/x.sql", source, session()).map_err(|e| e.to_string())
}

fn text(macros: &str, source: &str) -> String {
    rendered(macros, source).map(|r| r.text).unwrap()
}

fn fault(macros: &str, source: &str) -> String {
    rendered(macros, source).map(|r| r.text).unwrap_err()
}

/// ref, source and this become backquoted two-part names; an ephemeral model the name of its CTE.
#[test]
fn relations() {
    assert_eq!(text("", "{{ ref('orders') }} {{ ref('shop', 'orders') }}"), "`silver`.`orders` `silver`.`orders`");
    assert_eq!(text("", "{{ source('raw', 'orders') }}"), "`bronze`.`orders_v2`");
    assert_eq!(text("", "{{ ref('eph') }}"), "__dbt__cte__eph");
    assert_eq!(
        text("", "{{ this }} {{ this.schema }} {{ this.identifier }} {{ ref('orders').name }}"),
        "`gold`.`daily` gold daily orders"
    );
}

/// What a template calls is recorded, also through macros and in SQL comments, but not in Jinja comments.
#[test]
fn records_calls() {
    let source = "-- {{ ref('orders') }}\n{# {{ ref('nothing') }} #}{{ config(materialized='table', tags=['a'], meta={'k': 1}) }}{{ m() }}";
    let done = rendered("{% macro m() %}{{ source('raw', 'orders') }}{% endmacro %}", source).unwrap();
    assert_eq!(done.recorded.refs, [(None, "orders".to_owned())]);
    assert_eq!(done.recorded.sources, [("raw".to_owned(), "orders".to_owned())]);
    let config = serde_json::json!({"materialized": "table", "tags": ["a"], "meta": {"k": 1}});
    assert_eq!(Json::Object(done.recorded.config), config);
    assert_eq!(done.text, "-- `silver`.`orders`\n`bronze`.`orders_v2`");
}

/// The key is what dbt_utils 1.x renders on Spark, to the letter.
#[test]
fn surrogate_key() {
    let key = "md5(cast(concat(coalesce(cast(a as string), '_dbt_utils_surrogate_key_null_'), '-', \
               coalesce(cast(b as string), '_dbt_utils_surrogate_key_null_')) as string))";
    assert_eq!(text("", "{{ dbt_utils.generate_surrogate_key(['a', 'b']) }}"), key);
    let one = "md5(cast(concat(coalesce(cast(a as string), '_dbt_utils_surrogate_key_null_')) as string))";
    assert_eq!(text("", "{{ dbt_utils.generate_surrogate_key(['a']) }}"), one);
    let in_macro = "{% macro key() %}{% set cols = ['a'] %}{% do cols.append('b') %}{{ dbt_utils.generate_surrogate_key(cols) }}{% endmacro %}";
    assert_eq!(text(in_macro, "{{ key() }}"), key);
}

/// Variables, environment, target and the usual constants.
#[test]
fn variables() {
    assert_eq!(
        text("", "{{ var('days') }} {{ var('none', 3) }} {{ var('names') | join('+') }} {{ var.has_var('x') }}"),
        "7 3 a+b False"
    );
    assert_eq!(text("", "{{ env_var('REGION') }} {{ env_var('OTHER', 'south') }}"), "north south");
    assert_eq!(
        text("", "{{ target.type }} {{ target.schema }} {{ execute }} {{ is_incremental() }}"),
        "spark default True False"
    );
    assert_eq!(text("", "{{ config.get('x', 5) }}{{ config(x=6) }}{{ config.get('x', default=5) }}"), "56");
    assert_eq!(text("", "{{ log('x', info=True) }}{{ tojson({'a': [1, none]}) }}"), "{\"a\":[1,null]}");
}

/// Macros call macros of any file in any order, themselves, and through their package; `return` gives values.
#[test]
fn macros_call_macros() {
    let macros = "{% macro first() %}{{ second(1) + 1 }}{% endmacro %}\n\
                  {% macro second(x) %}{{ return(x + 1) }}{% endmacro %}\n\
                  {% macro down(n) -%}{% if n > 0 %}{{ n }}{{ down(n - 1) }}{% endif %}{%- endmacro %}\n\
                  {% macro pair() %}{% do return([1, 2]) %}{% endmacro %}\n\
                  {% macro spark__sized(x) %}spark {{ x }}{% endmacro %}\
                  {% macro sized(x) %}{{ adapter.dispatch('sized', 'shop')(x) }}{% endmacro %}";
    assert_eq!(
        text(macros, "{{ first() }} {{ down(3) }} {{ shop.second(5) }} {{ pair()[1] }} {{ sized(2) }}"),
        "3 321 6 2 spark 2"
    );
    assert_eq!(
        text("", "{{ concat(['a', 'b']) }} {{ dbt.type_string() }} {{ dbt_utils.group_by(3) }}"),
        "concat(a, b) string group by 1, 2, 3"
    );
    assert_eq!(
        text("", "{{ dbt_utils.slugify('A b-C!') }}|{{ dbt_utils.safe_divide('a', 'b') }}"),
        "a_b_c|(a) / nullif((b), 0)"
    );
}

/// Jinja statements work as in dbt.
#[test]
fn statements() {
    let source = "{% set xs = [] %}{% for i in range(3) %}{% do xs.append('c' ~ i) %}{% endfor %}{% if xs %}{{ xs | join(', ') }}{% endif %}";
    assert_eq!(text("", source), "c0, c1, c2");
    assert_eq!(
        text("", "{% set body %}a{% endset %}{{ body }}{%- if not is_incremental() %} all{% endif -%}"),
        "a all"
    );
    assert_eq!(
        text("", "{% set ns = namespace(n=0) %}{% for i in [1,2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
        "3"
    );
}

/// Unknown names say what is near; each error has its file and line.
#[test]
fn errors_of_names() {
    assert_eq!(fault("", "a\n{{ var('day') }}"), "models/x.sql:2: var \"day\" is not defined; did you mean \"days\"?");
    assert_eq!(
        fault("", "{{ var('cut_off') }}"),
        "models/x.sql:1: var \"cut_off\" is not defined; set it under vars: in dbt_project.yml, or give a default: var('cut_off', ...)"
    );
    assert_eq!(
        fault("", "\n\n{{ env_var('HOST') }}"),
        "models/x.sql:3: environment variable \"HOST\" is not set; set it, or give a default: env_var('HOST', '...')"
    );
    let macros = "{% macro cents(x) %}{{ x }}{% endmacro %}";
    assert_eq!(fault(macros, "{{ cent(1) }}"), "models/x.sql:1: unknown macro \"cent\"; did you mean \"cents\"?");
    assert_eq!(
        fault("", "{{ dbt_utils.generate_surogate_key(['a']) }}"),
        "models/x.sql:1: unknown macro \"dbt_utils.generate_surogate_key\"; did you mean \"generate_surrogate_key\"?"
    );
    assert_eq!(
        fault("", "select 1\n{{ colour }}"),
        "models/x.sql:2: \"colour\" is not defined; set it, or read it with | default(...)"
    );
}

/// What sluice cannot render is said with its reason.
#[test]
fn errors_of_support() {
    let star = fault("", "{{ dbt_utils.star(from=ref('orders'), except=['a']) }}");
    assert!(
        star.contains("columns of tables are not known here (called from models/x.sql); write the columns"),
        "{star}"
    );
    let values = fault("", "{{ dbt_utils.get_column_values(ref('orders'), 'status') }}");
    let begin = "models/x.sql:1: dbt_utils.get_column_values is not supported; it asks a database for the rows";
    assert!(values.starts_with(begin), "{values}");
    let spine = fault("", "{{ dbt_utils.date_spine(datepart='age', start_date='a', end_date='b') }}");
    assert!(spine.contains("date_spine knows second, minute"), "{spine}");
    let query = fault("", "{% set r = run_query('select 1') %}");
    assert!(query.contains("run_query needs a database; sluice renders every model before"), "{query}");
    let versions = fault("", "{{ ref('orders', v=2) }}");
    assert!(versions.contains("versions of models are not supported"), "{versions}");
    assert_eq!(fault("", "\n{{ exceptions.raise_compiler_error('no ' ~ 'good') }}"), "models/x.sql:2: no good");
}

/// While refs are collected, functions that need a database give none instead of an error.
#[test]
fn no_database_while_parsing() {
    let (engine, _) = engine("");
    let done = engine.render(
        "m.sql",
        "{% set r = run_query('x') %}{% if execute %}{{ r.rows }}{% endif %}ok",
        Session::default(),
    );
    assert_eq!(done.map(|r| r.text).unwrap(), "ok");
}

/// The dbt macros render as dbt-spark does, dates by boundaries crossed.
#[test]
fn dbt_macros() {
    assert_eq!(text("", "{{ dbt.datediff('a', 'b', 'day') }}"), "datediff(cast(b as date), cast(a as date))");
    assert_eq!(
        text("", "{{ dbt.datediff('a', 'b', 'month') }}"),
        "((year(cast(b as date)) - year(cast(a as date))) * 12 + month(cast(b as date)) - month(cast(a as date)))"
    );
    let hours = "(unix_seconds(cast(b as timestamp)) - unix_seconds(cast(a as timestamp))) / 3600";
    assert_eq!(
        text("", "{{ dbt.datediff('a', 'b', 'hour') }}"),
        format!("case when a < b then ceil({hours}) else floor({hours}) end")
    );
    assert!(fault("", "{{ dbt.datediff('a', 'b', 'eon') }}").contains("not eon"));
    assert_eq!(
        text("", "{{ dbt.dateadd('day', 1, 'd') }}"),
        "(cast(d as timestamp) + make_interval(0, 0, 0, cast(1 as int)))"
    );
}

/// Python's colon at the end of a block's tag is no fault.
#[test]
fn colons() {
    let source = "{% for i in [1, 2]: %}{% if i == 1: %}a{% else: %}b{{ {'c': i}['c'] }}{% endif %}{% endfor %}";
    assert_eq!(text("", source), "ab2");
}

/// A syntax error has the file and line, in models and in macros.
#[test]
fn errors_of_syntax() {
    let model = fault("", "select\n{% if x %}\n1");
    assert!(model.starts_with("models/x.sql:2: jinja syntax error: "), "{model}");
    let (_, faults) = engine("\n{% macro a() %}\n{{ 1 + }}\n{% endmacro %}");
    let text = faults.errors[0].to_string();
    assert!(text.starts_with("macros/own.sql:3: jinja syntax error: "), "{text}");
    let (_, faults) = engine("\n{% macro a() %}");
    assert_eq!(
        faults.errors[0].to_string(),
        "macros/own.sql:2: jinja syntax error: macro \"a\" is not closed; end it with {% endmacro %}"
    );
    let (_, faults) = engine("{% macro a() %}{% endmacro %}\n{% macro a() %}{% endmacro %}");
    assert!(faults.errors[0].to_string().starts_with("macros/own.sql:2: macro \"a\" is defined twice"));
}

/// An error inside of a macro is placed in the macro's file, and says who called it.
#[test]
fn errors_in_macros() {
    let error = fault("{% macro a() %}\n{{ nothing_here(1) }}\n{% endmacro %}", "{{ a() }}");
    assert_eq!(
        error,
        "macros/own.sql:2: unknown macro \"nothing_here\" (called from models/x.sql); define it in a file below macro-paths"
    );
}

/// Endless recursion is an error, not a crash.
#[test]
fn endless_recursion() {
    let error = fault("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}", "{{ a() }}");
    assert!(error.contains("macros call each other more than 48 deep"), "{error}");
}

/// Texts with Jinja in YAML are rendered, and an expression keeps its type.
#[test]
fn yaml_values() {
    let (engine, _) = engine("");
    let json = serde_json::json!({"a": "{{ var('days') }}", "b": ["x-{{ env_var('REGION') }}"], "tests": "{{ no }}"});
    let done = engine.render_json(("shop", "models/s.yml"), json, &["tests"]).unwrap();
    assert_eq!(done, serde_json::json!({"a": 7, "b": ["x-north"], "tests": "{{ no }}"}));
    let error = engine.render_json(("shop", "models/s.yml"), "{{ var('day') }}".into(), &[]).unwrap_err().to_string();
    assert_eq!(error, "models/s.yml: var \"day\" is not defined; did you mean \"days\"?");
}
