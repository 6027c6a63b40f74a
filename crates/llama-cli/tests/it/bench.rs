//! `llama-cli bench`: what is measured and how it is told. Never how fast it is.

use llama_testkit::fixtures;
use serde_json::{Value, json};

use crate::kernels::there_are_kernels;
use crate::program::{Ended, command, ended, llama};

pub(crate) fn tiny() -> &'static str {
    fixtures::tiny_llama().to_str().unwrap()
}

/// A call that is over quickly.
pub(crate) fn bench(args: &[&str]) -> Ended {
    llama(&[&["bench", "-m", tiny(), "-t", "1"], args].concat())
}

fn rows(args: &[&str]) -> Vec<Value> {
    let ended = bench(&[&["-o", "json", "-r", "2"], args].concat());
    assert_eq!(ended.stderr, "", "only results, where stderr is no terminal");
    serde_json::from_str(&ended.success()).unwrap()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn rows_have_the_names_of_upstream_and_a_sample_for_each_repetition() {
    let rows = rows(&["-p", "8,16", "-n", "4", "-d", "8", "-r", "3"]);
    let tests: Vec<_> =
        rows.iter().map(|row| [&row["n_prompt"], &row["n_gen"], &row["n_depth"]].map(Value::as_u64)).collect();
    let expected = [[8, 0, 8], [16, 0, 8], [0, 4, 8]];
    assert_eq!(tests, expected.map(|row| row.map(Some)));
    for row in &rows {
        for name in [
            "build_commit",
            "cpu_info",
            "gpu_info",
            "backends",
            "model_filename",
            "model_type",
            "model_size",
            "model_n_params",
            "n_batch",
            "n_ubatch",
            "n_threads",
            "type_k",
            "type_v",
            "n_gpu_layers",
            "no_kv_offload",
            "flash_attn",
            "load_mode",
            "test_time",
            "avg_ns",
            "stddev_ns",
            "avg_ts",
            "stddev_ts",
            "samples_ns",
            "samples_ts",
            "n_parallel",
            "kernels",
            "median_ts",
        ] {
            assert!(row.get(name).is_some(), "no {name} in {row:#}");
        }
        assert_eq!((&row["model_filename"], &row["n_threads"]), (&json!(tiny()), &json!(1)));
        assert_eq!((&row["n_batch"], &row["type_k"], &row["n_parallel"]), (&json!(2048), &json!("f16"), &json!(1)));
        let (times, speeds) = (numbers(&row["samples_ns"]), numbers(&row["samples_ts"]));
        assert_eq!((times.len(), speeds.len()), (3, 3));
        let tokens = (row["n_prompt"].as_u64().unwrap() + row["n_gen"].as_u64().unwrap()) as f64;
        for (time, speed) in times.iter().zip(&speeds) {
            assert!((tokens * 1e9 / time - speed).abs() < 1e-6 * speed, "{row:#}");
        }
        let mean = speeds.iter().sum::<f64>() / 3.0;
        assert!((row["avg_ts"].as_f64().unwrap() - mean).abs() < 1e-6 * mean);
    }
}

#[test]
fn tokens_are_those_of_all_sequences_and_a_shared_prompt_counts_once() {
    let per_run = |row: &Value| numbers(&row["samples_ts"])[0] * numbers(&row["samples_ns"])[0] / 1e9;
    for (more, prompt) in [(&[][..], 24.0), (&["-kvu"], 24.0), (&["-pps"], 8.0), (&["-pps", "-kvu"], 8.0)] {
        let args = [&["-p", "8", "-n", "5", "-d", "4", "-npl", "3"], more].concat();
        let rows = rows(&args);
        assert_eq!(rows.len(), 2, "{args:?}");
        assert!(rows.iter().all(|row| row["n_parallel"] == 3));
        assert_eq!((per_run(&rows[0]).round(), per_run(&rows[1]).round()), (prompt, 15.0), "{args:?}");
    }
}

#[test]
fn a_gpu_that_is_required_has_to_be_used_in_every_way_to_compute() {
    let is_built_in = cfg!(any(
        feature = "cuda",
        feature = "metal",
        feature = "vulkan",
        feature = "rpc",
        feature = "dynamic-backends"
    ));
    for more in [&[][..], &["--serve-like"]] {
        let none = bench(&[&["--require-gpu", "-ngl", "0"], more].concat()).failure();
        assert!(none.contains("no layer may be on it (--gpu-layers 0); give --gpu-layers all"), "{none}");
        // The settings' own number is not used by any of the ways.
        let args = [&["bench", "-m", tiny(), "--require-gpu", "-ngl", "9,0"], more].concat();
        let error = ended(command(&args).env("LLAMA_ARG_N_GPU_LAYERS", "0").output().unwrap()).failure();
        assert!(is_built_in || error.contains("this program was built without a backend for one"), "{error}");
    }
}

#[test]
fn flags_about_the_engine_are_refused_where_there_is_none() {
    for flags in [
        &["--step-time", "5ms"][..],
        &["--min-chunk", "8"],
        &["--no-cache-prompt"],
        &["--min-prefix", "8"],
        &["--cache-ram", "16"],
        &["--auto-ctx-limit", "64"],
    ] {
        let error = bench(flags).failure();
        assert!(error.contains(&format!("{} is about the engine", flags[0])), "{error}");
        assert!(error.contains("add --serve-like, or leave"), "{error}");
    }
}

#[test]
fn prompts_have_threads_of_their_own_where_that_is_asked_for() {
    let counts = |row: &Value| (row["n_threads"].as_u64(), row["n_threads_batch"].as_u64());
    assert_eq!(counts(&rows(&["-p", "4", "-n", "0", "-r", "1", "-tb", "3"])[0]), (Some(1), Some(3)));
    assert_eq!(counts(&rows(&["-p", "4", "-n", "0", "-r", "1"])[0]), (Some(1), Some(1)));
}

#[test]
fn ranges_lists_and_the_flags_of_batched_bench_are_understood() {
    let widths = |args: &[&str]| -> Vec<Value> { rows(args).iter().map(|row| row["n_parallel"].clone()).collect() };
    assert_eq!(widths(&["-p", "0", "-n", "2", "-npl", "1-4*2,3", "-r", "1"]), [1, 2, 4, 3].map(Value::from));
    let found = rows(&["-npp", "8", "-ntg", "2,3", "-npl", "2", "-b", "4", "-ub", "4"]);
    let found: Vec<_> =
        found.iter().map(|row| json!([row["n_prompt"], row["n_gen"], row["n_depth"], row["n_batch"]])).collect();
    assert_eq!(found, [json!([8, 0, 0, 4]), json!([0, 2, 8, 4]), json!([0, 3, 8, 4])]);
    let pairs = rows(&["-p", "0", "-n", "0", "-pg", "8,2"]);
    assert_eq!((&pairs[0]["n_prompt"], &pairs[0]["n_gen"], pairs.len()), (&json!(8), &json!(2), 1));
    let ways =
        rows(&["-p", "4", "-n", "0", "-ctk", "f16,q8_0", "-fa", "on", "-ngl", "-1", "-nkvo", "0,1", "-lm", "none"]);
    let ways: Vec<_> = ways
        .iter()
        .map(|row| {
            json!([row["type_k"], row["no_kv_offload"], row["flash_attn"], row["n_gpu_layers"], row["load_mode"]])
        })
        .collect();
    let way = |kind: &str, off: bool| json!([kind, off, 1, -1, "read"]);
    assert_eq!(ways, [way("f16", false), way("f16", true), way("q8_0", false), way("q8_0", true)]);
}

#[test]
fn models_that_cannot_lose_the_end_of_a_sequence_are_measured_too() {
    let model = fixtures::tiny_mamba().to_str().unwrap();
    let args = [
        "bench", "-m", model, "-t", "1", "-p", "8", "-n", "3", "-d", "4", "-npl", "2", "-pps", "-r", "2", "-o", "json",
    ];
    let rows: Vec<Value> = serde_json::from_str(&llama(&args).success()).unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|row| numbers(&row["samples_ts"]).len() == 2));
}

