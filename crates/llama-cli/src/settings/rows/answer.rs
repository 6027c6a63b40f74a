//! Answers, conversations, reasoning and diagnostics.

use crate::env;
use crate::settings::kind::Kind;
use crate::settings::table::{Also, Row};

const TRISTATE: Kind = Kind::Choice(&[
    ("auto", &["-1"]),
    ("on", &["true", "1", "enabled", "always"]),
    ("off", &["false", "0", "disabled", "never"]),
]);

pub(super) const ANSWER: &[Row] = &[
    Row::new(
        "answer.max_tokens",
        "max-tokens",
        Kind::Int { min: 1, max: i32::MAX as i64 - 256, unset: &[-1, -2] },
        "Most tokens of an answer; -1 is no limit",
    )
    .short('n')
    .aliases(&["n-predict", "predict"])
    .env(&["LLAMA_ARG_N_PREDICT"])
    .unset("until the model ends it or the context is full"),
    Row::new("answer.stop", "stop", Kind::Texts, "A text that ends the answer and is no part of it, again for each")
        .short('r')
        .aliases(&["reverse-prompt"]),
    Row::new(
        "answer.special",
        "special",
        Kind::Switch,
        "Write the special tokens of an answer out as text, such as markers of tools",
    )
    .one_dash(&[("sp", "special")])
    .rare(),
    Row::new("answer.grammar", "grammar", Kind::Text, "A GBNF grammar that the answer has to follow")
        .unset("none")
        .rare(),
    Row::new("answer.grammar_file", "grammar-file", Kind::Path, "A file with such a grammar").unset("none").rare(),
    Row::new(
        "answer.json_schema",
        "json-schema",
        Kind::Schema,
        "A JSON schema that the answer has to follow; {} is any object",
    )
    .short('j')
    .unset("none"),
    Row::new("answer.json_schema_file", "json-schema-file", Kind::Path, "A file with such a schema")
        .one_dash(&[("jf", "json-schema-file")])
        .unset("none"),
];

pub(super) const CHAT: &[Row] = &[
    Row::new("chat.system", "system-prompt", Kind::Text, "What the model is told before everything else")
        .aliases(&["system"])
        .one_dash(&[("sys", "system-prompt")])
        .unset("nothing"),
    Row::new(
        "chat.system_file",
        "system-prompt-file",
        Kind::Path,
        "A file with what the model is told before everything else",
    )
    .aliases(&["system-file"])
    .one_dash(&[("sysf", "system-prompt-file")])
    .unset("none"),
    Row::new(
        "chat.template",
        "chat-template",
        Kind::Text,
        "A chat template in place of the model's: its Jinja source, or chatml",
    )
    .env(&["LLAMA_ARG_CHAT_TEMPLATE"])
    .unset("the model's")
    .rare(),
    Row::new("chat.template_file", "chat-template-file", Kind::Path, "A file with such a template")
        .env(&["LLAMA_ARG_CHAT_TEMPLATE_FILE"])
        .unset("none")
        .rare(),
    Row::new(
        "chat.template_args",
        "chat-template-kwargs",
        Kind::Object,
        "More variables for the template; in a settings file a table",
    )
    .env(&["LLAMA_ARG_CHAT_TEMPLATE_KWARGS"])
    .rare(),
    Row::new("chat.show_timings", "show-timings", Kind::Switch, "Tell after each answer how fast it was")
        .env(&["LLAMA_ARG_SHOW_TIMINGS"])
        .unset("in a conversation on a terminal"),
    Row::new(
        "chat.multiline",
        "multiline-input",
        Kind::Switch,
        "Enter starts a new line; a line that ends in \\ or / is the last",
    )
    .one_dash(&[("mli", "multiline-input")])
    .rare()
    .not_in(&["run"]),
    Row::new("chat.markdown", "markdown", Kind::Switch, "Render answers as Markdown on a terminal").not_in(&["run"]),
    Row::new("chat.history", "history", Kind::Switch, "Keep typed messages for the next time").rare().not_in(&["run"]),
];

