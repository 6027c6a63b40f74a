//! What was typed. Parsing reads no file and no environment.
//!
//! Upstream's programs write long flags with one dash (`-ngl`) and also take underscores in long flags; both become what
//! clap understands before it sees them. A call that starts with a flag is a `run`, as upstream's own program of our name
//! takes it, and a call without anything asks for help.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use llama_runtime::{
    Bytes, EngineConfig, GpuLayers, SamplingParams, Seed, llama_cpp_build, llama_cpp_source, llama_cpp_version,
};

use crate::commands::{chat, devices, run, tokenize};
use crate::demo;

/// Talk to GGUF models from the terminal.
///
/// Without -m a small demo model is used, which is built into the program. `llama-cli -m MODEL -p PROMPT` is short for
/// `llama-cli run -m MODEL -p PROMPT`.
#[derive(Debug, Parser)]
#[command(name = "llama-cli", max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Chat(chat::ChatArgs),
    Tokenize(tokenize::TokenizeArgs),
    Devices(devices::DevicesArgs),
}

/// Which model, and where it runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// The model: a GGUF file; of a split model, any of its files [default: the built-in demo model]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Tokens that prompt and answer may have together; 0 is what the model was trained with [default: that, but at
    /// most 8192]
    #[arg(short, long, value_name = "N")]
    ctx_size: Option<u32>,

    /// Threads to compute with [default: one per core]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<i32>,

    /// Layers to keep in GPU memory: a number, `all` or `auto` (also -ngl) [default: all]
    #[arg(long, visible_alias = "n-gpu-layers", value_name = "N", value_parser = gpu_layers)]
    gpu_layers: Option<GpuLayers>,
}

/// How the next token is chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct SamplingArgs {
    /// How freely tokens are chosen; 0 always takes the likeliest [default: 0.8]
    #[arg(long, visible_alias = "temperature", value_name = "T", allow_negative_numbers = true)]
    temp: Option<f32>,

    /// Makes the choices repeatable; -1 is another seed each time [default: -1]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    seed: Option<Seed>,

    /// Choose among the K likeliest tokens; 0 is off [default: 40]
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    top_k: Option<i32>,

    /// Choose among the likeliest tokens that have this probability together; 1 is off [default: 0.95]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,

    /// Leave out tokens less likely than this share of the likeliest; 0 is off [default: 0.05]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<f32>,
}

/// How long an answer may be.
#[derive(Debug, Args)]
pub(crate) struct LengthArgs {
    /// Most tokens of an answer; -1 is no limit, until the model ends it or the context is full [default: -1]
    #[arg(short = 'n', long, visible_alias = "n-predict", alias = "predict", value_name = "N",
          allow_negative_numbers = true, value_parser = max_tokens)]
    max_tokens: Option<MaxTokens>,
}

/// `None` is no limit. A type of its own, since clap takes an `Option` for a flag that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MaxTokens(Option<usize>);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// More tokens than any model was trained with.
const ANY_CONTEXT: u32 = 1 << 30;

impl ModelArgs {
    /// An engine for one person: one answer at a time, and time for it that only Ctrl+C ends. The longest waits that can be
    /// set stand for "as long as it takes": a large model on a small machine computes for minutes at a step, and a
    /// terminal can be stopped with Ctrl+S over lunch.
    pub(crate) fn engine_config(&self) -> EngineConfig {
        let mut config = EngineConfig::default();
        config.batch.max_sequences = 1;
        // What leaves the KV cache are beginnings of the conversation that have changed since: they never come back.
        config.cache.host_memory = Bytes(0);
        config.limits.slow_consumer_timeout = DAY;
        config.limits.stall_timeout = DAY;
        config.defaults.queue_deadline = 7 * DAY;
        config.defaults.total_deadline = 7 * DAY;
        config.model.gpu_layers = self.gpu_layers.unwrap_or_default();
        match self.ctx_size {
            None => {}
            Some(0) => config.context.auto_ctx_limit = ANY_CONTEXT,
            Some(n) => config.context.n_ctx = Some(n),
        }
        // As upstream takes it: nothing above zero is "choose for me".
        config.context.threads = self.threads.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        config
    }
}

