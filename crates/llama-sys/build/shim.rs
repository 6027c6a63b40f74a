//! Compiles our own C++: the functions that keep upstream's exceptions out of Rust.

use std::path::PathBuf;
use std::{fs, io};

use crate::env::Plan;
use crate::source::Tree;
use crate::{abi, fail};

/// The static library it becomes; `link` names it first.
pub(crate) const NAME: &str = "llama_rs_shim";

pub(crate) fn compile(plan: &Plan, tree: &Tree) {
    let dir = plan.crate_dir.join("shim");
    println!("cargo::rerun-if-changed={}", dir.display());
    let check = write_check(plan).unwrap_or_else(|error| fail(format!("cannot write the ABI check: {error}")));
    let mut sources: Vec<PathBuf> =
        fs::read_dir(&dir).into_iter().flatten().flatten().map(|file| file.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "cpp"));
    sources.sort();
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").warnings(false).cargo_metadata(false).files(sources).file(check);
    build.opt_level(if plan.cxx_debug { 0 } else { 2 }).debug(plan.cxx_debug).flag_if_supported("-fexceptions");
    build.include(&dir).includes(&tree.includes);
    // `common/chat.h` by that name too: the shim has a chat.h of its own.
    for part in ["", "common", "src", "vendor"] {
        build.include(tree.dir.join(part));
    }
    if let Err(error) = build.try_compile(NAME) {
        match build.try_get_compiler() {
            Ok(_) => fail(format!("the C++ shim does not compile against these llama.cpp headers: {error}")),
            Err(_) => fail(crate::cmake::NO_COMPILER),
        }
    }
}

/// Nothing to check where the declarations are made from the headers themselves.
fn write_check(plan: &Plan) -> io::Result<PathBuf> {
    let declarations = match plan.features.bindgen {
        true => String::new(),
        false => fs::read_to_string(plan.crate_dir.join("src/bindings.rs"))?,
    };
    let path = plan.out_dir.join("abi_check.cpp");
    fs::write(&path, abi::checks(&declarations))?;
    Ok(path)
}
