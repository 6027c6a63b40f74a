//! Settings: files, profiles, variables and flags, what holds in the end, and what is told about mistakes.

use std::path::{Path, PathBuf};
use std::process::Command;

use llama_testkit::fixtures::TempModels;
use llama_testkit::models::Llama;
use serde_json::Value;

use crate::program::{Ended, command, ended};

/// A project folder with a `llama.toml`, and a home without settings.
struct Project(tempfile::TempDir);

impl Project {
    fn new(settings: &str) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(project.path("home")).unwrap();
        if !settings.is_empty() {
            project.write("llama.toml", settings);
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.current_dir(self.0.path());
        // Each system has its own place for a user's settings.
        for name in ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"] {
            command.env(name, self.path("home"));
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().unwrap())
    }

    /// What `config path` says about the user's file.
    fn user_file(&self) -> PathBuf {
        let files: Value = serde_json::from_str(&self.run(&["config", "path", "--json"]).success()).unwrap();
        files[0]["file"].as_str().unwrap().into()
    }
}

fn shown(ended: Ended) -> Value {
    serde_json::from_str(&ended.success()).unwrap()
}

/// The message of a call that fails.
fn error_of(settings: &str, args: &[&str]) -> String {
    Project::new(settings).run(args).failure()
}

#[test]
fn mistakes_in_files_are_told_with_file_line_and_nearest_name() {
    for (settings, expected) in [
        (
            "[sampling]\ntemprature = 1",
            "llama.toml:2: sampling.temprature: unknown key; did you mean sampling.temperature?",
        ),
        ("[smapling]\ntop_k = 1", "llama.toml:1: smapling: unknown key; did you mean sampling?"),
        ("\n\ntop_k = 1", "llama.toml:3: top_k: unknown key; did you mean sampling.top_k?"),
        ("zzz.yyy = 1", "llama.toml:1: zzz: unknown key; `llama-cli config show` lists them"),
        ("sampling.grammar = 'x'", "llama.toml:1: sampling.grammar: unknown key; it is set by answer.grammar"),
        (
            "sampling.temperature = 'hot'",
            "llama.toml:1: sampling.temperature is 'hot', must be a number from -1000000 to 1000000",
        ),
        (
            "sampling.temperature = nan",
            "llama.toml:1: sampling.temperature is nan, must be a number from -1000000 to 1000000",
        ),
        ("sampling.top_p = 1.5", "llama.toml:1: sampling.top_p is 1.5, must be a number from 0 to 1"),
        ("sampling.top_k = 4.5", "llama.toml:1: sampling.top_k is 4.5, must be a whole number from 0 to 4294967295"),
        ("model.offline = 1", "llama.toml:1: model.offline is 1, must be true or false"),
        (
            "context.threads = 1000",
            "llama.toml:1: context.threads is 1000, must be a whole number from 1 to 512, or -1 or 0",
        ),
        (
            "hardware.split_mode = 'rows'",
            "llama.toml:1: hardware.split_mode is 'rows', must be none, layer, row or tensor; did you mean row?",
        ),
        ("sampling = 5", "llama.toml:1: sampling must be a table, such as [sampling]"),
        ("[sampling\ntop_k = 1", "llama.toml:1: not valid TOML: unclosed table, expected `]`"),
        ("sampling.top_k = 1\nsampling.top_k = 2", "llama.toml:2: not valid TOML: duplicate key"),
        (
            "sampling.stages = ['top_k', 'tempature']",
            "llama.toml:1: sampling.stages is ['top_k', 'tempature'], but there is no stage \"tempature\"; did you mean temperature?; the stages are penalties, dry, top_n_sigma, top_k, typical_p, top_p, min_p, xtc, temperature, infill, adaptive_p",
        ),
        (
            "cache.host_memory = 'much'",
            "llama.toml:1: cache.host_memory is 'much', must be a size such as \"512MiB\" or \"2GB\"",
        ),
        ("batch.step_time = '0ms'", "llama.toml:1: batch.step_time is '0ms', must be 1ms to 1m"),
        (
            "[context]\ncache_v = 'q8_0'\nflash_attention = 'off'",
            "llama.toml:2: context.cache_v is 'q8_0', but quantised values need context.flash_attention, which is off",
        ),
        (
            "[answer]\ngrammar = 'root ::= \"a\"'\njson_schema = {}",
            "llama.toml:2: answer.grammar and llama.toml:3: answer.json_schema cannot be set together; leave one of them out",
        ),
        ("profile = 1", "llama.toml:1: profile must hold a table for each profile, such as [profile.fast.sampling]"),
        ("[profile.a]\nsampling.topk = 1", "llama.toml:2: sampling.topk: unknown key; did you mean sampling.top_k?"),
        (
            "model.adapters = [{ scale = 1 }]",
            "llama.toml:1: model.adapters is [{ scale = 1 }], must have a path, and may have a number as scale",
        ),
    ] {
        assert_eq!(error_of(settings, &["run", "-p", "x"]), format!("error: {expected}\n"), "{settings}");
    }
}