impl SamplingArgs {
    pub(crate) fn params(&self) -> SamplingParams {
        let mut params = SamplingParams::default();
        params.temperature = self.temp.unwrap_or(params.temperature);
        params.seed = self.seed.unwrap_or_default();
        params.top_k = self.top_k.map_or(params.top_k, |k| u32::try_from(k).unwrap_or(0));
        params.top_p = self.top_p.unwrap_or(params.top_p);
        params.min_p = self.min_p.unwrap_or(params.min_p);
        params
    }
}

impl LengthArgs {
    pub(crate) fn max_tokens(&self) -> Option<usize> {
        self.max_tokens.and_then(|MaxTokens(max)| max)
    }
}

/// Parses a whole command line, the program's name first.
pub(crate) fn parse(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    static VERSION: LazyLock<String> = LazyLock::new(version);
    let matches = Cli::command().version(VERSION.as_str()).try_get_matches_from(normalise(argv))?;
    Cli::from_arg_matches(&matches)
}

fn version() -> String {
    format!(
        "{}\nllama.cpp {} ({})\nbuild: {}\ndemo model: {}",
        env!("CARGO_PKG_VERSION"),
        llama_cpp_version(),
        llama_cpp_source(),
        llama_cpp_build(),
        demo::DESCRIPTION,
    )
}

/// Upstream's flags with one dash and several letters, and what they are here.
const LONG_WITH_ONE_DASH: &[(&str, &str)] = &[("-ngl", "--gpu-layers"), ("-sys", "--system-prompt")];

/// Flags whose value is any text, which must not be taken for a flag.
const TAKES_TEXT: &[&str] = &["-p", "--prompt", "--system-prompt"];

/// Flags that are about the program, not about a run.
const ABOUT: &[&str] = &["-h", "--help", "-V", "--version"];

fn normalise(argv: Vec<OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::with_capacity(argv.len() + 1);
    let mut options_ended = false;
    for (i, arg) in argv.into_iter().enumerate() {
        let is_value = out.last().is_some_and(|last| TAKES_TEXT.iter().any(|flag| last == flag));
        let Some(text) = arg.to_str().filter(|_| i > 0 && !options_ended && !is_value) else {
            out.push(arg);
            continue;
        };
        if i == 1 && text.starts_with('-') && !ABOUT.contains(&text) {
            out.push("run".into());
        }
        options_ended = text == "--";
        out.push(flag(text).into());
    }
    if out.len() < 2 {
        out.push("--help".into());
    }
    out
}

fn flag(text: &str) -> String {
    let (name, value) = text.split_at(text.find('=').unwrap_or(text.len()));
    if let Some((_, long)) = LONG_WITH_ONE_DASH.iter().find(|(short, _)| *short == name) {
        return format!("{long}{value}");
    }
    if name.starts_with("--") {
        return format!("{}{value}", name.replace('_', "-"));
    }
    text.to_owned()
}

fn gpu_layers(text: &str) -> Result<GpuLayers, String> {
    match text {
        "all" | "auto" | "-1" => Ok(GpuLayers::All),
        _ => text.parse().map(GpuLayers::AtMost).map_err(|_| "must be a number, `all` or `auto`".to_owned()),
    }
}

fn seed(text: &str) -> Result<Seed, String> {
    match text {
        "-1" => Ok(Seed::Random),
        _ => text.parse::<u32>().map(Seed::from).map_err(|_| "must be -1 or a number up to 4294967295".to_owned()),
    }
}

