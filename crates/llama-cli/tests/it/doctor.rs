//! `llama-cli doctor`.

use llama_testkit::fixtures::{self, TempModels};
use serde_json::Value;

use crate::program::{Ended, command, ended, home, llama};

fn report(ended: Ended, code: i32) -> Value {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn json(args: &[&str], code: i32) -> Value {
    report(llama(&[&["doctor", "--json"][..], args].concat()), code)
}

/// Errors; what this machine or build could do better is none.
fn errors(report: &Value) -> Vec<&Value> {
    report["problems"].as_array().unwrap().iter().filter(|problem| problem["level"] == "error").collect()
}

#[test]
fn the_report_says_what_the_program_is_and_what_it_found() {
    let report = json(&[], 0);
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    let expected = [
        "ok",
        "problems",
        "program",
        "llama_cpp",
        "backends",
        "devices",
        "cpu",
        "kernels",
        "memory",
        "config",
        "cache",
        "model",
        "terminal",
    ];
    assert_eq!(keys, expected);
    assert_eq!(report["ok"], true);
    assert_eq!(report["program"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["program"]["rustc"].as_str().unwrap().starts_with("rustc "), "{report:#}");
    assert!(report["program"]["target"].as_str().unwrap().contains(std::env::consts::ARCH), "{report:#}");
    assert!(["debug", "release"].iter().any(|profile| report["program"]["profile"] == *profile));
    assert!(!report["llama_cpp"]["version"].as_str().unwrap().is_empty());
    assert!(
        report["cpu"]["threads"].as_u64().unwrap() > 0 && !report["cpu"]["features"].as_array().unwrap().is_empty()
    );
    let memory = &report["memory"];
    assert!(memory["total"].as_u64().unwrap() >= memory["free"].as_u64().unwrap());
    assert_eq!(report["model"]["source"], "demo");
    assert_eq!(report["terminal"]["stdout"], false);
}

#[test]
fn each_backend_is_there_or_says_why_not() {
    let report = json(&[], 0);
    let backends = report["backends"].as_array().unwrap();
    for backend in backends {
        let found = !backend["devices"].as_array().unwrap().is_empty();
        assert_eq!(backend["why_not"].is_null(), found, "{backend}");
    }
    assert!(backends.iter().any(|backend| backend["name"] == "CPU" && backend["compiled"] == true));
    let cuda = backends.iter().find(|backend| backend["name"] == "CUDA").unwrap();
    assert_eq!(cuda["feature"], "cuda");
    if !cfg!(any(feature = "cuda", feature = "dynamic-backends")) {
        assert_eq!(cuda["compiled"], false);
        assert_eq!(cuda["why_not"], "not compiled in: build the program with the feature `cuda`");
    }
}

#[test]
fn a_person_gets_lines_with_problems_first() {
    let text = llama(&["doctor"]).success();
    let first = text.lines().next().unwrap();
    assert!(first == "No problems found." || first.starts_with("warning: "), "{text}");
    for name in
        ["program", "llama.cpp", "backends", "processor", "kernels", "memory", "config", "cache", "model", "terminal"]
    {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name:12}"))), "{name} in {text}");
    }
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_model_is_told_with_what_it_needs() {
    let path = fixtures::tiny_llama().to_str().unwrap();
    let report = json(&["-m", path], 0);
    let model = &report["model"];
    assert_eq!((&model["source"], &model["path"]), (&"file".into(), &path.into()));
    assert_eq!((&model["architecture"], &model["trained_context"]), (&"llama".into(), &256.into()));
    assert_eq!(
        (&model["fits"], &model["context"], &model["largest_context"]),
        (&true.into(), &256.into(), &256.into())
    );
    assert!(model["needs"]["devices"][0]["weights"].as_u64().unwrap() > 0);
    let text = llama(&["doctor", "-m", path]).success();
    assert!(text.contains(" for 256 tokens: fits\n"), "{text}");
    assert!(text.contains("longest context that fits: 256 tokens, trained with 256\n"), "{text}");
}

#[test]
fn a_broken_model_is_an_error_and_the_rest_is_told_all_the_same() {
    let folder = TempModels::new().unwrap();
    let notes = folder.write_bytes("notes.gguf", b"these are notes").unwrap();
    let whole = std::fs::read(fixtures::tiny_llama()).unwrap();
    let cut = folder.write_bytes("cut.gguf", &whole[..whole.len() / 2]).unwrap();
    let missing = folder.path().join("missing.gguf");
    for path in [&notes, &cut, &missing] {
        let path = path.to_str().unwrap();
        let report = json(&["-m", path], 1);
        assert_eq!(report["ok"], false);
        let errors = errors(&report);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0]["what"].as_str().unwrap().contains(path), "{errors:?}");
        assert!(errors[0]["try"].as_str().unwrap().contains("download it again"), "{errors:?}");
        assert!(report["cpu"]["threads"].as_u64().unwrap() > 0);
    }
    let missing = missing.to_str().unwrap();
    let text = llama(&["doctor", "-m", missing]);
    assert_eq!((text.code, text.stderr.as_str()), (Some(1), ""));
    let expected = format!(
        "error: {missing}: no such file; check the spelling and the current directory\n  try: give a GGUF file with -m, \
         or download it again\n"
    );
    assert!(text.stdout.starts_with(&expected), "{}", text.stdout);
}

