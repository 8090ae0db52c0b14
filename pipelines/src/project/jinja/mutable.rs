//! Lists and dictionaries that a template can change.
//!
//! dbt projects write `{% set xs = [] %}` and then `{% do xs.append(x) %}`, as Python allows. minijinja's own lists
//! cannot change, so the value of each `set` is wrapped here: a list or dictionary becomes an object that can change,
//! and so do those inside of it. What is put in later is copied deeply, so that a list can never hold itself.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use super::blocks::{TagKind, first_word, tags};

/// A list may hold so many values, those in the lists inside of it included.
const ITEMS_MAX: usize = 100_000;
/// Lists may be nested so deep.
const DEPTH_MAX: usize = 64;
/// The function that `wrap_values` calls in templates.
const WRAPPER: &str = "__changeable";

/// Adds the function that makes changeable lists.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_function(WRAPPER, changeable);
}

/// Rewrites each `{% set x = .. %}` so that lists and dictionaries in x can change, and drops the colon with which Jinja2 lets
/// `{% if x: %}` end. Lines stay where they are.
pub(super) fn wrap_values(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut done = 0;
    for tag in tags(source).into_iter().filter(|tag| tag.kind == TagKind::Statement) {
        let inner = &source[tag.inner.clone()];
        if let (Some(bare), "if" | "elif" | "else" | "for") = (inner.strip_suffix(':'), first_word(inner)) {
            out.push_str(&source[done..tag.inner.start + bare.len()]);
            done = tag.inner.end;
            continue;
        }
        let Some(value_at) = value_of_set(inner) else { continue };
        let start = tag.inner.start + value_at;
        let _ = write!(out, "{}{WRAPPER}({})", &source[done..start], &source[start..tag.inner.end]);
        done = tag.inner.end;
    }
    out.push_str(&source[done..]);
    out
}

/// Where the value starts in the text `set name = value`; a namespace can change anyway.
fn value_of_set(inner: &str) -> Option<usize> {
    let rest = inner.strip_prefix("set")?.trim_start();
    let name = first_word(rest);
    let value = rest[name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let wanted = !name.is_empty() && first_word(value) != "namespace";
    wanted.then(|| value.as_ptr() as usize - inner.as_ptr() as usize)
}

/// The value itself when it can change, else a copy of it that can.
fn changeable(value: &Value) -> Result<Value, Error> {
    let is_ours = value.downcast_object_ref::<List>().is_some() || value.downcast_object_ref::<Dict>().is_some();
    if is_ours { Ok(value.clone()) } else { copy(value) }
}

/// A deep copy, all of which can change.
fn copy(value: &Value) -> Result<Value, Error> {
    Copying { items_left: ITEMS_MAX, depth: 0 }.value(value)
}

/// A deep copy under way.
struct Copying {
    items_left: usize,
    depth: usize,
}

impl Copying {
    fn value(&mut self, value: &Value) -> Result<Value, Error> {
        match value.kind() {
            ValueKind::Seq => Ok(Value::from_object(List(Mutex::new(self.items(value)?)))),
            ValueKind::Map => Ok(Value::from_object(Dict(Mutex::new(self.pairs(value)?)))),
            _ => Ok(value.clone()),
        }
    }

    fn items(&mut self, value: &Value) -> Result<Vec<Value>, Error> {
        self.inside(|copying| value.try_iter()?.map(|item| copying.item(&item)).collect())
    }

    fn pairs(&mut self, value: &Value) -> Result<Vec<(Value, Value)>, Error> {
        self.inside(|copying| {
            value.try_iter()?.map(|key| Ok((key.clone(), copying.item(&value.get_item(&key)?)?))).collect()
        })
    }

    fn inside<T>(&mut self, copied: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(too_large(format!("lists are nested more than {DEPTH_MAX} deep")));
        }
        let done = copied(self);
        self.depth -= 1;
        done
    }

    fn item(&mut self, value: &Value) -> Result<Value, Error> {
        let left = self.items_left.checked_sub(1);
        self.items_left = left.ok_or_else(|| too_large(format!("a list holds more than {ITEMS_MAX} values")))?;
        self.value(value)
    }
}

fn too_large(text: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, text)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn argument(args: &[Value], at: usize, method: &str) -> Result<Value, Error> {
    let missing = || Error::new(ErrorKind::MissingArgument, format!("{method}() needs more arguments"));
    args.get(at).ok_or_else(missing).and_then(copy)
}

/// A list with Python's `append`, `extend`, `insert`, `pop`, `remove` and `clear`.
#[derive(Debug)]
struct List(Mutex<Vec<Value>>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        locked(&self.0).get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).clone())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "append" => {
                let item = argument(args, 0, method)?;
                locked(&self.0).push(item);
            }
            "extend" => {
                let items: Vec<Value> = argument(args, 0, method)?.try_iter()?.collect();
                locked(&self.0).extend(items);
            }
            "insert" => {
                let (at, item) = (argument(args, 0, method)?, argument(args, 1, method)?);
                let mut list = locked(&self.0);
                let at = at.as_usize().unwrap_or(0).min(list.len());
                list.insert(at, item);
            }
            "pop" => return self.pop(args.first()),
            "remove" => {
                let item = argument(args, 0, method)?;
                let mut list = locked(&self.0);
                let found = list.iter().position(|other| *other == item);
                let at = found
                    .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{item} is not in the list")))?;
                list.remove(at);
            }
            "clear" => locked(&self.0).clear(),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(Value::from(()))
    }
}