#[test]
fn each_form_is_for_machines_alone_or_a_table_for_people() {
    let args = |form| ["-p", "8", "-n", "2", "-r", "1", "-o", form];
    let csv = bench(&args("csv")).success();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].contains(&"n_prompt") && lines[0].contains(&"kernels") && !lines[0].contains(&"samples_ts"));
    let lines: Vec<Value> =
        bench(&args("jsonl")).success().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["n_prompt"], &lines[1]["n_gen"]), (&json!(8), &json!(2)));
    let table = bench(&args("md")).success();
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    assert!(
        head.starts_with("| model ") && head.contains("| kernels |") && head.ends_with("|     median |"),
        "{table}"
    );
    assert!(lines.next().unwrap().starts_with("| ----"));
    let width = |line: &str| line.chars().count();
    assert!(table.lines().take(4).all(|line| width(line) == width(head)), "{table}");
    assert!(table.contains(" pp8 |") && table.contains(" tg2 |") && table.contains(" ± "), "{table}");
    assert!(table.contains("\nkernels: ") && table.contains("\nbuild: llama-cli "), "{table}");
    let both = bench(&[&args("csv")[..], &["-oe", "jsonl"]].concat());
    assert_eq!(both.stderr.lines().count(), 2);
    assert!(
        serde_json::from_str::<Value>(both.stderr.lines().next().unwrap()).is_ok() && both.stdout.starts_with("build_")
    );
    let told = bench(&[&args("csv")[..], &["--progress"]].concat());
    assert!(
        told.stderr.contains("test 2/2: tg2: repetition 1/1") && !told.stdout.contains("repetition"),
        "{}",
        told.stderr
    );
}

