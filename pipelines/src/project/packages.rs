//! Packages: the project itself, and those that `dbt deps` has put below its folder.

use serde_json::Value as Json;

use super::dbt_project::{self, ProjectFile};
use super::error::Faults;
use super::files::Files;
use super::values::text_of;
use super::yaml;

/// Packages of dbt whose macros sluice brings itself.
const OWN_PACKAGES: [&str; 1] = ["dbt_utils"];
/// Files that name packages.
const LISTS: [&str; 2] = ["packages.yml", "dependencies.yml"];
/// Where a package is from; the last part of it is, most of the time, its name.
const PLACES: [&str; 5] = ["package", "git", "local", "tarball", "private"];

/// The project (the first) and its packages.
#[derive(Debug, Default)]
pub(super) struct Packages(pub(super) Vec<ProjectFile>);

impl Packages {
    /// The packages below the project's folder.
    pub(super) fn read(files: &dyn Files, root: ProjectFile, faults: &mut Faults) -> Self {
        let folder = root.packages_path.trim_end_matches('/').to_owned();
        let listed = files.list(&folder).unwrap_or_else(|error| {
            faults.error(&folder, None, format!("the folder cannot be read: {error}"), "check its permissions");
            Vec::new()
        });
        let mut all = vec![root];
        for path in listed {
            let below = path.strip_prefix(&folder).unwrap_or(&path).trim_start_matches('/');
            let Some((own, dbt_project::FILE)) = below.split_once('/') else { continue };
            let Some(package) = ProjectFile::read(files, &format!("{folder}/{own}/"), faults) else { continue };
            match all.iter().find(|other| other.name == package.name) {
                Some(other) => {
                    let what = format!("package \"{}\" has the name of {}", package.name, other.file_path());
                    faults.error(&path, None, what, "remove one of the two");
                }
                None => all.push(package),
            }
        }
        let packages = Packages(all);
        packages.check_installed(files, faults);
        packages
    }

    /// The project itself.
    pub(super) fn root(&self) -> &ProjectFile {
        &self.0[0]
    }

    /// The package of this name.
    pub(super) fn named(&self, name: &str) -> Option<&ProjectFile> {
        self.0.iter().find(|package| package.name == name)
    }

    /// A fault for each package that is named and not there.
    fn check_installed(&self, files: &dyn Files, faults: &mut Faults) {
        let mut others: Vec<&ProjectFile> = self.0[1..].iter().collect();
        let mut missing = Vec::new();
        for file in LISTS {
            let Ok(text) = files.read(file) else { continue };
            let json = match yaml::parse(file, &text) {
                Ok(json) => json,
                Err(error) => {
                    faults.push(error);
                    continue;
                }
            };
            for package in json.get("packages").and_then(Json::as_array).into_iter().flatten() {
                let named = PLACES.iter().find_map(|key| Some((*key, package.get(*key).and_then(text_of)?)));
                let (key, named) = named.unwrap_or_else(|| ("package", package.to_string()));
                let short = short_name(&named);
                let name = package.get("name").and_then(text_of).unwrap_or_else(|| short.clone());
                let at = others.iter().position(|other| [&name, &short].contains(&&other.name) || other.is_in(&short));
                match at {
                    Some(at) => drop(others.swap_remove(at)),
                    None if OWN_PACKAGES.contains(&short.as_str()) => {}
                    None => missing.push((file, key, named)),
                }
            }
        }
        for (file, key, named) in missing {
            // A folder's name need not be the package's: one that nobody else named may be it.
            if key != "package" && others.pop().is_some() {
                continue;
            }
            let what = format!("package \"{named}\" is not installed");
            let way_out = format!("run `dbt deps`, which puts it into {}", self.root().packages_path);
            faults.error(file, super::lines::line_of(&files.read(file).unwrap_or_default(), 1, &named), what, way_out);
        }
    }
}

/// What a package is called: `dbt_utils` of `dbt-labs/dbt_utils`, `a_b` of `https://host/x/a-b.git`.
fn short_name(named: &str) -> String {
    let short = named.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let short = [".git", ".tar.gz", ".tgz"].iter().fold(short, |name, ending| name.trim_end_matches(ending));
    short.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package's name is the last part of where it is from.
    #[test]
    fn names() {
        assert_eq!(short_name("dbt-labs/dbt_utils"), "dbt_utils");
        assert_eq!(short_name("https://host/x/some-package.git"), "some_package");
        assert_eq!(short_name("../shared/"), "shared");
    }
}