#[test]
fn mistakes_in_flags_name_the_flag_and_what_it_takes() {
    for (args, expected) in [
        (&["--temp", "hot"][..], "--temp is hot, must be a number from -1000000 to 1000000"),
        (&["-n", "0"], "-n/--max-tokens is 0, must be a whole number from 1 to 2147483391, or -1 or -2"),
        (&["-ngl", "most"], "-ngl/--gpu-layers is most, must be a number of layers, \"all\" or \"auto\""),
        (
            &["--seed", "4294967296"],
            "-s/--seed is 4294967296, must be a whole number from 0 to 4294967295, or -1 for another one each time",
        ),
        (&["-fa", "yes"], "-fa/--flash-attn is yes, must be auto, off or on"),
        (
            &["-l", "5"],
            "-l/--logit-bias is 5, must be the id of a token and its bias, such as 15043+1, 15043-0.5 or 15043=false",
        ),
        (&["-j", "{"], "-j/--json-schema is {, must be a JSON schema (EOF while parsing an object at line 1 column 1)"),
        (
            &["--grammar", "root ::= \"a\"", "-j", "{}"],
            "--grammar and -j/--json-schema cannot be set together; leave one of them out",
        ),
        (&["--sampler-seq", "kq"], "--sampler-seq is kq, but 'q' is none of edskypmxtia"),
        (
            &["--chat-template", "llama2"],
            "--chat-template is llama2, but of the built-in formats there is only chatml; leave it out to use the model's own template, or give the source with --chat-template-file FILE",
        ),
        (&["--reasoning-budget", "-2"], "--reasoning-budget is -2, must be a whole number from 0 to 2147483647, or -1"),
        (
            &["--override-kv", "a=number:5"],
            "--override-kv is a=number:5, must be KEY=TYPE:VALUE, with int, float, bool or str as TYPE",
        ),
        (&["--log-filter", "=="], "--log-filter is ==, which is no log filter (invalid filter directive); try debug"),
        (
            &["--profile", "fast"],
            "--profile is fast, but no settings file was found; `llama-cli config path` shows where they are looked for",
        ),
    ] {
        let args = [&["run", "-p", "x"], args].concat();
        assert_eq!(error_of("", &args), format!("error: {expected}\n"), "{args:?}");
    }
}

#[test]
fn files_that_are_missing_are_told_with_what_named_them() {
    for (args, expected) in [
        (
            &["--config", "no.toml"][..],
            "error: cannot read the settings file no.toml; check the spelling and the current directory\n",
        ),
        (
            &["-jf", "no.json"],
            "error: -jf/--json-schema-file is no.json, which cannot be used\n  caused by: cannot read no.json; check the spelling and the current directory\n",
        ),
        (
            &["-sysf", "no.txt"],
            "error: -sysf/--system-prompt-file is no.txt, which cannot be used\n  caused by: cannot read no.txt; check the spelling and the current directory\n",
        ),
        (&["--log-file", "no/log"], "error: --log-file is no/log, which cannot be written\n"),
    ] {
        let args = [&["chat", "-p", "x"], args].concat();
        let error = error_of("", &args);
        assert!(error.starts_with(expected), "{args:?}: {error}");
    }
    let error = error_of("chat.template_file = 'no.jinja'", &["run", "-p", "x"]);
    assert!(
        error.starts_with("error: llama.toml:1: chat.template_file is 'no.jinja', which cannot be used\n"),
        "{error}"
    );
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    let project = Project::new("");
    for (name, value, expected) in [
        ("LLAMA_ARG_TOP_K", "many", "LLAMA_ARG_TOP_K is many, must be a whole number from 0 to 4294967295"),
        ("LLAMA_ARG_OFFLINE", "maybe", "LLAMA_ARG_OFFLINE is maybe, must be true or false"),
        ("LLAMA_LOG", "==", "LLAMA_LOG is ==, which is no log filter (invalid filter directive); try debug"),
        (
            "LLAMA_PROFILE",
            "x",
            "LLAMA_PROFILE is x, but no settings file was found; `llama-cli config path` shows where they are looked for",
        ),
    ] {
        let failed = ended(project.command(&["run", "-p", "x"]).env(name, value).output().unwrap());
        assert_eq!(failed.failure(), format!("error: {expected}\n"));
    }
    let told = ended(project.command(&["config", "show", "--changed"]).env("LLAMA_ARG_TOPK", "1").output().unwrap());
    assert!(
        told.stderr
            .starts_with("warning: LLAMA_ARG_TOPK is no variable of this program; did you mean LLAMA_ARG_TOP_K?\n")
    );
}

