//! `llama-cli bench --serve-like`: what is asked, and that all of it is answered and counted.

use std::path::Path;

use serde_json::{Value, json};

use crate::bench::{bench, numbers, tiny};
use crate::program::llama;

/// A row of `--serve-like`.
fn served(args: &[&str]) -> Value {
    let short = ["--serve-like", "--clients", "3", "--requests", "7", "-p", "4,9", "-n", "3,5", "-o", "jsonl"];
    serde_json::from_str(&bench(&[&short[..], args].concat()).success()).unwrap()
}

fn workload(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn all_requests_are_answered_and_tokens_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workload.json");
    let row = served(&["--shared-prefix", "20", "--workload-out", path.to_str().unwrap()]);
    let asked = workload(&path);
    let requests = asked["requests"].as_array().unwrap();
    let sum = |count: fn(&Value) -> usize| requests.iter().map(count).sum::<usize>();
    let prompts = sum(|asked| asked["prompt"].as_array().unwrap().len());
    let answers = sum(|asked| asked["n_predict"].as_u64().unwrap() as usize);
    assert_eq!((requests.len(), &asked["clients"], &asked["rate"]), (7, &json!(3), &Value::Null));
    assert_eq!((&row["requests"], &row["errors"], &row["clients"]), (&json!(7), &json!(0), &json!(3)));
    assert_eq!((&row["prompt_tokens"], &row["generated_tokens"]), (&json!(prompts), &json!(answers)));
    assert!(row["reused_tokens"].as_u64().unwrap() >= 20, "the beginning is computed once: {row}");
    assert_eq!((&row["arrival"], &row["n_threads"], &row["shared_prefix"]), (&json!("closed"), &json!(1), &json!(20)));
    assert_eq!((&row["n_batch"], &row["n_ubatch"]), (&json!(2048), &json!(512)));
    assert_eq!((&row["flash_attn"], &row["n_gpu_layers"], &row["repack"]), (&json!(-1), &json!(-1), &json!(true)));
    for name in ["avg_ts", "ttft_ms_p50", "ttft_ms_p99", "itl_ms_p50", "itl_ms_p99", "seconds", "requests_per_s"] {
        assert!(row[name].as_f64().unwrap() > 0.0, "{name} in {row}");
    }
    let shared = requests[0]["prompt"].as_array().unwrap()[..20].to_vec();
    assert!(requests.iter().all(|asked| asked["prompt"].as_array().unwrap().starts_with(&shared)));
}

#[test]
fn a_seed_makes_the_same_requests_and_a_file_of_them_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, args: &[&str]| -> Value {
        let path = folder.path().join(name);
        served(&[&["--workload-out", path.to_str().unwrap()], args].concat());
        workload(&path)
    };
    let first = made("first.json", &["--seed", "5", "--rate", "2000"]);
    assert_eq!(first, made("again.json", &["--seed", "5", "--rate", "2000"]));
    assert_ne!(first["requests"], made("other.json", &["--seed", "6", "--rate", "2000"])["requests"]);
    let times: Vec<f64> =
        first["requests"].as_array().unwrap().iter().map(|asked| asked["at_ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted() && times[6] > times[0]);
    let file = folder.path().join("first.json");
    let row = bench(&["--serve-like", "--workload", file.to_str().unwrap(), "-o", "jsonl"]).success();
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!((&row["requests"], &row["seed"], &row["arrival"]), (&json!(7), &json!(5), &json!("poisson")));
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{}").unwrap();
    let error = bench(&["--serve-like", "--workload", broken.to_str().unwrap()]).failure();
    assert!(error.contains("broken.json is no workload; make one with --workload-out"), "{error}");
}

#[test]
fn repetitions_ask_for_something_else_each_time_and_kernels_take_turns() {
    let row = served(&["-r", "2", "--no-warmup"]);
    assert_eq!((numbers(&row["samples_ts"]).len(), &row["requests"]), (2, &json!(14)));
    assert_eq!(row["reused_tokens"], 0, "{row}");
    let table = bench(&["--serve-like", "--clients", "2", "--requests", "2", "-p", "4", "-n", "2"]).success();
    assert!(table.contains("| TTFT p50 ms |") && table.contains("| ITL p99 ms |"), "{table}");
}

#[test]
fn what_was_measured_before_a_model_that_is_not_there_is_printed_whole() {
    let models = format!("{},missing.gguf", tiny());
    let short = ["--clients", "1", "--requests", "1", "-p", "4", "-n", "2", "-t", "1", "-o", "json"];
    let ended = llama(&[&["bench", "--serve-like", "-m", &models][..], &short].concat());
    let rows: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((rows.len(), &rows[0]["model_filename"]), (1, &json!(tiny())));
    assert!(ended.code == Some(1) && ended.stderr.contains("missing.gguf"), "{}", ended.stderr);
}

#[test]
fn rows_tell_what_the_engine_chose_and_what_tells_them_apart() {
    let served = |more: &[&str]| -> String {
        let short = ["bench", "--serve-like", "-m", tiny(), "--clients", "2", "--requests", "2", "-p", "4", "-n", "2"];
        llama(&[&short[..], more].concat()).success()
    };
    let row: Value = serde_json::from_str(&served(&["-b", "64", "-ub", "256", "-o", "jsonl"])).unwrap();
    assert!(row["n_threads"].as_u64().unwrap() > 0 && row["n_threads_batch"].as_u64().unwrap() > 0, "{row}");
    assert_eq!((&row["n_batch"], &row["n_ubatch"]), (&json!(64), &json!(64)), "no more than a call has at once");
    let row: Value = serde_json::from_str(&served(&["-t", "1", "-tb", "2", "-o", "jsonl"])).unwrap();
    assert_eq!((&row["n_threads"], &row["n_threads_batch"]), (&json!(1), &json!(2)));
    let table = served(&["-t", "1", "--repack", "0,1"]);
    assert!(table.starts_with("| model") && table.contains("| repack |"), "{table}");
}