impl List {
    fn pop(&self, at: Option<&Value>) -> Result<Value, Error> {
        let mut list = locked(&self.0);
        let at = match at.and_then(Value::as_i64) {
            Some(at) if at >= 0 => usize::try_from(at).ok(),
            Some(back) => usize::try_from(back.unsigned_abs()).ok().and_then(|back| list.len().checked_sub(back)),
            None => list.len().checked_sub(1),
        };
        match at.filter(|at| *at < list.len()) {
            Some(at) => Ok(list.remove(at)),
            None => Err(Error::new(ErrorKind::InvalidOperation, "pop() finds nothing at that place")),
        }
    }
}

/// A dictionary with Python's `update`, `pop`, `setdefault` and `clear`, in the order of insertion.
#[derive(Debug)]
struct Dict(Mutex<Vec<(Value, Value)>>);

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        locked(&self.0).iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).iter().map(|(k, _)| k.clone()).collect())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "update" => {
                for argument in args {
                    let pairs = Copying { items_left: ITEMS_MAX, depth: 0 }.pairs(argument)?;
                    pairs.into_iter().for_each(|(key, value)| self.put(key, value));
                }
                Ok(Value::from(()))
            }
            "setdefault" => {
                let (key, value) = (argument(args, 0, method)?, argument(args, 1, method).unwrap_or_default());
                if let Some(there) = self.get_value(&key) {
                    return Ok(there);
                }
                self.put(key, value.clone());
                Ok(value)
            }
            "pop" => {
                let key = argument(args, 0, method)?;
                let mut pairs = locked(&self.0);
                match pairs.iter().position(|(k, _)| *k == key) {
                    Some(at) => Ok(pairs.remove(at).1),
                    None => argument(args, 1, method),
                }
            }
            "clear" => {
                locked(&self.0).clear();
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Dict {
    fn put(&self, key: Value, value: Value) {
        let mut pairs = locked(&self.0);
        match pairs.iter_mut().find(|(k, _)| *k == key) {
            Some(pair) => pair.1 = value,
            None => pairs.push((key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> String {
        let mut env = Environment::new();
        install(&mut env);
        env.render_str(&wrap_values(source), ()).unwrap()
    }

    /// Lists change as in Python, and work with loops, filters, `in` and `+`.
    #[test]
    fn lists_change() {
        assert_eq!(
            render("{% set xs = [] %}{% for i in [1,2] %}{% do xs.append(i * 10) %}{% endfor %}{{ xs | join('-') }}"),
            "10-20"
        );
        assert_eq!(
            render("{% set xs = [1, 2] %}{% set _ = xs.pop() %}{{ xs }} {{ xs | length }} {{ 1 in xs }} {{ xs[0] }}"),
            "[1] 1 True 1"
        );
        assert_eq!(render("{% set xs = ['a'] %}{% do xs.extend(['b']) %}{{ (xs + ['c']) | join }}"), "abc");
        assert_eq!(
            render("{% set xs = ['a','b'] %}{% do xs.insert(0,'z') %}{% do xs.remove('a') %}{{ xs | join }}"),
            "zb"
        );
    }

    /// Dictionaries change as in Python and keep their order.
    #[test]
    fn dictionaries_change() {
        assert_eq!(
            render("{% set d = {'b': 1} %}{% do d.update({'a': 2}) %}{% for k in d %}{{ k }}{{ d[k] }}{% endfor %}"),
            "b1a2"
        );
    }

    /// A list put into itself is a copy: there is no endless list.
    #[test]
    fn no_list_holds_itself() {
        assert_eq!(render("{% set xs = [1] %}{% do xs.append([xs]) %}{{ xs }}"), "[1, [[1]]]");
    }

    /// Lists inside of lists change, and a second name is the same list.
    #[test]
    fn nested_and_shared() {
        assert_eq!(render("{% set d = {'a': []} %}{% do d['a'].append(1) %}{{ d }}"), "{'a': [1]}");
        assert_eq!(render("{% set xs = [] %}{% do xs.append([]) %}{% do xs[0].append(1) %}{{ xs }}"), "[[1]]");
        assert_eq!(render("{% set a = [] %}{% set b = a %}{% do b.append(1) %}{{ a }}"), "[1]");
        assert_eq!(
            render("{% set d = dict(a=1) %}{% do d.update(b=2) %}{{ d }}{% set u = none %}{{ u }}"),
            "{'a': 1, 'b': 2}None"
        );
    }

    /// Lists that grow without end are errors.
    #[test]
    fn bounds() {
        let mut env = Environment::new();
        install(&mut env);
        let fault = |source: &str| env.render_str(&wrap_values(source), ()).unwrap_err().to_string();
        let doubling = "{% set xs = [1] %}{% for i in range(99) %}{% do xs.extend(xs) %}{% endfor %}";
        assert!(fault(doubling).contains("more than 100000 values"), "{}", fault(doubling));
        let nesting =
            "{% set xs = [] %}{% for i in range(99) %}{% do xs.append([xs.pop() if xs else 1]) %}{% endfor %}";
        assert!(fault(nesting).contains("nested more than 64 deep"), "{}", fault(nesting));
    }

    /// Only values of `set` are wrapped, and nothing else of the text moves.
    #[test]
    fn wraps_only_set() {
        let other =
            "{% set n = namespace(a=1) %}{% set y %}[1]{% endset %}{% set a, b = [1, 2] %}{{ [1] }}{% set n.a = [] %}";
        assert_eq!(wrap_values(other), other);
        assert_eq!(wrap_values("a{%- set x = [\n1] -%}b"), "a{%- set x = __changeable([\n1]) -%}b");
    }
}
