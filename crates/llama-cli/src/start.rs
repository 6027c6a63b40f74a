//! Starting an engine for `run` and `chat`, and telling how fast it was.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::anyhow;
use llama_runtime::blocking::block_on;
use llama_runtime::{ModelInfo, ModelSpec, Progress, Runtime, StartError, Timings, Usage};

use crate::settings::{Effective, Purpose, adapter_name};
use crate::threads::Kept;
use crate::{demo, gpu, hub, record, ui};

/// What to load: the file that was named, the one in the hub, or the demo model with its notice. With where the best number of
/// threads is kept, if it is.
///
/// # Errors
///
/// Why there is no such model.
pub(crate) fn spec(effective: &Effective) -> anyhow::Result<(ModelSpec, Option<Kept>)> {
    gpu::check(effective)?;
    let source = &effective.settings.model;
    let path = match (&source.path, &source.hf) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(repo)) => Some(hub::locate(source, repo)?),
        (None, None) => None,
    };
    let kept = path.as_ref().and_then(|path| Kept::of(path, &effective.settings));
    let spec = path.map_or_else(
        || {
            demo::notice();
            ModelSpec::bytes(demo::IMAGE)
        },
        ModelSpec::path,
    );
    let adapters = source.adapters.iter().enumerate();
    let spec = adapters.fold(spec, |spec, (i, adapter)| spec.adapter(adapter_name(i), &adapter.path));
    let known = kept.as_ref().and_then(Kept::read);
    Ok((known.into_iter().fold(spec, ModelSpec::known_threads), kept))
}

/// Loads the model that was asked for. On a terminal the progress is shown.
///
/// # Errors
///
/// Why it cannot be loaded.
pub(crate) fn engine(effective: &Effective, purpose: Purpose) -> anyhow::Result<(Runtime, ModelInfo)> {
    let (spec, kept) = spec(effective)?;
    let runtime = Runtime::builder().model("model", spec).engine(effective.engine_config(purpose));
    if !ui::stderr_is_terminal() || ui::terminal_is_dumb() {
        return load(runtime.build_blocking(), effective, kept);
    }
    let shown = AtomicU32::new(100);
    let runtime = runtime.on_load(move |_, share| {
        let percent = percent(share);
        // Small models are there before the line could be read.
        if percent < 100 && shown.swap(percent, Ordering::Relaxed) != percent {
            ui::ask(&format!("\rLoading the model: {percent} %"));
        }
        Progress::Continue
    });
    let runtime = runtime.build_blocking();
    // Back to the start of the line, and clear it.
    ui::ask("\r\x1b[K");
    load(runtime, effective, kept)
}

/// What the model of a runtime can do.
fn load(
    built: Result<Runtime, StartError>,
    effective: &Effective,
    kept: Option<Kept>,
) -> anyhow::Result<(Runtime, ModelInfo)> {
    let loaded = built.and_then(|runtime| {
        let info = block_on(runtime.load(None))?;
        Ok((runtime, info))
    });
    let (runtime, info) = loaded.map_err(plain)?;
    gpu::check_loaded(effective.settings.model.require_gpu, &info)?;
    if let Some(kept) = kept {
        kept.write(&info.threads);
    }
    Ok((runtime, info))
}

/// The reason alone, where there is only one model: it names the file.
pub(crate) fn plain(error: StartError) -> anyhow::Error {
    match error {
        StartError::NotStarted { source, .. } => match source.as_ref() {
            StartError::ChatTemplate(error) => anyhow!(
                "the chat template that is set cannot be used: {error}; correct it, or leave it out to use the model's own \
                 (`llama-cli config show` tells where chat.template is set)"
            ),
            source => anyhow!("{source}"),
        },
        error => error.into(),
    }
}

/// How much of something is done, for people.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100")]
pub(crate) fn percent(share: f32) -> u32 {
    (share * 100.0).round().clamp(0.0, 100.0) as u32
}

/// One line about the speed of a request that had so many `answers` (choices); nothing of the generation where no token came
/// after the first.
pub(crate) fn speeds(usage: &Usage, timings: &Timings, answers: usize) -> String {
    let prompt = record::per_second(usage.prompt.saturating_sub(usage.reused), timings.prompt);
    let generation = record::generation_rate(usage, timings, answers);
    let generation = generation.map_or_else(String::new, |rate| format!(" | Generation: {rate:.1} t/s"));
    format!("[ Prompt: {prompt:.1} t/s{generation} ]")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_tokens_that_were_computed_in_the_time_count_for_the_speed() {
        let mut usage = Usage::default();
        (usage.prompt, usage.reused, usage.generated) = (30, 10, 5);
        let mut timings = Timings::default();
        assert_eq!(speeds(&usage, &timings, 1), "[ Prompt: 0.0 t/s ]");
        (timings.prompt, timings.generation) = (Duration::from_millis(100), Duration::from_millis(500));
        assert_eq!(speeds(&usage, &timings, 1), "[ Prompt: 200.0 t/s | Generation: 8.0 t/s ]");
        assert_eq!(speeds(&usage, &timings, 2), "[ Prompt: 200.0 t/s | Generation: 6.0 t/s ]");
        usage.generated = 1;
        assert_eq!(speeds(&usage, &timings, 1), "[ Prompt: 200.0 t/s ]");
    }
}
