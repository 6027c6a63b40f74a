//! Builds or finds llama.cpp, compiles the shim, tells cargo what to link. What a person may set, and what
//! each feature does: README.md.
#![allow(clippy::print_stdout, reason = "a build program talks to cargo through stdout")]
#![allow(clippy::duplicate_mod, reason = "bindings.rs is also used alone, so it brings its own fingerprint")]

mod abi;
#[cfg(feature = "bindgen")]
mod bindings;
mod cmake;
mod cpu;
mod env;
mod file_api;
mod fingerprint;
mod installed;
mod link;
mod patch;
mod patched;
mod pin;
mod shim;
mod source;

fn main() {
    let plan = env::read();
    if !plan.docs_only {
        cmake::check_tools(&plan);
    }
    env::watch();
    let pin = source::pin(&plan);
    link::describe(&plan, pin.version());
    if plan.docs_only {
        return;
    }
    let tree = source::locate(&plan, &pin);
    #[cfg(feature = "bindgen")]
    source::declare(&plan, &tree);
    shim::compile(&plan, &tree); // Before CMake: other headers than declared are refused at once.
    let libs = cmake::build(&plan, &tree);
    link::emit(&plan, &tree, &libs);
}

/// Stops the build with one sentence that says what to do.
fn fail(sentence: impl std::fmt::Display) -> ! {
    println!("cargo::error={}", sentence.to_string().replace('\n', " "));
    std::process::exit(1)
}
