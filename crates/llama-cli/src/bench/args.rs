//! What is measured, how often, and how it is printed: the flags, with the names of `llama-bench` and `llama-batched-bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use llama_runtime::{CacheType, FlashAttention, GpuLayers, LoadMode};

use super::lists::{self, List};

/// What is computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tests")]
pub(crate) struct TestArgs {
    /// Models: GGUF files, with commas between them [default: the one of the settings, or the built-in demo model]
    #[arg(short, long, value_name = "FILE,FILE")]
    pub(super) model: Vec<String>,

    /// Prompts of so many tokens; 0 is none [default: 512]
    #[arg(short = 'p', long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_prompt: Vec<List<u32>>,

    /// Answers of so many tokens, one step each; 0 is none [default: 128]
    #[arg(short = 'n', long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_gen: Vec<List<u32>>,

    /// A prompt and its answer as one test; may be given several times [also -pg]
    #[arg(long, value_name = "PROMPT,ANSWER", value_parser = lists::pair)]
    pub(super) pg: Vec<(u32, u32)>,

    /// Tokens that are in the KV cache before a test begins [default: 0]
    #[arg(short = 'd', long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_depth: Vec<List<u32>>,

    /// Sequences that are computed together, 1 to 256 [default: 1; also -npl]
    #[arg(long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_parallel: Vec<List<u32>>,

    /// Prompts as `batched-bench` has them, each followed by each answer of --n-tg [also -npp]
    #[arg(long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_pp: Vec<List<u32>>,

    /// Answers that begin where the prompt of --n-pp ends [also -ntg]
    #[arg(long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) n_tg: Vec<List<u32>>,

    /// Sequences that are computed together have one prompt, which is computed once [also -pps]
    #[arg(long)]
    pub(super) pp_shared: bool,

    /// Sequences that are computed together share one KV cache instead of a part for each [also -kvu]
    #[arg(long)]
    pub(super) kv_unified: bool,
}

/// How it is computed; each combination is a test.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ways to compute")]
pub(crate) struct ComputeArgs {
    /// This program's own matrix kernels; on,off measures both in turns [default: as the settings say]
    #[arg(long, value_name = "on,off", value_parser = lists::switches)]
    pub(super) kernels: Vec<List<bool>>,

    /// Threads, 1 to 512 [default: as the settings say; otherwise one for each hardware thread, of which a
    /// core may have two, with --serve-like as the engine chooses]
    #[arg(short, long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) threads: Vec<List<u32>>,

    /// Most tokens of one call [default: 2048]
    #[arg(short, long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) batch_size: Vec<List<u32>>,

    /// Most tokens that are computed at once [default: 512; also -ub]
    #[arg(long, value_name = "N,N", value_parser = lists::numbers)]
    pub(super) ubatch_size: Vec<List<u32>>,

    /// Number formats of the keys in the KV cache [default: f16; also -ctk]
    #[arg(long, value_name = "NAME,NAME", value_parser = lists::cache_types)]
    pub(super) cache_type_k: Vec<List<CacheType>>,

    /// Number formats of the values in the KV cache [default: f16; also -ctv]
    #[arg(long, value_name = "NAME,NAME", value_parser = lists::cache_types)]
    pub(super) cache_type_v: Vec<List<CacheType>>,

    /// Whether attention is computed by the fused kernel: on, off, auto [default: auto; also -fa]
    #[arg(long, value_name = "NAME,NAME", allow_hyphen_values = true, value_parser = lists::flash)]
    pub(super) flash_attn: Vec<List<FlashAttention>>,

    /// Layers to keep in GPU memory, -1 or all for all [default: all; also -ngl]
    #[arg(long, visible_alias = "n-gpu-layers", value_name = "N,N", allow_hyphen_values = true,
          value_parser = lists::layers)]
    pub(super) gpu_layers: Vec<List<GpuLayers>>,

    /// How the file gets into memory [default: auto; also -lm]
    #[arg(long, value_name = "NAME,NAME", value_parser = lists::load_modes)]
    pub(super) load_mode: Vec<List<LoadMode>>,

    /// Whether weights may be repacked for llama.cpp's kernels: 1, 0 [default: 1]
    #[arg(long, value_name = "0|1", value_parser = lists::switches)]
    pub(super) repack: Vec<List<bool>>,

    /// Keep the KV cache in main memory: 1, 0 [default: 0; also -nkvo]
    #[arg(long, value_name = "0|1", value_parser = lists::switches)]
    pub(super) no_kv_offload: Vec<List<bool>>,

    /// Leave host operations on the processor: 1, 0 [default: 0; also -nopo]
    #[arg(long, value_name = "0|1", value_parser = lists::switches)]
    pub(super) no_op_offload: Vec<List<bool>>,
}

/// How often, and how it is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Runs and output")]
pub(crate) struct RunArgs {
    /// How often each test is run [default: 5, with --serve-like 1]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) repetitions: Option<u32>,

    /// Begin without a run that is not counted
    #[arg(long)]
    pub(super) no_warmup: bool,

    /// Wait so many seconds before each test
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(super) delay: u32,

    /// What to print on stdout: md, csv, json, jsonl
    #[arg(
        short,
        long,
        visible_alias = "output-format",
        value_name = "FORM",
        default_value = "md",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) output: Form,

    /// What to print on stderr as well [also -oe]
    #[arg(long, value_name = "FORM", hide_possible_values = true)]
    pub(super) output_err: Option<Form>,

    /// Tell what is being done, one line for each step, also where stderr is no terminal
    #[arg(long)]
    pub(super) progress: bool,
}

/// Requests as a server gets them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Requests of many clients")]
pub(crate) struct ServeArgs {
    /// Measure the engine instead of bare decoding: clients ask, and read their answers as they grow
    #[arg(long, conflicts_with_all = ["pg", "n_depth", "n_parallel", "n_pp", "n_tg", "pp_shared", "kv_unified"])]
    pub(super) serve_like: bool,

    /// Requests that are under way at once, 1 to 256 [default: 8]
    #[arg(long, value_name = "N", requires = "serve_like", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) clients: Option<u32>,

    /// Requests of one run [default: 4 for each client]
    #[arg(long, value_name = "N", requires = "serve_like", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) requests: Option<u32>,

    /// Tokens that all prompts begin with; -p and -n are then lengths of what each has of its own, and of answers, of
    /// which each request gets one by chance [default: 0, -p 32,64,128,256 -n 16,32,64]
    #[arg(long, value_name = "TOKENS", requires = "serve_like",
          value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(super) shared_prefix: Option<u32>,

    /// Requests that arrive each second, at random [default: each client asks again when it has its answer]
    #[arg(long, value_name = "N", requires = "serve_like", value_parser = rate)]
    pub(super) rate: Option<f64>,

    /// What lengths, tokens and arrivals are drawn from [default: 1]
    #[arg(long, value_name = "N", requires = "serve_like")]
    pub(super) seed: Option<u64>,

    /// Write the requests to a file, so that another server can be given the same
    #[arg(long, value_name = "FILE", requires = "serve_like")]
    pub(super) workload_out: Option<PathBuf>,

    /// Take the requests from such a file
    #[arg(long, value_name = "FILE", requires = "serve_like",
          conflicts_with_all = ["workload_out", "clients", "requests", "shared_prefix", "rate", "seed", "n_prompt", "n_gen"])]
    pub(super) workload: Option<PathBuf>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A table in Markdown.
    Md,
    Csv,
    /// One array of objects.
    Json,
    /// One object per line.
    Jsonl,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or_else(|| "must be a number from 0.001 to 100000".to_owned())
}