#[test]
fn settings_files_are_told_and_a_broken_one_is_an_error() {
    let folder = TempModels::new().unwrap();
    let good = folder.write_bytes("good.toml", b"sampling.temperature = 0.5\n").unwrap();
    let bad = folder.write_bytes("bad.toml", b"sampling.temprature = 0.5\n").unwrap();
    let found = json(&["--config", good.to_str().unwrap()], 0);
    assert_eq!(found["config"]["files"], serde_json::json!([good.to_str().unwrap()]));
    let broken = json(&["--config", bad.to_str().unwrap()], 1);
    let what = errors(&broken)[0]["what"].as_str().unwrap();
    assert!(what.starts_with("the settings cannot be used: ") && what.contains("bad.toml"), "{what}");
    assert_eq!(broken["model"]["source"], Value::Null);
}

#[test]
fn a_gpu_that_is_required_and_not_there_is_an_error() {
    if !has_a_gpu() {
        let folder = TempModels::new().unwrap();
        let wants = folder.write_bytes("gpu.toml", b"model.require_gpu = true\n").unwrap();
        let report = json(&["--config", wants.to_str().unwrap()], 1);
        let what = errors(&report)[0]["what"].as_str().unwrap();
        assert!(what.starts_with("a GPU is required (--require-gpu), but "), "{what}");
    }
}

/// As the program itself tells it.
fn has_a_gpu() -> bool {
    json(&[], 0)["devices"].as_array().unwrap().iter().any(|device| device["kind"].as_str().unwrap().contains("gpu"))
}

#[test]
fn the_cache_is_where_the_variables_say() {
    let folder = TempModels::new().unwrap();
    let cache = |name: &str, value: &std::path::Path| {
        let output = command(&["doctor", "--json"]).env(name, value).output().unwrap();
        report(ended(output), 0)["cache"].clone()
    };
    folder.write_bytes("blob", b"12345").unwrap();
    let found = cache("LLAMA_CACHE", folder.path());
    assert_eq!((&found["path"], &found["exists"]), (&folder.path().to_str().unwrap().into(), &true.into()));
    assert_eq!(found["bytes"], 5);
    let found = cache("HF_HOME", folder.path());
    assert_eq!(found["path"], folder.path().join("hub").to_str().unwrap());
    assert_eq!((&found["exists"], &found["bytes"]), (&false.into(), &0.into()));
    // Elsewhere the home folder is not told by a variable.
    if cfg!(unix) {
        let found = json(&[], 0)["cache"].clone();
        assert_eq!(found["path"], home().join(".cache/huggingface/hub").to_str().unwrap());
    }
}