pub(super) const REASONING: &[Row] = &[
    Row::new(
        "reasoning.enabled",
        "reasoning",
        Kind::OnOff(&[("on", true), ("off", false), ("auto", true)]),
        "Let the model think, where its template has a choice",
    )
    .one_dash(&[("rea", "reasoning")])
    .env(&["LLAMA_ARG_REASONING"]),
    Row::new(
        "reasoning.budget",
        "reasoning-budget",
        Kind::Int { min: 0, max: i32::MAX as i64, unset: &[-1] },
        "Most tokens to think before the answer, where the template shows how thoughts end; -1 is no limit",
    )
    .env(&["LLAMA_ARG_THINK_BUDGET"])
    .unset("no limit"),
    Row::new(
        "reasoning.budget_message",
        "reasoning-budget-message",
        Kind::Text,
        "What is written into a thought that is ended for want of budget",
    )
    .env(&["LLAMA_ARG_THINK_BUDGET_MESSAGE"])
    .unset("nothing")
    .rare(),
    Row::new("reasoning.split", "reasoning-split", Kind::Switch, "Tell what the model thinks apart from its answer")
        .also(&[Also::new(
            "reasoning-format",
            Kind::OnOff(&[("none", false), ("auto", true), ("deepseek", true)]),
            "As upstream: none leaves the thinking in the answer",
        )
        .env("LLAMA_ARG_THINK")])
        .rare(),
    Row::new(
        "reasoning.effort",
        "reasoning-effort",
        Kind::Choice(&[
            ("none", &[]),
            ("minimal", &[]),
            ("low", &[]),
            ("medium", &[]),
            ("high", &[]),
            ("xhigh", &[]),
            ("max", &[]),
        ]),
        "How much to think, for templates that know it; none is not at all",
    )
    .env(&["LLAMA_ARG_REASONING_EFFORT"])
    .unset("the template's")
    .rare(),
    Row::new(
        "reasoning.preserve",
        "reasoning-preserve",
        Kind::Switch,
        "Let the model see in later turns what it thought before",
    )
    .env(&["LLAMA_ARG_REASONING_PRESERVE"])
    .rare(),
];

pub(super) const LOG: &[Row] = &[
    Row::new(
        "log.verbosity",
        "verbosity",
        Kind::Int { min: 0, max: 5, unset: &[] },
        "How much to log: 0 nothing, 1 errors, 2 warnings, 3 information, 4 details, 5 everything",
    )
    .aliases(&["log-verbosity"])
    .one_dash(&[("lv", "verbosity")])
    .env(&["LLAMA_ARG_LOG_VERBOSITY"])
    .unset("warnings, without llama.cpp's")
    .also(&[
        Also::new("verbose", Kind::Stands("4"), "Log what happens, in detail").short('v').aliases(&["log-verbose"]),
        Also::new("log-disable", Kind::Stands("0"), "Log nothing"),
    ]),
    Row::new(
        "log.filter",
        "log-filter",
        Kind::Text,
        "What to log, as target=level with commas between; counts before verbosity",
    )
    .env(&[env::LLAMA_LOG, env::RUST_LOG])
    .unset("by verbosity")
    .rare(),
    Row::new("log.file", "log-file", Kind::Path, "Log to the end of this file in place of stderr")
        .env(&["LLAMA_ARG_LOG_FILE"])
        .unset("stderr"),
    Row::new("log.json", "log-json", Kind::Switch, "Log one JSON object per line")
        .aliases(&["log-jsonl"])
        .env(&["LLAMA_ARG_LOG_JSONL"])
        .rare(),
    Row::new("log.colors", "log-colors", TRISTATE, "Whether logs have colours; auto is on terminals")
        .env(&["LLAMA_ARG_LOG_COLORS"])
        .rare(),
    Row::new("log.timestamps", "log-timestamps", Kind::Switch, "Log the time since the start with each line")
        .env(&["LLAMA_ARG_LOG_TIMESTAMPS"])
        .rare(),
];
