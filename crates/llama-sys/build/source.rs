//! Decides which llama.cpp is meant: the pinned tree (patched where there are patches), a checkout, or an
//! installed library with the pinned tree's chat sources beside it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::env::Plan;
use crate::pin::{self, Pin};
use crate::{fail, fingerprint, patched};

/// Where the sources and headers are.
#[derive(Debug)]
pub(crate) struct Tree {
    pub dir: PathBuf,
    /// Header folders; the first match wins.
    pub includes: Vec<PathBuf>,
    /// Short, for folder names.
    pub name: String,
    /// Held until the build ends: other cargo profiles build in the same folder.
    _lock: File,
}

pub(crate) fn pin(plan: &Plan) -> Pin {
    let pin = Pin::read(&plan.crate_dir).unwrap_or_else(|error| fail(error));
    println!("cargo::rerun-if-changed={}", pin.read_from.display());
    pin
}

/// Makes the declarations from the headers found, for the feature `bindgen`.
#[cfg(feature = "bindgen")]
pub(crate) fn declare(plan: &Plan, tree: &Tree) {
    let mut dirs = tree.includes.clone();
    dirs.push(plan.crate_dir.join("shim"));
    let text = crate::bindings::generate(&dirs, &plan.crate_dir.join("shim/shim.h"));
    if let Err(error) = fs::write(plan.out_dir.join("bindings.rs"), text) {
        fail(format!("cannot write the declarations: {error}"));
    }
}

pub(crate) fn locate(plan: &Plan, pin: &Pin) -> Tree {
    let lock = lock(plan).unwrap_or_else(|error| fail(format!("cannot use {}: {error}", plan.native_dir.display())));
    let (dir, mut name) = match &plan.checkout {
        Some(dir) => (checkout(dir), "checkout".to_owned()),
        None => (pinned(plan, pin), format!("pinned-{}", pin.version())),
    };
    let mut includes = vec![dir.join("include"), dir.join("ggml/include")];
    if let Some(installed) = &plan.installed {
        includes.clone_from(&installed.include_dirs);
        "installed".clone_into(&mut name);
    }
    if !includes.iter().any(|dir| dir.join("llama.h").is_file()) {
        fail("LLAMA_LIB_DIR is set, so LLAMA_INCLUDE_DIR must name the folder of its llama.h");
    }
    if plan.checkout.is_some() || plan.installed.is_some() {
        warn_of_other_headers(plan, &includes);
    }
    Tree { dir, includes, name, _lock: lock }
}

fn lock(plan: &Plan) -> std::io::Result<File> {
    fs::create_dir_all(&plan.native_dir)?;
    let file = File::create(plan.native_dir.join("lock"))?;
    file.lock()?;
    Ok(file)
}

/// A folder a person named; its files are watched, since they named it to change them.
fn checkout(dir: &Path) -> PathBuf {
    if !dir.join("include/llama.h").is_file() {
        fail(format!("LLAMA_CPP_DIR is {}, which is no checkout of llama.cpp (no include/llama.h)", dir.display()));
    }
    for part in patched::NEEDED {
        println!("cargo::rerun-if-changed={}", dir.join(part).display());
    }
    dir.to_owned()
}

fn pinned(plan: &Plan, pin: &Pin) -> PathBuf {
    pin::find(pin, &plan.out_dir.join("pin"), &plan.cargo)
        .and_then(|dir| patched::tree(dir, pin, &plan.native_dir))
        .unwrap_or_else(|error| fail(error))
}

/// Another llama.h may have other functions; other layouts are refused later, by the C++ compiler.
fn warn_of_other_headers(plan: &Plan, includes: &[PathBuf]) {
    let read = |path| fs::read_to_string(plan.crate_dir.join(path)).unwrap_or_default();
    let mut dirs = includes.to_vec();
    dirs.push(plan.crate_dir.join("shim"));
    let now = fingerprint::of(&dirs, &read("build/bindings.rs"));
    if !plan.features.bindgen && !read("src/bindings.rs").contains(&now) {
        println!(
            "cargo::warning=these headers are not those of the pinned llama.cpp; the feature `bindgen` of \
             llama-sys makes the declarations from them"
        );
    }
}
