//! The rules of `docs/architecture.md` about who may name whom, as data.

/// Where Rust sources are.
pub(super) const SOURCE_FOLDERS: &[&str] = &["crates", "benches", "examples", "tests", "xtask"];

/// May be a dev-dependency of every crate.
pub(super) const TEST_KIT: &str = "llama-testkit";

/// What one package may depend on.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) package: &'static str,
    /// Of our own crates.
    pub(super) ours: &'static [&'static str],
    /// Of other people's crates, dev-dependencies aside; `None` for what no user ever builds.
    pub(super) others: Option<&'static [&'static str]>,
}

pub(super) const LAYERS: &[Layer] = &[
    Layer { package: "llama-sys", ours: &[], others: Some(&["bindgen", "cc", "cmake", "serde_json"]) },
    Layer { package: "llama-kernels", ours: &[], others: Some(&[]) },
    Layer {
        package: "llama-core",
        ours: &["llama-sys", "llama-kernels"],
        others: Some(&["regex", "serde", "serde_json", "thiserror", "tracing"]),
    },
    Layer {
        package: "llama-runtime",
        ours: &["llama-core"],
        others: Some(&[
            "futures-core",
            "llguidance",
            "metrics",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "toktrie",
            "tracing",
        ]),
    },
    Layer {
        package: "llama-cli",
        // llama-core only for the commands that NAMES lists.
        ours: &["llama-runtime", "llama-core"],
        others: Some(&[
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "crossterm",
            "ctrlc",
            "etcetera",
            "glob",
            "indicatif",
            "reedline",
            "rustix",
            "serde",
            "serde_json",
            "sha2",
            "signal-hook",
            "strsim",
            "toml",
            "tracing",
            "tracing-subscriber",
            "ureq",
        ]),
    },
    Layer { package: TEST_KIT, ours: &[], others: Some(&["serde", "serde_json"]) },
    // Overhead is measured against raw calls, so the benchmarks may go all the way down.
    Layer { package: "llama-rs-benches", ours: &["llama-sys", "llama-core", "llama-runtime", TEST_KIT], others: None },
    Layer { package: "llama-rs-examples", ours: &["llama-core", "llama-runtime"], others: None },
    Layer { package: "llama-rs-tests", ours: &["llama-core", "llama-runtime", "llama-cli", TEST_KIT], others: None },
    Layer { package: "xtask", ours: &[], others: Some(&["bindgen", "serde_json"]) },
];

