//! Configs that are about tables: contracts, names of schemas.

use super::{block, computed, faults};
use crate::lake::run_data_test;

const SEED: (&str, &str) = ("seeds/raw.csv", "id,name\n1,a\n,b\n");

/// A contract: its columns and types must be those of the SQL; what is not is said at its line.
#[test]
fn contracts() {
    let of = |columns: &str| {
        let schema =
            format!("models:\n  - name: m\n    config: {{ contract: {{ enforced: true }} }}\n    columns:\n{columns}");
        faults(&[SEED, ("models/m.sql", "select id, name from {{ ref('raw') }}"), ("models/schema.yml", &schema)])
    };
    assert_eq!(of("      - { name: ID, data_type: bigint }\n      - { name: name, data_type: varchar(10) }\n"), "");
    assert_eq!(
        of(
            "      - { name: id, data_type: bigint }\n      - { name: name, data_type: int }\n      - { name: more, data_type: int }\n"
        ),
        "models/schema.yml:6: model \"m\" breaks its contract: column \"name\" is string, not int; column \"more\" is declared, and \
         the SQL does not give it; correct the columns here, or cast in the model"
    );
    let undeclared = of("      - { name: id, data_type: bigint }\n");
    assert!(
        undeclared.starts_with("models/schema.yml:2: ") && undeclared.contains("\"name\" is not declared"),
        "{undeclared}"
    );
    assert!(of("      - name: id\n").contains("column \"id\" has no data_type"));
}

/// Constraints of a contract are data tests; one that is a test already is tested once.
#[test]
fn constraints() {
    let schema = "models:\n  - name: m\n    config: { contract: { enforced: true } }\n    \
                  constraints: [ { type: check, expression: 'id < 1' }, { type: not_null, columns: [name] }, { type: primary_key, columns: [id] } ]\n    \
                  columns:\n      - { name: id, data_type: bigint, constraints: [ { type: not_null } ] }\n      \
                  - { name: name, data_type: string, constraints: [ { type: not_null } ], data_tests: [ not_null ] }\n";
    let files = [SEED, ("models/m.sql", "select id, name from {{ ref('raw') }}"), ("models/schema.yml", schema)];
    let (pipeline, context) = computed(&files);
    let found = pipeline.project.tests.iter().map(|test| {
        let rows = block(run_data_test(&context, test)).map(|found| found.rows).unwrap_or_else(|e| panic!("{e}"));
        (test.name.as_str(), rows)
    });
    let expected = [("not_null_m_name", 0), ("not_null_m_id", 1), ("dbt_utils_expression_is_true_m_id_1", 1)];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// A project's own macros name schemas and tables; without them the config is the schema.
#[test]
fn names_of_tables() {
    let macros = "{% macro generate_schema_name(custom_schema_name, node) %}{% if custom_schema_name is none %}{{ target.schema }}{% else %}x_{{ custom_schema_name }}_{{ node.fqn[1] }}{% endif %}{% endmacro %}\n\
                  {% macro generate_alias_name(custom_alias_name=none, node=none) %}{{ custom_alias_name or node.name ~ '_t' }}{% endmacro %}";
    let files = [
        SEED,
        ("macros/names.sql", macros),
        ("models/gold/m.sql", "{{ config(schema='gold') }}select '{{ this }}' as here from {{ ref('raw') }}"),
        ("models/n.sql", "{{ config(alias='nn') }}select * from {{ ref('m') }}"),
    ];
    let (pipeline, _) = computed(&files);
    let tables: Vec<&str> = pipeline.models.values().map(|model| model.table.as_str()).collect();
    assert_eq!(tables, ["x_gold_gold.m_t", "default.nn"]);
    assert_eq!(pipeline.seeds[0].table, "default.raw_t");
    assert!(pipeline.models["m"].sql.contains("`x_gold_gold`.`m_t`"), "{}", pipeline.models["m"].sql);
}
