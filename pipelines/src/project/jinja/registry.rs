//! Which macros there are in which package, and where `adapter.dispatch` finds one.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use minijinja::value::Value;

/// The packages that sluice brings.
pub(super) const BUILT_IN_PACKAGES: [&str; 2] = ["dbt", "dbt_utils"];

/// What stands before the names of macros that `adapter.dispatch` finds, the nearest first.
const PREFIXES: [&str; 2] = ["spark__", "default__"];

/// The macros of all packages by name; generic tests are macros named `test_...`.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// The project's own package.
    pub(super) root: String,
    /// Where macros of a package are looked for instead: `dispatch` of `dbt_project.yml`.
    pub(super) search_orders: HashMap<String, Vec<String>>,
    /// Set once all files are read.
    pub(super) packages: OnceLock<HashMap<String, BTreeMap<String, Value>>>,
}

impl Registry {
    /// A macro of a package.
    pub(super) fn of(&self, package: &str, name: &str) -> Option<Value> {
        self.packages.get()?.get(package)?.get(name).cloned()
    }

    /// The macro that `adapter.dispatch(name, namespace)` names, called in the package `here`.
    pub(super) fn dispatch(&self, name: &str, namespace: Option<&str>, here: &str) -> Option<Value> {
        let order = self.search_order(namespace, here);
        let prefixed = self.prefixed(name, order.iter().map(String::as_str));
        // The macros that sluice brings are Spark's already, and have no prefix.
        prefixed.or_else(|| {
            let brought = |package: &&&str| order.iter().any(|other| other == **package) || namespace.is_none();
            BUILT_IN_PACKAGES.iter().filter(brought).find_map(|package| self.of(package, name))
        })
    }

    /// What another package has in the place of a macro that sluice brings.
    pub(super) fn override_of(&self, package: &str, name: &str) -> Option<Value> {
        let order = self.search_order(Some(package), package);
        self.prefixed(name, order.iter().map(String::as_str).filter(|other| *other != package))
    }

    /// A macro of a package that sluice brings, by the name that it would have in dbt's own.
    pub(super) fn without_prefix(&self, package: &str, name: &str) -> Option<Value> {
        let plain = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
        BUILT_IN_PACKAGES.contains(&package).then(|| self.of(package, plain)).flatten()
    }

    fn prefixed<'a>(&self, name: &str, mut order: impl Iterator<Item = &'a str>) -> Option<Value> {
        order.find_map(|package| PREFIXES.iter().find_map(|prefix| self.of(package, &format!("{prefix}{name}"))))
    }

    fn search_order(&self, namespace: Option<&str>, here: &str) -> Vec<String> {
        let Some(namespace) = namespace else {
            return vec![here.to_owned(), self.root.clone(), "dbt".to_owned()];
        };
        let usual = || vec![self.root.clone(), namespace.to_owned()];
        self.search_orders.get(namespace).cloned().unwrap_or_else(usual)
    }
}