#[test]
fn an_unknown_profile_names_those_that_there_are() {
    let settings = "[profile.fast.sampling]\ntop_k = 1\n[profile.careful.sampling]\ntop_k = 2\n";
    let error = error_of(settings, &["run", "-p", "x", "--profile", "fats"]);
    assert_eq!(error, "error: --profile is fats, must be careful or fast; did you mean fast?\n");
    let error = error_of("[sampling]\n", &["run", "-p", "x", "--profile", "fast"]);
    assert_eq!(error, "error: --profile is fast, but there are no profiles in llama.toml\n");
}

#[test]
fn every_layer_counts_above_the_one_before_and_is_told() {
    let project = Project::new(
        "[sampling]\ntop_p = 0.3\nmin_p = 0.3\ntypical_p = 0.3\ntemperature = 0.3\n[profile.p.sampling]\nmin_p = 0.4\n",
    );
    let user = "[sampling]\ntop_k = 20\ntop_p = 0.2\nmin_p = 0.2\ntypical_p = 0.2\ntemperature = 0.2\n";
    std::fs::create_dir_all(project.user_file().parent().unwrap()).unwrap();
    std::fs::write(project.user_file(), user).unwrap();
    let args = ["config", "show", "--json", "--profile", "p", "--temp", "0.6"];
    let mut command = project.command(&args);
    command.env("LLAMA_ARG_TEMP", "0.5").env("LLAMA_ARG_NO_KV_OFFLOAD", "1");
    let all = shown(ended(command.output().unwrap()));
    let told = |key: &str| {
        (all[key]["value"].clone(), all[key]["origin"].as_str().unwrap().to_owned(), all[key]["line"].clone())
    };
    assert_eq!(told("sampling.min_keep"), (0.into(), "default".to_owned(), Value::Null));
    assert_eq!(told("sampling.top_k"), (20.into(), "file".to_owned(), 2.into()));
    assert_eq!(told("sampling.top_p"), (0.3.into(), "file".to_owned(), 2.into()));
    assert_eq!(told("sampling.min_p"), (0.4.into(), "file".to_owned(), 7.into()));
    assert_eq!(all["sampling.min_p"]["profile"], "p");
    assert_eq!(told("sampling.temperature"), (0.6.into(), "flag".to_owned(), Value::Null));
    assert_eq!(all["sampling.temperature"]["flag"], "--temp");
    assert_eq!(told("context.offload_kqv"), (false.into(), "variable".to_owned(), Value::Null));
    assert_eq!(all["context.offload_kqv"]["variable"], "LLAMA_ARG_NO_KV_OFFLOAD");
}

#[test]
fn what_is_shown_is_a_settings_file_again() {
    let project = Project::new("[sampling]\nstages = ['top_k', 'temp']\n[answer]\nstop = ['\"a\"\\n', 'b']\n");
    let text = project.run(&["config", "show", "-l", "5=false", "--lora-scaled", "a.gguf:0.5"]).success();
    let changed = project.run(&["config", "show", "--changed", "--temp", "0"]).success();
    assert!(
        changed.contains("temperature = 0.0") && changed.contains("# --temp") && !changed.contains("default"),
        "{changed}"
    );
    let again = Project::new(&text);
    let values = |all: Value| {
        all.as_object().unwrap().iter().map(|(key, told)| (key.clone(), told["value"].clone())).collect::<Vec<_>>()
    };
    let first = shown(project.run(&["config", "show", "--json", "-l", "5=false"]));
    let second = shown(again.run(&["config", "show", "--json"]));
    let first: Vec<_> = values(first).into_iter().filter(|(key, _)| key != "model.adapters").collect();
    let second: Vec<_> = values(second).into_iter().filter(|(key, _)| key != "model.adapters").collect();
    assert_eq!(first, second);
}

#[test]
fn the_users_file_is_made_once_and_changes_nothing() {
    let project = Project::new("");
    let made = project.run(&["config", "init"]);
    assert!(made.stderr.contains("Wrote "), "{}", made.stderr);
    made.success();
    let error = project.run(&["config", "init"]).failure();
    assert_eq!(error, format!("error: {} exists; --force replaces it\n", project.user_file().display()));
    project.run(&["config", "init", "--force"]).success();
    assert_eq!(project.run(&["config", "show", "--changed"]).success(), "");
    project.run(&["config", "init", "--project"]).success();
    let text = std::fs::read_to_string(project.path("llama.toml")).unwrap();
    assert_eq!(text, project.run(&["config", "schema", "--defaults"]).success());
}

