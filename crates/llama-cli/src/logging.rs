//! Diagnostics: from `tracing` to stderr or a file, as text or JSON.

mod json;

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::Uptime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::{env, ui};

/// llama.cpp warns about much that is normal, and logs a cancelled answer as an error. What it and the engine say about a
/// real failure is in the error that we print.
const DEFAULT: &str = "warn,llama_cpp=off,llama_runtime=off";

/// What each of upstream's numbers lets through. Other people's crates are left out of the details.
const VERBOSITY: [&str; 6] = [
    "off",
    "error",
    "warn",
    "info,llama_cpp=warn",
    "info,llama_cli=debug,llama_core=debug,llama_runtime=debug,llama_cpp=info",
    "debug,llama_cli=trace,llama_core=trace,llama_runtime=trace,llama_cpp=trace",
];

/// Diagnostics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// How much, in upstream's numbers from 0 to 5. Default: `None`, warnings without those of llama.cpp.
    pub(crate) verbosity: Option<u8>,
    /// What to log, as `target=level,..`; counts before `verbosity`.
    pub(crate) filter: Option<String>,
    /// Where to, in place of stderr.
    pub(crate) file: Option<PathBuf>,
    /// One JSON object per line.
    pub(crate) json: bool,
    /// Whether there are colours.
    pub(crate) colors: Colors,
    /// Tell the time since the start.
    pub(crate) timestamps: bool,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Colors {
    /// On a terminal that wants them.
    #[default]
    Auto,
    On,
    Off,
}

/// Starts logging for a command without settings: to stderr, as [`env::LLAMA_LOG`] or [`env::RUST_LOG`] wants it.
pub(crate) fn start_plain() {
    let set = [env::LLAMA_LOG, env::RUST_LOG]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| (name, text)));
    let filter = set.and_then(|(name, text)| match EnvFilter::try_new(&text) {
        Ok(filter) => Some(filter),
        Err(error) => {
            ui::note(&format!("warning: {name} is {text}, which is no log filter ({error}); try debug"));
            None
        }
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(DEFAULT)));
    // As in `start`.
    let _ = builder.with_writer(std::io::stderr).with_ansi(ui::stderr_has_colours()).without_time().try_init();
}

/// Starts logging as the settings want it. Nothing is logged before; once started, it stays as it is. `subject` tells where
/// the setting of a key stands, and what it is.
///
/// # Errors
///
/// A filter that is none, or a file that cannot be written, with where it was set.
pub(crate) fn start(settings: &LogSettings, subject: impl Fn(&str) -> String) -> anyhow::Result<()> {
    static STARTED: OnceLock<()> = OnceLock::new();
    let filter = filter(settings)
        .map_err(|error| anyhow!("{}, which is no log filter ({error}); try debug", subject("log.filter")))?;
    let (writer, terminal) = match &settings.file {
        None => (BoxMakeWriter::new(std::io::stderr), ui::stderr_has_colours()),
        Some(path) => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            let file = file.with_context(|| format!("{}, which cannot be written", subject("log.file")))?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    let colours = match settings.colors {
        Colors::Auto => terminal,
        Colors::On => true,
        Colors::Off => false,
    };
    if STARTED.set(()).is_err() {
        return Ok(());
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    // Somebody else's subscriber, as in tests, may be there already: then that one logs.
    let _ = match (settings.json, settings.timestamps) {
        (true, _) => builder.with_ansi(false).event_format(json::Lines).try_init(),
        (false, true) => builder.with_timer(Uptime::default()).try_init(),
        (false, false) => builder.without_time().try_init(),
    };
    Ok(())
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let by_number = settings.verbosity.and_then(|number| VERBOSITY.get(usize::from(number)).copied());
    EnvFilter::try_new(settings.filter.as_deref().unwrap_or(by_number.unwrap_or(DEFAULT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verbosity_is_a_filter() {
        for text in VERBOSITY.iter().chain([&DEFAULT]) {
            EnvFilter::try_new(text).unwrap();
        }
    }
}
