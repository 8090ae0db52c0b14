//! The columns of tables and queries, for templates that ask for them: `dbt_utils.star`, `check_cols: all` and the like.
//!
//! What dbt asks a database is known here from the SQL of what is read: whoever loads a project may bring a [`Describe`]
//! that plans it. Nothing is planned before a template asks.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::node::SourceTable;
use super::relation::Relation;
use super::seeds::Seed;

/// A column of a table or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// Its name.
    pub name: String,
    /// Its Spark SQL type.
    pub data_type: String,
}

/// What it gives: columns, or in words why they cannot be known.
pub type Described = Result<Vec<ColumnType>, String>;

/// Knows the columns of tables. Each is told once, after all that it reads; told tables can be named by later queries.
pub trait Describe: Send {
    /// Tells a source's table; gives its columns, those that sluice adds to a stream included.
    ///
    /// # Errors
    /// When its columns or their types are not declared.
    fn source(&mut self, table: &SourceTable) -> Described;

    /// Tells a seed; gives its columns.
    ///
    /// # Errors
    /// When one of its types is none of Spark SQL.
    fn seed(&mut self, seed: &Seed) -> Described;

    /// Tells the table that a query makes; gives its columns.
    ///
    /// # Errors
    /// When the query cannot be planned.
    fn query(&mut self, schema: &str, table: &str, sql: &str) -> Described;

    /// The columns of a query that makes no table.
    ///
    /// # Errors
    /// When the query cannot be planned.
    fn columns(&mut self, sql: &str) -> Described;
}

/// Makes a [`Describe`] that knows these schemas, and no tables yet.
pub type Describer = fn(&[String]) -> Box<dyn Describe>;

/// What has been told so far, and what waits to be told until somebody asks.
#[derive(Default)]
struct Told {
    /// The describer, once there is one; it is made when the first template asks.
    describe: Option<Box<dyn Describe>>,
    sources: Vec<SourceTable>,
    seeds: Vec<Seed>,
    /// Models whose SQL is known, each after those that it reads.
    waiting: Vec<(Relation, String)>,
    known: HashMap<String, Described>,
}

/// The columns of a project's tables, found when they are asked for.
#[derive(Clone, Default)]
pub(super) struct Columns {
    describer: Option<Describer>,
    schemas: Vec<String>,
    told: Arc<Mutex<Told>>,
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns").field("schemas", &self.schemas).finish_non_exhaustive()
    }
}

impl Columns {
    /// The columns of these sources and seeds, and of the models that are added later.
    pub(super) fn new(
        describer: Option<Describer>,
        schemas: Vec<String>,
        sources: &[SourceTable],
        seeds: &[Seed],
    ) -> Self {
        let told = match describer {
            Some(_) => Told { sources: sources.to_vec(), seeds: seeds.to_vec(), ..Told::default() },
            None => Told::default(),
        };
        Columns { describer, schemas, told: Arc::new(Mutex::new(told)) }
    }

    /// Adds a model whose SQL is known now, with its ephemeral models inlined.
    pub(super) fn add(&self, relation: Relation, sql: String) {
        if self.describer.is_some() {
            self.told.lock().unwrap_or_else(PoisonError::into_inner).waiting.push((relation, sql));
        }
    }

    /// The columns of a table.
    pub(super) fn of(&self, relation: &Relation) -> Described {
        self.asked(|told| {
            let unknown = || Err(format!("the columns of {relation} are not known: it is no table of this project"));
            told.known.get(&key(relation)).cloned().unwrap_or_else(unknown)
        })
    }

    /// The columns of a query over tables of the project.
    pub(super) fn of_query(&self, sql: &str) -> Described {
        self.asked(|told| match &mut told.describe {
            Some(describe) => describe.columns(sql),
            None => Err(NOBODY.to_owned()),
        })
    }

    fn asked(&self, answer: impl FnOnce(&mut Told) -> Described) -> Described {
        let describer = self.describer.ok_or_else(|| NOBODY.to_owned())?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.tell(|| describer(&self.schemas));
        answer(&mut told)
    }
}

const NOBODY: &str = "columns of tables are not known here";

fn key(relation: &Relation) -> String {
    relation.to_string().to_lowercase()
}

impl Told {
    /// Tells what waits.
    fn tell(&mut self, make: impl FnOnce() -> Box<dyn Describe>) {
        let mut describe = self.describe.take().unwrap_or_else(make);
        for table in std::mem::take(&mut self.sources) {
            let relation = Relation::table(&table.schema, &table.identifier);
            self.known.insert(key(&relation), describe.source(&table));
        }
        for seed in std::mem::take(&mut self.seeds) {
            let relation = Relation::table(&seed.schema, &seed.alias);
            self.known.insert(key(&relation), describe.seed(&seed));
        }
        for (relation, sql) in std::mem::take(&mut self.waiting) {
            let found = match &relation.ephemeral {
                Some(_) => describe.columns(&sql),
                None => describe.query(&relation.schema, &relation.identifier, &sql),
            };
            let found = found.map_err(|why| format!("the columns of {relation} are not known: {why}"));
            self.known.insert(key(&relation), found);
        }
        self.describe = Some(describe);
    }
}
