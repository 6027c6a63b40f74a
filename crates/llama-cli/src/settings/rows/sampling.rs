//! How tokens are chosen.

use crate::settings::kind::Kind;
use crate::settings::table::{Also, Row};

const SHARE: Kind = Kind::Float { min: 0.0, max: 1.0 };
const PENALTY: Kind = Kind::Float { min: -100.0, max: 100.0 };
const ANY: Kind = Kind::Float { min: -1e6, max: 1e6 };
const WINDOW: Kind = Kind::Int { min: 0, max: 1 << 20, unset: &[] };

pub(super) const SAMPLING: &[Row] = &[
    Row::new("sampling.seed", "seed", Kind::Seed, "Makes the choices repeatable; -1 is another seed each time")
        .short('s'),
    Row::new("sampling.temperature", "temp", ANY, "How freely tokens are chosen; 0 always takes the likeliest")
        .aliases(&["temperature"])
        .env(&["LLAMA_ARG_TEMPERATURE", "LLAMA_ARG_TEMP"]),
    Row::new(
        "sampling.top_k",
        "top-k",
        Kind::Int { min: 0, max: u32::MAX as i64, unset: &[] },
        "Choose among the K likeliest tokens; 0 is off",
    )
    .env(&["LLAMA_ARG_TOP_K"]),
    Row::new(
        "sampling.top_p",
        "top-p",
        SHARE,
        "Choose among the likeliest tokens that have this probability together; 1 is off",
    )
    .env(&["LLAMA_ARG_TOP_P"]),
    Row::new(
        "sampling.min_p",
        "min-p",
        SHARE,
        "Leave out tokens less likely than this share of the likeliest; 0 is off",
    )
    .env(&["LLAMA_ARG_MIN_P"]),
    Row::new("sampling.stages", "samplers", Kind::Stages, "The stages of sampling, in order")
        .also(&[Also::new("sampler-seq", Kind::StageLetters, "The stages by upstream's letters, such as edskypmxt")
            .aliases(&["sampling-seq"])])
        .rare(),
    Row::new(
        "sampling.min_keep",
        "min-keep",
        WINDOW,
        "Top-p, min-p, typical-p and XTC leave at least this many tokens",
    )
    .rare(),
    Row::new(
        "sampling.top_n_sigma",
        "top-nsigma",
        ANY,
        "Standard deviations below the likeliest that are left; 0 or less is off",
    )
    .aliases(&["top-n-sigma"])
    .rare(),
    Row::new(
        "sampling.typical_p",
        "typical",
        SHARE,
        "Keep tokens about as surprising as expected, up to this probability; 1 is off",
    )
    .aliases(&["typical-p"])
    .rare(),
    Row::new(
        "sampling.xtc_probability",
        "xtc-probability",
        SHARE,
        "How often XTC drops the likeliest tokens but the last; 0 is off",
    )
    .rare(),
    Row::new("sampling.xtc_threshold", "xtc-threshold", SHARE, "What is likely to XTC; above 0.5 is off").rare(),
    Row::new("sampling.penalty_last_n", "repeat-last-n", WINDOW, "Tokens that the penalties remember; 0 is off").rare(),
    Row::new(
        "sampling.penalty_repeat",
        "repeat-penalty",
        Kind::Float { min: 1e-3, max: 1e3 },
        "Makes remembered tokens less likely; 1 is off",
    )
    .env(&["LLAMA_ARG_REPEAT_PENALTY"])
    .rare(),
    Row::new("sampling.penalty_presence", "presence-penalty", PENALTY, "Taken off every remembered token; 0 is off")
        .env(&["LLAMA_ARG_PRESENCE_PENALTY"])
        .rare(),
    Row::new(
        "sampling.penalty_frequency",
        "frequency-penalty",
        PENALTY,
        "Taken off a token each time it is remembered; 0 is off",
    )
    .env(&["LLAMA_ARG_FREQUENCY_PENALTY"])
    .rare(),
    Row::new(
        "sampling.dry_multiplier",
        "dry-multiplier",
        Kind::Float { min: 0.0, max: 1e3 },
        "DRY: the penalty of going on with a repetition; 0 is off",
    )
    .rare(),
    Row::new(
        "sampling.dry_base",
        "dry-base",
        Kind::Float { min: 0.0, max: 1e3 },
        "DRY: what it grows by with each further token; below 1 is off",
    )
    .rare(),
    Row::new(
        "sampling.dry_allowed_length",
        "dry-allowed-length",
        WINDOW,
        "DRY: the shortest repetition that is penalised",
    )
    .rare(),
    Row::new(
        "sampling.dry_penalty_last_n",
        "dry-penalty-last-n",
        WINDOW,
        "DRY: tokens to look for repetitions in; 0 is off",
    )
    .rare(),
    Row::new(
        "sampling.dry_breakers",
        "dry-sequence-breaker",
        Kind::Breakers,
        "DRY: a text that no repetition goes across, again for each; the first replaces the defaults; none is no text",
    )
    .rare(),
    Row::new(
        "sampling.dynatemp_range",
        "dynatemp-range",
        Kind::Float { min: 0.0, max: 1e6 },
        "The temperature moves within this much; 0 is off",
    )
    .rare(),
    Row::new(
        "sampling.dynatemp_exponent",
        "dynatemp-exp",
        Kind::Float { min: 0.0, max: 100.0 },
        "How sureness maps to that temperature",
    )
    .rare(),
    Row::new(
        "sampling.mirostat",
        "mirostat",
        Kind::Choice(&[("off", &["0"]), ("v1", &["1"]), ("v2", &["2"])]),
        "Mirostat in place of the other stages: 0, 1 or 2",
    )
    .rare(),
    Row::new(
        "sampling.mirostat_tau",
        "mirostat-ent",
        Kind::Float { min: 0.0, max: 100.0 },
        "Mirostat: the surprise to hold, in bits",
    )
    .rare(),
    Row::new(
        "sampling.mirostat_eta",
        "mirostat-lr",
        Kind::Float { min: 0.0, max: 10.0 },
        "Mirostat: how fast it corrects",
    )
    .rare(),
    Row::new(
        "sampling.adaptive_target",
        "adaptive-target",
        Kind::Float { min: -1e6, max: 1.0 },
        "Adaptive-p: the probability that chosen tokens should have; negative is off",
    )
    .rare(),
    Row::new(
        "sampling.adaptive_decay",
        "adaptive-decay",
        Kind::Float { min: 0.0, max: 0.99 },
        "Adaptive-p: how much of the past counts",
    )
    .rare(),
    Row::new(
        "sampling.logit_bias",
        "logit-bias",
        Kind::LogitBias,
        "Makes a token more or less likely, or impossible, again for each: 15043+1, 15043-0.5 or 15043=false",
    )
    .short('l')
    .rare(),
    Row::new("sampling.ignore_eos", "ignore-eos", Kind::Switch, "Never let the model end its answer").rare(),
];