/// A set of files, by path from the top of the workspace.
#[derive(Debug)]
pub(super) enum Place {
    Everywhere,
    /// All below a folder; ends with `/`.
    Under(&'static str),
    /// A module's file or folder, without `.rs`.
    Module(&'static str),
}

/// A name that may not stand in code (comments, strings and test modules aside).
#[derive(Debug)]
pub(super) struct NameRule {
    /// An identifier, or identifiers with `::` between them; a macro ends with `!`.
    pub(super) name: &'static str,
    pub(super) applies: Place,
    pub(super) except: &'static [Place],
    pub(super) why: &'static str,
}

const CORE: Place = Place::Under("crates/llama-core/src/");
const RUNTIME: Place = Place::Under("crates/llama-runtime/src/");
const CLI: Place = Place::Under("crates/llama-cli/src/");
const ONLY_CORE: &str = "only llama-core names llama-sys";
const QUIET: &str = "a library does not print: use tracing";
const VIA_UI: &str = "what is printed goes through ui.rs, which knows closed pipes";
const NO_FILES: &str = "llama-runtime is told everything: it reads no environment and no files";

pub(super) const NAMES: &[NameRule] = &[
    NameRule {
        name: "llama_sys",
        applies: Place::Everywhere,
        except: &[Place::Under("crates/llama-sys/"), CORE, Place::Under("benches/")],
        why: ONLY_CORE,
    },
    NameRule {
        name: "ffi",
        applies: Place::Everywhere,
        // The standard library has a module of this name: std::ffi is told apart in source.rs.
        except: &[CORE, Place::Under("benches/")],
        why: ONLY_CORE,
    },
    NameRule {
        name: "llama_core",
        applies: CLI,
        except: &[
            Place::Module("crates/llama-cli/src/ahead"),
            Place::Module("crates/llama-cli/src/bench"),
            Place::Module("crates/llama-cli/src/commands/config"),
            Place::Module("crates/llama-cli/src/commands/devices"),
            Place::Module("crates/llama-cli/src/commands/doctor"),
            Place::Module("crates/llama-cli/src/commands/models"),
            Place::Module("crates/llama-cli/src/commands/template"),
            Place::Module("crates/llama-cli/src/commands/tokenize"),
            Place::Module("crates/llama-cli/src/gpu"),
        ],
        why: "only what inspects a model or the devices, or measures bare decoding, skips llama-runtime",
    },
    NameRule {
        name: "unsafe",
        applies: Place::Everywhere,
        except: &[
            Place::Under("crates/llama-sys/"),
            Place::Under("crates/llama-core/"),
            Place::Under("benches/"),
            Place::Module("crates/llama-kernels/src/block"),
            Place::Module("crates/llama-kernels/src/float"),
            Place::Module("crates/llama-kernels/src/hook"),
            Place::Module("crates/llama-kernels/src/product"),
            Place::Module("crates/llama-kernels/src/quant"),
            Place::Module("crates/llama-kernels/src/simd"),
            // CPU time of a thread.
            Place::Under("crates/llama-kernels/benches/"),
            // Pages without access.
            Place::Module("crates/llama-kernels/tests/oracle/guard"),
        ],
        why: "unsafe code is for llama-sys, llama-core, and the kernels themselves",
    },
    NameRule {
        name: "crate::engine",
        applies: RUNTIME,
        except: &[
            Place::Module("crates/llama-runtime/src/engine"),
            Place::Module("crates/llama-runtime/src/host"),
            Place::Module("crates/llama-runtime/src/testing"),
        ],
        why: "an engine is driven by its thread, in host.rs, and by nobody else",
    },
    NameRule { name: "std::env", applies: RUNTIME, except: &[], why: NO_FILES },
    NameRule { name: "std::fs", applies: RUNTIME, except: &[], why: NO_FILES },
    NameRule { name: "println!", applies: RUNTIME, except: &[], why: QUIET },
    NameRule { name: "print!", applies: RUNTIME, except: &[], why: QUIET },
    NameRule { name: "eprintln!", applies: RUNTIME, except: &[], why: QUIET },
    NameRule { name: "eprint!", applies: RUNTIME, except: &[], why: QUIET },
    NameRule { name: "println!", applies: CORE, except: &[], why: QUIET },
    NameRule { name: "print!", applies: CORE, except: &[], why: QUIET },
    NameRule { name: "eprintln!", applies: CORE, except: &[], why: QUIET },
    NameRule { name: "eprint!", applies: CORE, except: &[], why: QUIET },
    NameRule { name: "println!", applies: CLI, except: &[], why: VIA_UI },
    NameRule { name: "print!", applies: CLI, except: &[], why: VIA_UI },
    NameRule { name: "eprintln!", applies: CLI, except: &[], why: VIA_UI },
    NameRule { name: "eprint!", applies: CLI, except: &[], why: VIA_UI },
    NameRule {
        name: "std::process::exit",
        applies: CLI,
        except: &[Place::Module("crates/llama-cli/src/interrupt")],
        why: "interrupt::leave puts the terminal back first",
    },
];

/// Crate roots that rule unsafe code out for good.
pub(super) const SAFE_ROOTS: &[&str] = &[
    "crates/llama-cli/src/main.rs",
    "crates/llama-runtime/src/lib.rs",
    "crates/llama-testkit/src/lib.rs",
    "xtask/src/main.rs",
];

/// The modules of one crate, lowest first. A module imports only from what stands before it, in its row too, so that there
/// can be no cycle.
#[derive(Debug)]
pub(super) struct Order {
    /// Where its sources are; ends with `/`.
    pub(super) source: &'static str,
    pub(super) rows: &'static [&'static [&'static str]],
    /// The exception: parts of one thing, which may name each other.
    pub(super) together: &'static [&'static str],
}

pub(super) const ORDERS: &[Order] = &[
    Order {
        source: "crates/llama-core/src/",
        rows: &[
            &["ids", "digest", "text", "stop", "gguf", "raw"],
            &["kernels", "log", "backend", "devices"],
            &["model"],
            &["vocab", "chat", "batch", "adapter", "context"],
            &["outputs", "memory", "state", "plan"],
            &["sampler", "decode"],
            &["session"],
        ],
        together: &[],
    },
    Order {
        source: "crates/llama-runtime/src/",
        rows: &[
            // Where threads meet; these import nothing.
            &["sync", "mailbox", "stage", "blocking"],
            // Plain data and pure structures.
            &["ids", "priority", "plan", "queue", "prefix", "estimate", "cells", "sequence", "template", "threads"],
            // What callers give and get.
            &["config", "structure", "start", "request", "rejected", "error", "event", "saved", "conversation"],
            // Computing, deciding, and what comes of a token.
            &["executor", "scheduler", "bounds", "writer"],
            &["stats", "metrics", "observe"],
            // One model as all threads see it.
            &["spec", "loaded", "ticket", "job", "watch", "memory", "shared"],
            &["validate", "generation"],
            &["engine", "host", "runtime"],
            &["bench", "testing"],
        ],
        // A request tells its model that it ends, and the model ends its requests; the timer and the budget wake both.
        together: &["ticket", "job", "watch", "memory", "shared"],
    },
    Order {
        source: "crates/llama-cli/src/",
        rows: &[
            // The world around: variables, the terminal, the end, Ctrl+C, the log, files.
            &["env", "ui", "exit", "interrupt", "logging", "replace", "ahead"],
            // How times and answers are written down.
            &["calendar", "record"],
            // What was wanted, and the model that is meant.
            &["settings", "hub", "demo", "gpu", "threads", "start"],
            // Answers as they are shown.
            &["markdown", "answer", "escapes"],
            // Those that are more than a command.
            &["batch", "bench", "chat"],
            &["commands", "args", "main"],
        ],
        together: &[],
    },
];

/// Files that take only some names of another crate.
#[derive(Debug)]
pub(super) struct Few {
    pub(super) files: &'static [Place],
    pub(super) from: &'static str,
    pub(super) names: &'static [&'static str],
    pub(super) why: &'static str,
}

pub(super) const FEW: &[Few] = &[Few {
    files: &[
        Place::Module("crates/llama-runtime/src/scheduler"),
        Place::Module("crates/llama-runtime/src/plan"),
        Place::Module("crates/llama-runtime/src/queue"),
        Place::Module("crates/llama-runtime/src/prefix"),
        Place::Module("crates/llama-runtime/src/estimate"),
        Place::Module("crates/llama-runtime/src/cells"),
        Place::Module("crates/llama-runtime/src/sequence"),
    ],
    from: "llama_core",
    names: &["Token", "SeqId"],
    why: "who decides knows ids, not what computes",
}];
