//! Starting an engine for `run` and `chat`, and telling how fast it was.

use std::time::Duration;

use llama_runtime::{ModelSpec, Progress, Runtime, Timings, Usage};

use crate::args::ModelArgs;
use crate::{demo, ui};

/// Loads the model that was asked for, or the demo model with its notice. On a terminal the progress is shown.
pub(crate) fn engine(args: &ModelArgs) -> anyhow::Result<Runtime> {
    let spec = match &args.model {
        Some(path) => ModelSpec::path(path),
        None => {
            demo::notice();
            ModelSpec::bytes(demo::IMAGE)
        }
    };
    let show = ui::stderr_is_terminal();
    let mut shown = None;
    let runtime = Runtime::start_with(spec, args.engine_options(), move |share| {
        let percent = (share * 100.0).round();
        // Small models are there before the line could be read.
        if show && share < 1.0 && shown != Some(percent) {
            shown = Some(percent);
            ui::ask(&format!("\rLoading the model: {percent} %"));
        }
        Progress::Continue
    });
    if show {
        // Back to the start of the line, and clear it.
        ui::ask("\r\x1b[K");
    }
    Ok(runtime?)
}

/// One line about the speed of an answer.
pub(crate) fn speeds(usage: &Usage, timings: &Timings) -> String {
    let prompt = rate(usage.prompt.saturating_sub(usage.reused), timings.prompt);
    let generation = rate(usage.generated, timings.generation);
    format!("[ Prompt: {prompt:.1} t/s | Generation: {generation:.1} t/s ]")
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(tokens: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { tokens as f64 / time.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_computed_tokens_count_for_the_speed() {
        let mut usage = Usage::default();
        (usage.prompt, usage.reused, usage.generated) = (30, 10, 5);
        let mut timings = Timings::default();
        assert_eq!(speeds(&usage, &timings), "[ Prompt: 0.0 t/s | Generation: 0.0 t/s ]");
        (timings.prompt, timings.generation) = (Duration::from_millis(100), Duration::from_millis(500));
        assert_eq!(speeds(&usage, &timings), "[ Prompt: 200.0 t/s | Generation: 10.0 t/s ]");
    }
}