#[test]
fn kernels_are_told_and_measured_in_turns() {
    let off = rows(&["-p", "0", "-n", "2", "--kernels", "off"]);
    assert_eq!((&off[0]["kernels"], &off[0]["kernels_isa"], off.len()), (&json!("off"), &Value::Null, 1));
    let mut by_variable = command(&["bench", "-m", tiny(), "-t", "1", "-p", "0", "-n", "2", "-r", "1", "-o", "jsonl"]);
    let row = ended(by_variable.env("LLAMA_KERNELS", "off").output().unwrap()).success();
    assert_eq!(serde_json::from_str::<Value>(&row).unwrap()["kernels"], "off");
    let both = ["-p", "8", "-n", "2", "--kernels", "on,off", "-r", "2"];
    if !there_are_kernels() {
        assert!(bench(&both).failure().contains("our kernels cannot be measured: "));
        return;
    }
    let found = rows(&both);
    let states: Vec<_> =
        found.iter().map(|row| (row["kernels"].as_str().unwrap(), row["kernels_isa"].is_null())).collect();
    assert_eq!(states, [("on", false), ("off", true), ("on", false), ("off", true)]);
    let told = bench(&[&both[..], &["--progress"]].concat());
    let order: Vec<_> =
        told.stderr.lines().filter_map(|line| line.strip_prefix("test 2/2: tg2: repetition ")).collect();
    let expected = ["1/2, kernels on", "1/2, kernels off", "2/2, kernels on", "2/2, kernels off"];
    assert_eq!(order, expected);
    assert!(told.stdout.contains("tg2, 1 threads: kernels on / off "), "{}", told.stdout);
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_to_do() {
    for (args, expected) in [
        (&["-p", "x"][..], "must be numbers such as 128,256, or a range such as 1-8, 1-8+2 or 1-8*2"),
        (&["-p", "8-4"], "8-4 ends before it begins"),
        (&["-p", "0", "-n", "0"], "there is nothing to measure: give a number above 0 to -p, -n or -pg"),
        (&["-npl", "0"], "-npl/--n-parallel is 0, must be from 1 to 256"),
        (&["-t", "0"], "must be from 1 to 512"),
        (&["-o", "sql"], "md, csv, json, jsonl"),
        (&["-ctk", "q9"], "q9 must be f32, f16"),
        (&["-pg", "5"], "must be two numbers"),
        (&["-r", "0"], "0 is not in 1..=1000"),
        (&["-tgs"], "-tgs is not a flag of this program: leave it out: sequences are computed together"),
        (&["-C", "0x1"], "use the system's tools (taskset"),
        (&["--poll", "0"], "use the system's tools (taskset"),
        (&["--prio", "1"], "use the system's tools (taskset"),
        (&["-ncmoe", "1"], "use --gpu-layers N"),
        (&["-ot", "x=CPU"], "use --gpu-layers N"),
        (&["-fitt", "512"], "use --gpu-layers and --ctx-size"),
        (&["-lzm", "on"], "use --load-mode"),
        (&["-mmp", "0"], "use --load-mode"),
        (&["-dio", "1"], "use --load-mode direct_io"),
        (&["-embd", "1"], "makes no embeddings"),
        (&["--rpc", "x:1"], "run on the machine that has the devices"),
        (&["--clients", "2"], "--serve-like"),
        (&["--serve-like", "-npl", "2"], "cannot be used with"),
        (&["--serve-like", "--rate", "0"], "must be a number from 0.001 to 100000"),
        (&["--serve-like", "-p", "0"], "-p/--n-prompt is 0, must be from 1 to 1000000 with --serve-like"),
        (&["--serve-like", "-r", "2", "--workload-out", "x"], "--workload-out is about the requests of one run"),
    ] {
        let error = bench(args).failure();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
    let missing = llama(&["bench", "-m", "no-such.gguf", "-o", "json"]).failure();
    assert!(missing.contains("no-such.gguf"), "{missing}");
    let other = llama(&["run", "-npl", "2"]).failure();
    assert!(other.contains("`llama-cli run` does not take -npl; `llama-cli bench` does"), "{other}");
}

#[test]
fn what_needs_more_room_than_is_given_is_left_out() {
    let ended = bench(&["-p", "8,600", "-n", "0", "-c", "512", "-r", "1", "-o", "csv"]);
    assert_eq!(ended.stderr, "test 2/2: pp600 left out: it needs 600 cells, more than -c gives\n");
    assert_eq!(ended.success().lines().count(), 2);
}

#[test]
fn several_models_are_measured_one_after_the_other() {
    let other = fixtures::tiny_llama_spm().to_str().unwrap();
    let both = format!("{},{other}", tiny());
    let args = ["bench", "-m", &both, "-t", "1", "-p", "0", "-n", "2", "-r", "1", "-o", "json"];
    let rows: Vec<Value> = serde_json::from_str(&llama(&args).success()).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["model_filename"].as_str().unwrap()).collect();
    assert_eq!(names, [tiny(), other]);
}

#[cfg(unix)]
mod stopped {
    use super::*;
    use crate::program::start;
    use std::io::{BufRead, BufReader};
    use std::process::Command;

    /// Starts a bench that would take hours, presses Ctrl+C when stderr tells of this, and says how it ended.
    fn interrupted(args: &[&str], when: &str) -> (Option<i32>, String) {
        let mut child = start(&mut command(&[&["bench", "-m", tiny(), "-t", "1", "--progress"], args].concat()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(when)));
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        // What is not read would block it.
        let rest = std::thread::spawn(move || lines.for_each(drop));
        let output = child.wait_with_output().unwrap();
        rest.join().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn ctrl_c_prints_what_was_measured_and_ends_with_130() {
        let args = ["-p", "8", "-n", "100000", "-d", "0", "-r", "2", "-o", "json"];
        let (code, stdout) = interrupted(&args, "test 2/2: tg100000: repetition 1/2");
        let rows: Vec<Value> = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, rows.len()), (Some(130), 1));
        assert_eq!((&rows[0]["n_prompt"], numbers(&rows[0]["samples_ts"]).len()), (&json!(8), 2));
        let (code, stdout) = interrupted(&["-p", "8", "--delay", "3600", "-o", "json"], "waiting 3600 s");
        assert_eq!((code, stdout.as_str()), (Some(130), "[]\n"));
    }

    #[test]
    fn the_engine_is_waited_for_as_a_test_is() {
        let args = ["--serve-like", "--clients", "1", "-p", "4", "-n", "2", "--delay", "3600", "-o", "json"];
        assert_eq!(interrupted(&args, "waiting 3600 s"), (Some(130), "[]\n".to_owned()));
    }

    #[test]
    fn ctrl_c_ends_the_clients_too() {
        let args = ["--serve-like", "--clients", "2", "-p", "4", "-n", "100000", "-o", "jsonl"];
        assert_eq!(interrupted(&args, "run 1/1"), (Some(130), String::new()));
        let late = ["--serve-like", "--clients", "2", "-p", "4", "-n", "2", "--rate", "0.001", "-o", "jsonl"];
        assert_eq!(interrupted(&late, "run 1/1"), (Some(130), String::new()));
    }
}