fn max_tokens(text: &str) -> Result<MaxTokens, String> {
    match text {
        // -2 is upstream's "until the context is full", which is where -1 ends here.
        "-1" | "-2" => Ok(MaxTokens(None)),
        _ => text
            .parse::<NonZero<usize>>()
            .map(|n| MaxTokens(Some(n.get())))
            .map_err(|_| "must be -1 or the number of tokens, at least 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(args: &[&str]) -> Vec<String> {
        let argv = std::iter::once("llama-cli").chain(args.iter().copied()).map(OsString::from).collect();
        normalise(argv).into_iter().skip(1).map(|arg| arg.into_string().unwrap()).collect()
    }

    fn parsed(args: &[&str]) -> Result<Command, clap::Error> {
        parse(std::iter::once("llama-cli").chain(args.iter().copied()).map(OsString::from).collect())
            .map(|cli| cli.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn long_flags_with_one_dash_and_underscores_are_understood() {
        assert_eq!(normal(&["run", "-ngl", "3"]), ["run", "--gpu-layers", "3"]);
        assert_eq!(normal(&["run", "-ngl=3", "-sys", "-x"]), ["run", "--gpu-layers=3", "--system-prompt", "-x"]);
        assert_eq!(normal(&["run", "--n_predict=a_b"]), ["run", "--n-predict=a_b"]);
    }

    #[test]
    fn a_text_that_looks_like_a_flag_is_left_alone() {
        assert_eq!(normal(&["run", "-p", "-ngl"]), ["run", "-p", "-ngl"]);
        assert_eq!(normal(&["run", "-sys", "-sys"]), ["run", "--system-prompt", "-sys"]);
        assert_eq!(normal(&["tokenize", "--", "-ngl", "--a_b"]), ["tokenize", "--", "-ngl", "--a_b"]);
        assert_eq!(normal(&["tokenize", "-ngl"]), ["tokenize", "--gpu-layers"]);
    }

    #[test]
    fn a_flag_first_is_a_run() {
        assert_eq!(normal(&["-m", "x", "-p", "y"]), ["run", "-m", "x", "-p", "y"]);
        assert_eq!(normal(&["--version"]), ["--version"]);
        assert_eq!(normal(&["-h"]), ["-h"]);
        assert_eq!(normal(&[]), ["--help"]);
        assert!(matches!(parsed(&["-m", "x", "-p", "-y"]), Ok(Command::Run(_))));
    }

    #[test]
    fn numbers_mean_what_upstream_says() {
        let Ok(Command::Run(run)) = parsed(&["-n", "-1", "--seed", "-1", "-t", "-1", "-c", "0", "-ngl", "auto"]) else {
            panic!("not a run")
        };
        assert_eq!(run.length.max_tokens(), None);
        assert_eq!(run.sampling.params().seed, Seed::Random);
        let config = run.model.engine_config();
        assert_eq!(config.context.threads, None);
        assert_eq!((config.context.n_ctx, config.context.ctx_for(20_000_000)), (None, 20_000_000));
        assert_eq!(config.model.gpu_layers, GpuLayers::All);

        let Ok(Command::Run(run)) = parsed(&["-n5", "--seed", "7", "-t", "2", "-c", "64", "-ngl", "4", "--temp", "0"])
        else {
            panic!("not a run")
        };
        assert_eq!(run.length.max_tokens(), Some(5));
        assert_eq!(run.sampling.params().seed, Seed::Fixed(7));
        assert_eq!(run.sampling.params().temperature, 0.0);
        let config = run.model.engine_config();
        assert_eq!((config.context.n_ctx, config.context.threads), (Some(64), Some(2)));
        assert_eq!(config.model.gpu_layers, GpuLayers::AtMost(4));

        // As upstream takes it; what makes no sense is for the sampler to refuse, with the range that does.
        let Ok(Command::Run(run)) = parsed(&["--top-k", "-1", "--top-p", "-1", "--min-p", "-0.5"]) else {
            panic!("not a run")
        };
        let params = run.sampling.params();
        assert_eq!((params.top_k, params.top_p, params.min_p), (0, -1.0, -0.5));

        for bad in [["-n", "-3"], ["-n", "0"], ["-n", "x"], ["--seed", "4294967296"], ["--gpu-layers", "most"]] {
            assert!(parsed(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_engine_for_one_person_can_be_made_and_waits_for_days() {
        for args in [&["-c", "0"][..], &["-c", "512"], &["-t", "1"], &["-p", "x"]] {
            let Ok(Command::Run(run)) = parsed(args) else { panic!("not a run") };
            let config = run.model.engine_config();
            config.validate().unwrap();
            assert!(config.limits.slow_consumer_timeout >= DAY && config.limits.stall_timeout >= DAY);
            assert!(config.defaults.total_deadline >= DAY && config.defaults.queue_deadline >= DAY);
            assert_eq!((config.defaults.first_token_deadline, config.defaults.max_tokens), (None, None));
        }
    }

    #[test]
    fn the_version_names_llama_cpp_and_the_demo_model() {
        let text = version();
        assert!(text.starts_with(env!("CARGO_PKG_VERSION")));
        assert!(text.contains(&llama_cpp_version()) && text.contains(llama_cpp_build()) && text.contains("demo model"));
    }
}
