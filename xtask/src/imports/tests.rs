//! Good and bad snippets for each rule.

use super::*;
use crate::workspace::Dependency;

fn member(name: &str, dependencies: &[(&str, bool)]) -> Member {
    let dependencies = dependencies.iter().map(|(name, dev)| Dependency { name: (*name).to_owned(), dev: *dev });
    Member { name: name.to_owned(), dependencies: dependencies.collect(), examples: Vec::new() }
}

fn workspace_with(changed: Member) -> Vec<Member> {
    let mut members: Vec<Member> = rules::LAYERS.iter().map(|layer| member(layer.package, &[])).collect();
    members.retain(|member| member.name != changed.name);
    members.push(changed);
    members
}

fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// What every order finds.
fn order(files: &BTreeMap<String, String>) -> Vec<String> {
    rules::ORDERS.iter().flat_map(|order| module_order(order, files)).collect()
}

fn names(path: &str, text: &str) -> usize {
    forbidden_names(path, &source::without_tests(&source::code(text))).len()
}

#[test]
fn each_layer_may_depend_on_the_one_below() {
    let good = [
        member("llama-core", &[("llama-sys", false), ("thiserror", false)]),
        member("llama-runtime", &[("llama-core", false)]),
        member("llama-cli", &[("llama-runtime", false), ("clap", false)]),
    ];
    for changed in good {
        assert_eq!(dependencies(&workspace_with(changed)), Vec::<String>::new());
    }
}

#[test]
fn skipping_a_layer_or_going_up_is_found() {
    let bad = [
        ("llama-runtime", "llama-sys"),
        ("llama-cli", "llama-sys"),
        ("llama-core", "llama-runtime"),
        ("llama-sys", "llama-core"),
        ("xtask", "llama-core"),
    ];
    for (from, to) in bad {
        let found = dependencies(&workspace_with(member(from, &[(to, false)])));
        assert_eq!(found.len(), 1, "{from} -> {to}");
        assert!(found[0].contains(from) && found[0].contains(to), "{found:?}");
    }
}

#[test]
fn the_testkit_is_for_tests() {
    assert!(dependencies(&workspace_with(member("llama-core", &[("llama-testkit", true)]))).is_empty());
    assert_eq!(dependencies(&workspace_with(member("llama-core", &[("llama-testkit", false)]))).len(), 1);
}

#[test]
fn other_people_s_crates_belong_to_a_layer() {
    for (package, other) in [("llama-core", "clap"), ("llama-runtime", "cc"), ("llama-sys", "thiserror")] {
        assert_eq!(dependencies(&workspace_with(member(package, &[(other, false)]))).len(), 1, "{package} {other}");
        assert!(dependencies(&workspace_with(member(package, &[(other, true)]))).is_empty(), "dev {package} {other}");
    }
}

#[test]
fn a_new_package_needs_a_layer() {
    let mut members = workspace_with(member("xtask", &[]));
    members.push(member("llama-new", &[]));
    assert!(dependencies(&members)[0].contains("llama-new"));
}

#[test]
fn only_llama_core_names_llama_sys() {
    assert_eq!(names("crates/llama-core/src/raw.rs", "use llama_sys as ffi; ffi::x();"), 0);
    assert_eq!(names("crates/llama-sys/tests/abi.rs", "use llama_sys::llama_batch;"), 0);
    assert_eq!(names("crates/llama-runtime/src/engine.rs", "use llama_sys as ffi;"), 1);
    assert_eq!(names("crates/llama-runtime/src/engine.rs", "ffi::llama_decode()"), 1);
    assert_eq!(names("crates/llama-runtime/src/engine.rs", "// llama_sys\nuse std::ffi::CStr;"), 0);
}

#[test]
fn only_inspecting_commands_skip_the_runtime() {
    let text = "use llama_core::Model;";
    assert_eq!(names("crates/llama-cli/src/commands/tokenize.rs", text), 0);
    assert_eq!(names("crates/llama-cli/src/commands/devices/list.rs", text), 0);
    assert_eq!(names("crates/llama-cli/src/commands/run.rs", text), 1);
    assert_eq!(names("crates/llama-cli/src/commands/tokenizer.rs", text), 1);
    assert_eq!(names("crates/llama-runtime/src/executor.rs", text), 0);
}

#[test]
fn unsafe_code_stays_in_two_crates() {
    assert_eq!(names("crates/llama-core/src/raw.rs", "unsafe { x() }"), 0);
    assert_eq!(names("crates/llama-runtime/src/engine.rs", "#![forbid(unsafe_code)]"), 0);
    assert_eq!(names("crates/llama-cli/src/main.rs", "fn x() {}\nunsafe impl Send for X {}"), 1);
}

