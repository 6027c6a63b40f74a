//! `LLAMA_KERNELS` counts for every program that uses this crate, and `set_kernels` before it.

use llama_core::{KERNELS_VARIABLE, KernelsOff, kernels_in_use, llama_cpp_source, set_kernels, why_no_kernels};

/// Set in a process that was started to look at the variable.
const INSIDE: &str = "LLAMA_CORE_TEST_INSIDE";

/// Runs this test alone in a process of its own, with this value of the variable.
fn elsewhere(value: &str) {
    let me = std::env::current_exe().expect("a test has a file");
    let test = "the_variable_says_what_holds_from_the_start";
    let mut command = std::process::Command::new(me);
    command.args(["--exact", test, "--test-threads", "1"]).env(INSIDE, value).env(KERNELS_VARIABLE, value);
    let output = command.output().expect("it starts again");
    assert!(output.status.success(), "{value}: {}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_variable_says_what_holds_from_the_start() {
    let Ok(value) = std::env::var(INSIDE) else {
        ["off", "0", "on", "maybe", ""].into_iter().for_each(elsewhere);
        return;
    };
    let from_the_start = (kernels_in_use().is_some(), why_no_kernels());
    let possible = set_kernels(true);
    assert_eq!(kernels_in_use().is_some(), possible, "what is set counts before the variable");
    assert_eq!(why_no_kernels().is_none(), possible);
    let without_hook = why_no_kernels() == Some(KernelsOff::NoHook);
    assert!(!without_hook || llama_cpp_source() != "pinned", "the pinned build has the hook");
    match value.as_str() {
        "off" | "0" => assert!(!from_the_start.0 && from_the_start.1.is_some(), "{from_the_start:?}"),
        _ => assert_eq!(from_the_start.0, possible, "a value that is none is left aside"),
    }
    if possible {
        assert!(!set_kernels(false));
        assert_eq!((kernels_in_use(), why_no_kernels()), (None, Some(KernelsOff::SwitchedOff)));
    }
}