#[test]
fn the_files_that_are_looked_for_are_told() {
    let project = Project::new("[sampling]\n");
    let text = project.run(&["config", "path"]).success();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("user ") && lines[0].ends_with("(does not exist)"), "{text}");
    assert!(lines[1].starts_with("project ") && lines[1].ends_with("llama.toml"), "{text}");
    let named = ended(project.command(&["config", "path"]).env("LLAMA_CONFIG", "other.toml").output().unwrap());
    assert_eq!(named.success(), "LLAMA_CONFIG other.toml (does not exist)\n");
}

#[test]
fn no_file_counts_where_none_is_wanted_and_only_the_named_one_where_one_is() {
    let project = Project::new("nonsense");
    project.write("good.toml", "[sampling]\ntop_k = 3\n");
    project.run(&["config", "show", "--no-config"]).success();
    let all = shown(project.run(&["config", "show", "--json", "--config", "good.toml"]));
    assert_eq!(all["sampling.top_k"]["value"], 3);
    let all =
        shown(ended(project.command(&["config", "show", "--json"]).env("LLAMA_CONFIG", "good.toml").output().unwrap()));
    assert_eq!(all["sampling.top_k"]["value"], 3);
}

#[test]
fn a_file_that_is_no_settings_file_is_refused() {
    let project = Project::new("");
    project.write("llama.toml", [b"[chat]\nsystem = '".as_slice(), &[0xff], b"'\n"].concat());
    assert_eq!(
        project.run(&["config", "show"]).failure(),
        "error: llama.toml:2: not valid UTF-8; save the file as UTF-8\n"
    );
    project.write("llama.toml", "#".repeat(2 << 20));
    let error = project.run(&["config", "show"]).failure();
    assert_eq!(error, "error: the settings file llama.toml is longer than 1024 KiB; it cannot be one\n");
}

#[test]
fn settings_of_a_file_reach_the_model() {
    let project = Project::new("[sampling]\ntemperature = 0\n[answer]\nmax_tokens = 3\n");
    let args = ["run", "-p", "What is the capital of France?"];
    assert_eq!(project.run(&args).success(), "The capital of");
    assert_eq!(project.run(&[&args[..], &["-n", "1"]].concat()).success(), "The");
    let schema = project.run(&[&args[..], &["-n", "30", "-j", r#"{"enum": ["Paris"]}"#]].concat()).success();
    assert_eq!(schema, "\"Paris\"");
}

#[test]
fn logs_go_where_the_settings_say() {
    let project = Project::new("[log]\nfile = 'out.log'\njson = true\n");
    let args = ["run", "-p", "x", "-n", "1", "-v"];
    for _ in 0..2 {
        let quiet = project.run(&args);
        assert_eq!(quiet.stderr.lines().count(), 1, "only the notice: {}", quiet.stderr);
    }
    let text = std::fs::read_to_string(project.path("out.log")).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let started = events.iter().filter(|event| event["message"] == "settings are read").count();
    assert_eq!(started, 2, "the second run adds to the file: {text}");
    assert!(events.iter().all(|event| event["level"].is_string() && event["unix_ms"].is_u64()), "{text}");
    let disabled =
        project.run(&["run", "-p", "x", "-n", "1", "--log-disable", "--no-log-json", "--log-file", "none.log"]);
    disabled.success();
    assert_eq!(std::fs::read_to_string(project.path("none.log")).unwrap(), "");
}

#[test]
fn the_schema_and_the_documented_defaults_are_the_checked_in_ones() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    for (args, name) in
        [(&["config", "schema"][..], "llama.schema.json"), (&["config", "schema", "--defaults"], "llama.toml")]
    {
        let checked_in = std::fs::read_to_string(config.join(name)).unwrap().replace("\r\n", "\n");
        assert_eq!(Project::new("").run(args).success(), checked_in, "{name}");
    }
}

#[test]
fn what_a_model_suggests_is_shown_with_its_origin() {
    let folder = TempModels::new().unwrap();
    let mut file = Llama::tiny().file();
    file.set("general.sampling.top_k", 7_i32).set("general.sampling.temp", 0.25_f32);
    let model = folder.write("model.gguf", &file).unwrap();
    let all = shown(Project::new("sampling.temperature = 1").run(&[
        "config",
        "show",
        "--json",
        "-m",
        model.to_str().unwrap(),
    ]));
    let told = |key: &str| (all[key]["value"].clone(), all[key]["origin"].clone());
    assert_eq!(told("sampling.top_k"), (7.into(), "model".into()));
    assert_eq!(told("sampling.temperature"), (1.into(), "file".into()), "what somebody set counts");
    assert_eq!(told("sampling.top_p"), (0.95.into(), "default".into()));
}
