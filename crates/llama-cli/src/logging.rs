//! Diagnostics: from `tracing` to stderr.

use std::env;

use tracing_subscriber::EnvFilter;

use crate::ui;

/// What to log, as `target=level,..`; the first that is set counts.
const VARIABLES: [&str; 2] = ["LLAMA_LOG", "RUST_LOG"];

/// llama.cpp warns about much that is normal, and logs a cancelled answer as an error. What it and the engine say about a
/// real failure is in the error that we print.
const DEFAULT: &str = "warn,llama_cpp=off,llama_runtime=off";

/// Starts logging. Nothing is logged before.
pub(crate) fn start() {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(std::io::stderr)
        .with_ansi(ui::stderr_has_colours())
        .without_time()
        .init();
}

fn filter() -> EnvFilter {
    let set =
        VARIABLES.iter().find_map(|name| env::var(name).ok().filter(|text| !text.is_empty()).map(|text| (name, text)));
    let Some((name, text)) = set else { return EnvFilter::new(DEFAULT) };
    EnvFilter::try_new(&text).unwrap_or_else(|error| {
        ui::note(&format!("warning: {name}={text:?} is no log filter ({error}); try {name}=debug"));
        EnvFilter::new(DEFAULT)
    })
}