#[test]
fn the_runtime_reads_nothing_and_prints_nothing() {
    let path = "crates/llama-runtime/src/engine.rs";
    let bad = ["std::env::var(x)", "use std::fs::File;", "use std::{env, io};", "println!()", "eprint!()"];
    for text in bad {
        assert_eq!(names(path, text), 1, "{text}");
    }
    assert_eq!(names(path, "#[cfg(test)]\nmod tests { use std::fs; }"), 0);
    assert_eq!(names("crates/llama-cli/src/settings.rs", "use std::{env, fs};"), 0);
}

#[test]
fn safe_crates_say_so() {
    let mut all: BTreeMap<String, String> =
        rules::SAFE_ROOTS.iter().map(|root| ((*root).to_owned(), "#![forbid(unsafe_code)]".to_owned())).collect();
    assert!(missing_forbids(&all).is_empty());
    all.insert("crates/llama-runtime/src/lib.rs".to_owned(), "// #![forbid(unsafe_code)]".to_owned());
    assert_eq!(missing_forbids(&all).len(), 1);
}

#[test]
fn modules_import_downwards() {
    let good = files(&[
        ("crates/llama-core/src/lib.rs", "pub use session::Session; pub use ids::Token;"),
        ("crates/llama-core/src/model/params.rs", "use crate::raw; use super::Model; use crate::model::Facts;"),
        ("crates/llama-core/src/decode.rs", "use crate::{batch::Batch, context::Context, Token};"),
        ("crates/llama-core/src/batch.rs", "#[cfg(test)]\nmod tests { use crate::session::Session; }"),
        ("crates/llama-core/src/raw/tests.rs", "use crate::session::Session;"),
    ]);
    assert_eq!(order(&good), Vec::<String>::new());
}

#[test]
fn modules_that_import_upwards_are_found() {
    let root = ("crates/llama-core/src/lib.rs", "pub use session::{Session, CancelHandle};");
    for text in [
        "use crate::context::Context;",
        "use super::session::X;",
        "use crate::{ids, session};",
        "use crate::CancelHandle;",
    ] {
        let found = order(&files(&[root, ("crates/llama-core/src/model.rs", text)]));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("crates/llama-core/src/model.rs:1: "), "{found:?}");
    }
}

#[test]
fn the_modules_of_the_runtime_have_an_order_too() {
    let top = "crates/llama-runtime/src/";
    let import = |module: &str, text: &str| order(&files(&[(&format!("{top}{module}.rs"), text)])).len();
    assert_eq!(import("engine", "use crate::scheduler::Scheduler; use crate::executor::Executor;"), 0);
    assert_eq!(import("scheduler", "use crate::engine::Engine;"), 1);
    assert_eq!(import("scheduler/admit", "use crate::config::EngineConfig; use crate::runtime::Runtime;"), 1);
    assert_eq!(import("mailbox", "use crate::ids::RequestId;"), 1);
    assert_eq!(import("mailbox", "use crate::sync::Mutex;"), 0);
}

#[test]
fn parts_of_one_thing_may_name_each_other_and_nothing_above() {
    let import = |text: &str| order(&files(&[("crates/llama-runtime/src/ticket.rs", text)])).len();
    assert_eq!(import("use crate::shared::Shared;"), 0);
    assert_eq!(import("use crate::host::Host;"), 1);
}

#[test]
fn who_decides_takes_only_ids_from_llama_core() {
    let few = |path: &str, text: &str| {
        beyond_the_few(&format!("crates/llama-runtime/src/{path}"), &source::without_tests(&source::code(text))).len()
    };
    assert_eq!(few("scheduler/admit.rs", "use llama_core::Token;"), 0);
    assert_eq!(few("plan.rs", "use llama_core::{SeqId, Token};"), 0);
    assert_eq!(few("scheduler.rs", "use llama_core::{Token, Context};"), 1);
    assert_eq!(few("sequence.rs", "fn x(sampler: llama_core::Sampler) {}"), 1);
    assert_eq!(few("executor/fill.rs", "use llama_core::Context;"), 0);
    assert_eq!(few("plan.rs", "#[cfg(test)]\nmod tests { use llama_core::Context; }"), 0);
}

#[test]
fn an_engine_is_driven_by_its_host_only() {
    assert_eq!(names("crates/llama-runtime/src/host.rs", "use crate::engine::Engine;"), 0);
    assert_eq!(names("crates/llama-runtime/src/runtime/shutdown.rs", "use crate::engine::Engine;"), 1);
}

#[test]
fn a_module_or_name_without_a_place_is_found() {
    let found = order(&files(&[("crates/llama-core/src/novel.rs", "")]));
    assert!(found[0].contains("`novel` has no place"), "{found:?}");
    let found = order(&files(&[("crates/llama-core/src/model.rs", "use crate::Unheard;")]));
    assert!(found[0].contains("`crate::Unheard`"), "{found:?}");
}

#[test]
fn a_file_s_depth_is_its_distance_from_the_root() {
    assert_eq!([depth("model"), depth("model/params"), depth("model/mod")], [1, 2, 1]);
}
