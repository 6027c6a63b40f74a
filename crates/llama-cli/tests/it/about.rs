//! Help, version, devices, and bad arguments.

use crate::program::llama;

#[test]
fn the_version_names_us_llama_cpp_and_the_demo_model() {
    let text = llama(&["--version"]).success();
    assert!(text.starts_with(concat!("llama-cli ", env!("CARGO_PKG_VERSION"))), "{text}");
    for part in ["llama.cpp ", "build: ", "demo model: "] {
        assert!(text.lines().any(|line| line.starts_with(part) && line.len() > part.len()), "{part} in {text}");
    }
    assert_eq!(llama(&["-V"]).success(), text);
}

#[test]
fn help_lists_the_commands_and_is_a_success() {
    let text = llama(&["--help"]).success();
    for command in ["run", "chat", "tokenize", "devices"] {
        assert!(text.contains(command), "{command} in {text}");
        let help = llama(&[command, "--help"]).success();
        assert!(help.contains("Usage: llama-cli"), "{help}");
    }
}

#[test]
fn no_arguments_show_the_help() {
    assert_eq!(llama(&[]).success(), llama(&["--help"]).success());
}

#[test]
fn bad_arguments_end_with_1_as_in_llama_cpp() {
    assert!(llama(&["rnu"]).failure().contains("rnu"));
    assert!(llama(&["run", "-p", "x", "--no-such-flag"]).failure().contains("--no-such-flag"));
    assert!(llama(&["run", "-n", "many", "-p", "x"]).failure().contains("many"));
}

#[test]
fn devices_are_listed_for_people_and_as_json() {
    let text = llama(&["devices"]).success();
    assert!(text.lines().any(|line| line.starts_with("CPU")), "{text}");
    let json: serde_json::Value = serde_json::from_str(&llama(&["devices", "--json"]).success()).unwrap();
    let cpu = json.as_array().unwrap().iter().find(|device| device["kind"] == "cpu").unwrap();
    assert!(cpu["memory_total"].as_u64().unwrap() > 0);
}

#[test]
fn logging_is_quiet_unless_asked_for_and_never_on_stdout() {
    let args = ["run", "-p", "What is GGUF?", "-n", "1", "--temp", "0"];
    let quiet = llama(&args);
    assert_eq!(quiet.stderr.lines().count(), 1, "only the notice: {}", quiet.stderr);
    let loud = crate::program::command(&args).env("LLAMA_LOG", "llama_cpp=debug").output().unwrap();
    let loud = crate::program::ended(loud);
    assert!(loud.stderr.contains("llama_cpp"), "{}", loud.stderr);
    assert_eq!(loud.stdout, quiet.stdout);
}
