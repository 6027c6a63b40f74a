//! Arrows only go down: which crate, and which module of llama-core and llama-runtime, may name which.
//!
//! The rules are tables in `rules.rs`; this file holds the sources against them. It reads text, not types:
//! a name that reaches a file through a glob import goes unseen.

mod paths;
mod rules;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::outcome::{Failure, Step};
use crate::workspace::{self, Member};
use rules::{Layer, Order, Place};

/// Reports every arrow that goes up on stderr.
pub(crate) fn check() -> Result<Step, Failure> {
    let mut found = dependencies(&workspace::members()?);
    let files = rust_files()?;
    for (path, text) in &files {
        let code = source::without_tests(&source::code(text));
        found.extend(forbidden_names(path, &code));
        found.extend(beyond_the_few(path, &code));
    }
    found.extend(missing_forbids(&files));
    found.extend(rules::ORDERS.iter().flat_map(|order| module_order(order, &files)));
    for finding in &found {
        eprintln!("{finding}");
    }
    if found.is_empty() {
        Ok(Step::Passed)
    } else {
        Err(Failure::new(format!("{} findings, listed above", found.len())))
    }
}

/// Every Rust file of the workspace by its path from the top, with `/` between folders.
fn rust_files() -> Result<BTreeMap<String, String>, Failure> {
    let mut files = BTreeMap::new();
    for top in rules::SOURCE_FOLDERS {
        collect(&workspace::root().join(top), top, &mut files)?;
    }
    Ok(files)
}

fn collect(dir: &Path, shown: &str, files: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", dir.display()));
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let shown = format!("{shown}/{name}");
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, &shown, files)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            files.insert(shown, text);
        }
    }
    Ok(())
}

/// Holds each package's dependencies against its layer.
fn dependencies(members: &[Member]) -> Vec<String> {
    let ours: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut found = Vec::new();
    for member in members {
        let name = &member.name;
        let Some(layer) = rules::LAYERS.iter().find(|layer| layer.package == name) else {
            found.push(format!("package {name} has no line in LAYERS of xtask/src/imports/rules.rs"));
            continue;
        };
        for dependency in &member.dependencies {
            if let Some(why) = breach(layer, &dependency.name, dependency.dev, &ours) {
                found.push(format!("{name}: must not depend on {}: {why}", dependency.name));
            }
        }
    }
    found
}

fn breach(layer: &Layer, dependency: &str, dev: bool, ours: &[&str]) -> Option<&'static str> {
    let for_tests = dev && dependency == rules::TEST_KIT;
    if ours.contains(&dependency) {
        let fine = for_tests || layer.ours.contains(&dependency);
        return (!fine).then_some("arrows only go down, one layer at a time");
    }
    let listed = layer.others.is_none_or(|others| others.contains(&dependency));
    (!dev && !listed).then_some("not listed for this layer in LAYERS of xtask/src/imports/rules.rs")
}

/// Holds the names in one file against the places where they may stand.
fn forbidden_names(path: &str, code: &str) -> Vec<String> {
    rules::NAMES
        .iter()
        .filter(|rule| rule.applies.contains(path) && !rule.except.iter().any(|place| place.contains(path)))
        .flat_map(|rule| {
            let lines = source::lines_with(code, rule.name);
            lines.into_iter().map(move |line| format!("{path}:{line}: `{}`: {}", rule.name, rule.why))
        })
        .collect()
}

fn missing_forbids(files: &BTreeMap<String, String>) -> Vec<String> {
    let forbids = |text: &String| source::code(text).contains("#![forbid(unsafe_code)]");
    rules::SAFE_ROOTS
        .iter()
        .filter(|root| !files.get(**root).is_some_and(forbids))
        .map(|root| format!("{root}: lacks #![forbid(unsafe_code)]"))
        .collect()
}

/// Holds the names that a file takes from another crate against the few it may.
fn beyond_the_few(path: &str, code: &str) -> Vec<String> {
    let rules = rules::FEW.iter().filter(|rule| rule.files.iter().any(|place| place.contains(path)));
    rules
        .flat_map(|rule| {
            let names = paths::from_crate(code, rule.from).into_iter();
            let others = names.filter(|(_, name)| !rule.names.contains(&name.as_str()));
            others.map(|(line, name)| format!("{path}:{line}: `{}::{name}`: {}", rule.from, rule.why))
        })
        .collect()
}

/// Holds the `crate::` paths of a crate against the order of its modules.
fn module_order(order: &Order, files: &BTreeMap<String, String>) -> Vec<String> {
    let modules: Vec<&str> = order.rows.iter().flat_map(|row| row.iter().copied()).collect();
    let rank = |module: &str| modules.iter().position(|name| *name == module);
    let together = |module: &str| order.together.contains(&module);
    let root = files.get(&format!("{}lib.rs", order.source)).map(|text| source::code(text));
    let exported = root.map(|code| paths::reexports(&code)).unwrap_or_default();
    let mut found = Vec::new();
    for (path, text) in files {
        let Some(file) = path.strip_prefix(order.source).and_then(|rest| rest.strip_suffix(".rs")) else {
            continue;
        };
        // The root re-exports everything; tests may look anywhere.
        if file == "lib" || file.ends_with("/tests") || file.contains("/tests/") {
            continue;
        }
        let module = file.split('/').next().unwrap_or(file);
        let Some(own) = rank(module) else {
            found.push(format!("{path}: module `{module}` has no place in ORDERS of xtask/src/imports/rules.rs"));
            continue;
        };
        let code = source::without_tests(&source::code(text));
        for (line, first) in paths::from_crate_root(&code, depth(file)) {
            let target = exported.get(&first).map_or(first.as_str(), String::as_str);
            let target = if rank(&first).is_some() { &first } else { target };
            match rank(target) {
                Some(other) if other <= own || (together(module) && together(target)) => {}
                Some(_) => found.push(format!("{path}:{line}: `{module}` imports `{target}`, which stands above it")),
                None => found
                    .push(format!("{path}:{line}: cannot tell which module `crate::{first}` is from; name the module")),
            }
        }
    }
    found
}

/// How many `super`s lead from a file's top to the crate root: 1 for `model`, 2 for `model/params`.
fn depth(file: &str) -> usize {
    file.strip_suffix("/mod").unwrap_or(file).split('/').count()
}

impl Place {
    fn contains(&self, path: &str) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Under(folder) => path.starts_with(folder),
            // A module may be a file or, with the same name, a folder.
            Self::Module(stem) => path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')),
        }
    }
}

#[cfg(test)]
mod tests;
