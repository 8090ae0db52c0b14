//! Macros: each is a template of its own, so that every macro is known everywhere, and can `return(...)` a value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Environment, Error, State};

use super::super::error::{Faults, ProjectError};
use super::super::nearest::did_you_mean;
use super::super::values::json_to_jinja;
use super::blocks::{Block, blocks, line_at};
use super::fault::{explain, raise};
use super::mutable::wrap_values;
use super::registry::{BUILT_IN_PACKAGES, Registry};
use super::session::Session;

/// Block kinds that macro files may hold and that sluice has no use for.
const IGNORED_KINDS: [&str; 2] = ["materialization", "snapshot"];

/// Whether macros that are there already are left as they are, without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfThere {
    Fault,
    Keep,
}

/// The macros of one package by name; generic tests are macros named `test_...`.
#[derive(Debug, Clone, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) macros: BTreeMap<String, Value>,
}

impl Package {
    /// Reads the macros and generic tests of a file into the package, and their templates into `env`.
    pub(super) fn add_file(
        &mut self,
        (env, registry): (&mut Environment<'static>, &Arc<Registry>),
        (file, source): (&str, &str),
        if_there: IfThere,
        faults: &mut Faults,
    ) {
        if let Err(error) = super::check_tags(file, source) {
            return faults.push(error);
        }
        let found = match blocks(source, &["macro", "test", "materialization", "snapshot"]) {
            Ok(found) => found,
            Err((kind, name, line)) => {
                let what = format!("jinja syntax error: {kind} \"{name}\" is not closed");
                return faults.error(file, Some(line), what, format!("end it with {{% end{kind} %}}"));
            }
        };
        for block in found {
            if IGNORED_KINDS.contains(&block.kind.as_str()) {
                if self.name == registry.root {
                    let text = format!("{} \"{}\" is not supported and is ignored", block.kind, block.name);
                    faults.warn(file, Some(block.line), text);
                }
                continue;
            }
            let name = if block.kind == "test" { format!("test_{}", block.name) } else { block.name.clone() };
            if self.macros.contains_key(&name) {
                if if_there == IfThere::Keep {
                    continue;
                }
                let way_out = "a macro has one definition; rename or remove one of them";
                faults.error(
                    file,
                    Some(block.line),
                    format!("{} \"{}\" is defined twice", block.kind, block.name),
                    way_out,
                );
                continue;
            }
            let template = format!("{file}#{name}");
            let definition = definition(source, &block, &name);
            if let Err(error) = env.add_template_owned(template.clone(), wrap_values(&definition)) {
                let fault = explain(&error, file, &[]);
                if self.name == registry.root {
                    faults.push(fault);
                } else {
                    // Nobody can mend a package, and most of its macros are not used.
                    self.macros.insert(name, Value::from_object(Unreadable(fault)));
                }
                continue;
            }
            let (inner, package, registry) = (inner_name(&name), self.name.clone(), Arc::downgrade(registry));
            let defined = Macro { name: name.clone(), package, template, inner, registry };
            self.macros.insert(name, Value::from_object(defined));
        }
    }
}

/// The name of a macro inside of its own template; it differs, so that a macro that calls itself goes through
/// [`Macro`] as every other call.
fn inner_name(name: &str) -> String {
    format!("dbt_macro__{name}")
}

/// The text of one macro as a template, with its lines where they are in the file.
fn definition(source: &str, block: &Block, name: &str) -> String {
    let lines = "\n".repeat(line_at(source, block.open.range.start) - 1);
    let open = &source[block.open.inner.clone()];
    let parameters = open.find('(').map_or("()", |at| &open[at..]);
    let body = &source[block.open.range.end..block.close.range.start];
    let open = tag_with(source, block, true, &format!("macro {}{parameters}", inner_name(name)));
    let close = tag_with(source, block, false, "endmacro");
    format!("{lines}{open}{body}{close}")
}

/// A tag of the block with another text between its braces and dashes.
fn tag_with(source: &str, block: &Block, open: bool, text: &str) -> String {
    let tag = if open { &block.open } else { &block.close };
    let before = source[tag.range.start..tag.inner.start].trim_end();
    let after = source[tag.inner.end..tag.range.end].trim_start();
    format!("{before} {text} {after}")
}

/// A macro that templates call.
struct Macro {
    name: String,
    /// Its package, whose other macros it calls by their plain names.
    package: String,
    /// The template that defines it.
    template: String,
    /// Its name there.
    inner: String,
    /// Weak, as the registry has all macros.
    registry: Weak<Registry>,
}

impl fmt::Debug for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Macro({}.{})", self.package, self.name)
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let session = Session::of(state)?;
        let replaced = &session.overrides.macros;
        let full_name = || format!("{}.{}", self.package, self.name);
        if let Some(value) = replaced.get(&self.name).or_else(|| replaced.get(&full_name())) {
            return Ok(json_to_jinja(value));
        }
        let _entered = session.enter(&self.name)?;
        let context = session.context_in(&self.package, self.registry.upgrade());
        let mut defined = state.env().get_template(&self.template)?.render_captured(context)?;
        match defined.with_state_mut(|inner| inner.call_macro(&self.inner, args)) {
            Ok(text) => Ok(Value::from(text)),
            Err(error) => session.take_returned().ok_or(error),
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<macro {}>", self.name)
    }
}

/// A macro of a package that cannot be read: an error where it is called.
#[derive(Debug)]
struct Unreadable(ProjectError);

impl Object for Unreadable {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let line = self.0.line.map_or_else(String::new, |line| format!(":{line}"));
        let what = format!("the macro at {}{line} cannot be read: {}", self.0.file, self.0.what);
        Err(raise(what, "define a macro of your own in its place, as spark__<name>"))
    }
}

/// A package as templates see it: `dbt_utils.generate_surrogate_key(...)`.
#[derive(Debug)]
pub(super) struct Namespace {
    pub(super) package: Package,
    /// Macros that the package has in dbt and sluice cannot have, with the reason.
    pub(super) unsupported: &'static [(&'static str, &'static str)],
    pub(super) registry: Arc<Registry>,
}

impl Namespace {
    /// A macro of the package, or what takes its place: packages that sluice brings can be replaced macro by macro.
    fn find(&self, name: &str) -> Option<Value> {
        let package = &self.package.name;
        let is_built_in = BUILT_IN_PACKAGES.contains(&package.as_str());
        let replaced = || self.registry.override_of(package, name);
        if let Some(replaced) = is_built_in.then(replaced).flatten() {
            return Some(replaced);
        }
        self.package.macros.get(name).cloned().or_else(|| self.registry.without_prefix(package, name))
    }
}

impl Object for Namespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let package = &self.package.name;
        if let Some(found) = self.find(method) {
            return found.call(state, args);
        }
        if let Some((_, why)) = self.unsupported.iter().find(|(name, _)| *name == method) {
            return Err(raise(format!("{package}.{method} is not supported"), *why));
        }
        let names = self.package.macros.keys().map(String::as_str);
        let otherwise = match BUILT_IN_PACKAGES.contains(&package.as_str()) {
            true => "sluice brings its own, smaller set of it: see the project's README",
            false => "define it in the package, or correct the name",
        };
        let way_out = did_you_mean(method, names, otherwise);
        Err(raise(format!("unknown macro \"{package}.{method}\""), way_out))
    }
}
