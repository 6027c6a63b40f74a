//! The context, what is computed together, and what is kept of prompts.

use crate::settings::kind::Kind;
use crate::settings::table::{Also, Row};

/// Most tokens of a context, as `llama-runtime` checks it.
const MAX_TOKENS: i64 = i32::MAX as i64 - 256;

const THREADS: Kind = Kind::Int { min: 1, max: 512, unset: &[-1, 0] };

const CACHE_TYPE: Kind = Kind::Choice(&[
    ("f32", &[]),
    ("f16", &[]),
    ("bf16", &[]),
    ("q8_0", &[]),
    ("q5_1", &[]),
    ("q5_0", &[]),
    ("q4_1", &[]),
    ("q4_0", &[]),
    ("iq4_nl", &[]),
]);

pub(super) const CONTEXT: &[Row] = &[
    Row::new(
        "context.n_ctx",
        "ctx-size",
        Kind::Int { min: 0, max: MAX_TOKENS, unset: &[] },
        "Tokens that prompt and answer may have together; 0 is what the model was trained with",
    )
    .short('c')
    .env(&["LLAMA_ARG_CTX_SIZE"])
    .unset("as trained, up to context.auto_ctx_limit"),
    Row::new(
        "context.auto_ctx_limit",
        "auto-ctx-limit",
        Kind::Int { min: 1, max: MAX_TOKENS, unset: &[] },
        "Most tokens where context.n_ctx is not set: the cache of a long context takes much memory",
    )
    .rare(),
    Row::new("context.threads", "threads", THREADS, "Threads to compute with")
        .short('t')
        .env(&["LLAMA_ARG_THREADS"])
        .unset("measured at load"),
    Row::new("context.threads_batch", "threads-batch", THREADS, "Threads to compute prompts with")
        .one_dash(&[("tb", "threads-batch")])
        .unset("as context.threads if that is set, else measured")
        .rare(),
    Row::new(
        "context.flash_attention",
        "flash-attn",
        Kind::Choice(&[("auto", &["-1"]), ("off", &["0", "false", "disabled"]), ("on", &["1", "true", "enabled"])]),
        "Whether attention is computed by the fused kernel",
    )
    .one_dash(&[("fa", "flash-attn")])
    .env(&["LLAMA_ARG_FLASH_ATTN"])
    .rare(),
    Row::new(
        "context.cache_k",
        "cache-type-k",
        CACHE_TYPE,
        "Number format of the keys in the KV cache; smaller ones cost some quality",
    )
    .one_dash(&[("ctk", "cache-type-k")])
    .env(&["LLAMA_ARG_CACHE_TYPE_K"])
    .rare(),
    Row::new(
        "context.cache_v",
        "cache-type-v",
        CACHE_TYPE,
        "Number format of the values in the KV cache; from q8_0 on they need flash attention",
    )
    .one_dash(&[("ctv", "cache-type-v")])
    .env(&["LLAMA_ARG_CACHE_TYPE_V"])
    .rare(),
    Row::new(
        "context.rope.kind",
        "rope-scaling",
        Kind::Choice(&[("none", &[]), ("linear", &[]), ("yarn", &[]), ("long_rope", &["longrope"])]),
        "How rotary positions are stretched to longer contexts",
    )
    .env(&["LLAMA_ARG_ROPE_SCALING_TYPE"])
    .unset("as the model wants")
    .rare(),
    Row::new(
        "context.rope.freq_base",
        "rope-freq-base",
        Kind::Float { min: 1e-6, max: 1e12 },
        "Base frequency of RoPE",
    )
    .env(&["LLAMA_ARG_ROPE_FREQ_BASE"])
    .unset("as the model wants")
    .rare(),
    Row::new(
        "context.rope.freq_scale",
        "rope-freq-scale",
        Kind::Float { min: 1e-6, max: 1e6 },
        "Frequency scale of RoPE: stretches by its inverse",
    )
    .also(&[Also::new(
        "rope-scale",
        Kind::Inverse,
        "How far RoPE stretches the context: the inverse of --rope-freq-scale",
    )
    .env("LLAMA_ARG_ROPE_SCALE")])
    .env(&["LLAMA_ARG_ROPE_FREQ_SCALE"])
    .unset("as the model wants")
    .rare(),
    Row::new(
        "context.rope.yarn_original_context",
        "yarn-orig-ctx",
        Kind::Int { min: 1, max: MAX_TOKENS, unset: &[0] },
        "Tokens of context that a model stretched by YaRN was trained with",
    )
    .env(&["LLAMA_ARG_YARN_ORIG_CTX"])
    .unset("as the model wants")
    .rare(),
    Row::new(
        "context.swa_full",
        "swa-full",
        Kind::Switch,
        "Keep everything in a sliding-window cache, so that any beginning can be used again; takes more memory",
    )
    .env(&["LLAMA_ARG_SWA_FULL"])
    .rare(),
    Row::new("context.offload_kqv", "kv-offload", Kind::Switch, "Keep the KV cache in GPU memory beside the layers")
        .one_dash(&[("kvo", "kv-offload"), ("nkvo", "no-kv-offload")])
        .env(&["LLAMA_ARG_KV_OFFLOAD"])
        .rare(),
    Row::new("context.op_offload", "op-offload", Kind::Switch, "Move host operations on large batches to the GPU")
        .rare(),
];

pub(super) const BATCH: &[Row] = &[
    Row::new(
        "batch.step_tokens",
        "ubatch-size",
        Kind::Int { min: 1, max: 65_536, unset: &[] },
        "Most tokens of one step; more read prompts faster and take more memory",
    )
    .one_dash(&[("ub", "ubatch-size")])
    .also(&[Also::new(
        "batch-size",
        Kind::Int { min: 1, max: i32::MAX as i64, unset: &[] },
        "Upstream's logical batch: counts where it is less than a step",
    )
    .short('b')
    .env("LLAMA_ARG_BATCH")
    .only_lowers()])
    .env(&["LLAMA_ARG_UBATCH"])
    .rare(),
    Row::new(
        "batch.step_time",
        "step-time",
        Kind::Time,
        "How long a step should take while answers are being written, 1 ms to 60 s",
    )
    .rare(),
    Row::new(
        "batch.min_chunk",
        "min-chunk",
        Kind::Int { min: 1, max: 65_536, unset: &[] },
        "Fewest tokens of a prompt that a step computes",
    )
    .rare(),
    Row::new(
        "batch.max_sequences",
        "parallel",
        Kind::Int { min: 1, max: 256, unset: &[] },
        "Prompts of a batch job that are computed together",
    )
    .one_dash(&[("np", "parallel")])
    .env(&["LLAMA_ARG_N_PARALLEL"])
    .not_in(&["chat"]),
];

pub(super) const CACHE: &[Row] = &[
    Row::new("cache.prefix_reuse", "cache-prompt", Kind::Switch, "Compute a prompt that begins like an earlier one only from where they differ")
        .env(&["LLAMA_ARG_CACHE_PROMPT"])
        .rare(),
    Row::new("cache.min_prefix", "min-prefix", Kind::Int { min: 1, max: MAX_TOKENS, unset: &[] }, "Fewest common tokens that are worth sharing").rare(),
    Row::new("cache.host_memory", "cache-ram", Kind::Size, "Most main memory for what left the KV cache and may be asked for again; 0 is off (a flag's number alone is MiB)")
        .one_dash(&[("cram", "cache-ram")])
        .env(&["LLAMA_ARG_CACHE_RAM"])
        .rare(),
];
