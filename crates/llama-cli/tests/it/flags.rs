//! Upstream's command lines.

use llama_testkit::golden;

use crate::program::{llama, llama_with_stdin};

const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

#[test]
fn without_a_command_flags_mean_chat_as_in_llama_cpp() {
    let demo = golden::demo_model_path();
    let model = demo.to_str().unwrap();
    let ended = llama_with_stdin(&["-m", model, "-p", QUESTION, "--temp", "0", "-ngl", "0"], format!("{QUESTION}\n"));
    let text = ended.success();
    assert_eq!(text.matches("Paris").count(), 2, "the prompt is the first turn, and each line is another: {text}");
    let ended = llama(&["-m", model, "-no-cnv", "-p", "The capital of France is", "--temp", "0", "-n", "2"]);
    assert_eq!(ended.stderr, "", "a model was chosen, so there is nothing to say");
    let raw = llama(&["run", "-m", model, "--raw", "-p", "The capital of France is", "--temp", "0", "-n", "2"]);
    assert_eq!(ended.success(), raw.success());
}

#[test]
fn upstreams_flags_are_understood_together() {
    let line = [
        "run",
        "-p",
        QUESTION,
        "--temp",
        "0",
        "-n",
        "16",
        "-c",
        "512",
        "-ngl",
        "0",
        "-fa",
        "auto",
        "-ctk",
        "f16",
        "-ctv",
        "f16",
        "-b",
        "2048",
        "-ub",
        "256",
        "-tb",
        "1",
        "--seed",
        "1",
        "--top_k",
        "40",
        "--top-p",
        "0.95",
        "--min-p",
        "0.05",
        "--repeat-penalty",
        "1.0",
        "--samplers",
        "top_k;top_p;temperature",
        "-lm",
        "mmap",
        "--no-warmup",
        "--jinja",
        "-nkvo",
        "--offline",
        "-rea",
        "off",
        "--reasoning-format",
        "auto",
    ];
    assert_eq!(llama(&line).success(), ANSWER);
}

#[test]
fn a_flag_that_is_given_twice_counts_the_last_time_with_a_warning() {
    let ended = llama(&["run", "-p", QUESTION, "--temp", "2", "--temp", "0"]);
    assert!(ended.stderr.starts_with("warning: --temp is given 2 times; the last one counts\n"), "{}", ended.stderr);
    assert_eq!(ended.success(), ANSWER);
    let ended = llama(&[
        "run",
        "-p",
        QUESTION,
        "--temp",
        "0",
        "--stop",
        "Paris",
        "-r",
        "zzz",
        "--kv-offload",
        "--no-kv-offload",
    ]);
    assert!(!ended.stderr.contains("warning"), "lists add up: {}", ended.stderr);
    assert_eq!(ended.success(), "The capital of France is ");
}

#[test]
fn what_is_unknown_is_told_with_the_nearest_name() {
    for (args, expected) in [
        (&["rnu"][..], "there is no command rnu; did you mean run?"),
        (&["zzz"], "there is no command zzz; the commands are "),
        (&["run", "--tempp", "1"], "a similar argument exists: '--temp'"),
        (&["config", "shwo"], "'show'"),
        (&["run", "--mmproj", "x"], "--mmproj is not a flag of this program: leave it out: models read only text here"),
        (
            &["--context-shift"],
            "--context-shift is not a flag of this program: leave it out: chat forgets the oldest turns",
        ),
        (&["-hft", "secret"], "-hft is not a flag of this program: set the variable HF_TOKEN"),
        (&["download", "x"], "there is no command download; use `llama-cli models pull user/repo`"),
        (&["--licenses"], "THIRD-PARTY-NOTICES.md"),
    ] {
        let error = llama(args).failure();
        assert!(error.starts_with("error: ") && error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn information_is_given_in_upstreams_way_too() {
    assert!(llama(&["-m", "no.gguf", "--list-devices"]).success().starts_with("CPU"));
    assert_eq!(llama(&["version"]).success(), llama(&["--version"]).success());
}

#[test]
fn help_groups_the_flags_and_tells_defaults_and_variables() {
    let help = llama(&["run", "--help"]).success();
    for part in ["Sampling:", "Hardware:", "Logging:", "--top-k <N>", "default: 40; env: LLAMA_ARG_TOP_K", "also -ngl"]
    {
        assert!(help.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{part} in {help}");
    }
    let short = llama(&["run", "-h"]).success();
    assert!(short.len() < help.len() / 2 && short.contains("--temp") && !short.contains("--mirostat"), "{short}");
}

#[test]
fn what_a_command_has_no_use_for_is_refused_with_the_one_that_has() {
    let error = llama(&["run", "-p", "x", "--markdown"]).failure();
    assert_eq!(error, "error: `llama-cli run` does not take --markdown; `llama-cli chat` does\n");
    let error = llama(&["chat", "-np", "4"]).failure();
    assert_eq!(error, "error: `llama-cli chat` does not take -np; `llama-cli run` does\n");
    llama(&["chat", "-np", "1", "--no-markdown"]).success();
}

#[cfg(unix)]
#[test]
fn a_file_whose_name_is_no_text_is_told_as_such() {
    use std::os::unix::ffi::OsStrExt;

    let mut command = crate::program::command(&["run", "-p", QUESTION]);
    command.arg("-m").arg(std::ffi::OsStr::from_bytes(b"demo-\xff.gguf"));
    let error = crate::program::ended(command.output().unwrap()).failure();
    assert_eq!(error, "error: -m/--model: demo-\u{fffd}.gguf is not valid UTF-8; rename the file\n");
}

#[test]
fn a_grammar_that_cannot_be_used_is_told_with_who_asked_for_it() {
    for command in ["chat", "run"] {
        let error = llama(&[command, "-p", "Hi", "--grammar", "root := 1"]).failure();
        assert!(error.contains("--grammar is root := 1") && error.contains("line 1, column"), "{error}");
        let error = llama(&[command, "-p", "Hi", "-j", r##"{"$ref": "#/none"}"##]).failure();
        assert!(error.contains("--json-schema is {\"$ref\"") && error.contains("/$ref"), "{error}");
    }
    let ended = llama_with_stdin(&["chat", "--grammar", "root := 1"], "/set grammar root := 2\nHi\n");
    let error = ended.failure();
    assert!(!error.contains("--grammar is"), "it was another one: {error}");
}

#[test]
fn a_template_that_cannot_be_used_is_told_with_what_to_do() {
    for command in ["chat", "run"] {
        let error = llama(&[command, "-p", "Hi", "--chat-template", "{% if %}"]).failure();
        assert!(error.contains("chat.template") && error.contains("leave it out"), "{error}");
    }
}

#[test]
fn the_first_message_of_a_chat_is_read_as_llama_cpp_reads_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let said = folder.path().join("said");
    let user = |args: &[&str]| {
        llama(&[&["-n", "1", "-t", "1", "-o", said.to_str().unwrap()], args].concat()).success();
        std::fs::read_to_string(&said).unwrap().split("\n\nAssistant:").next().unwrap().to_owned()
    };
    assert_eq!(user(&["-p", r"a\nb"]), "User:\na\nb");
    assert_eq!(user(&["-e", "-p", r"a\tb"]), "User:\na\tb");
    assert_eq!(user(&["-p", r"a\nb", "--no-escape"]), "User:\na\\nb");
    assert_eq!(user(&["-p", ""]), "", "no message");
}
