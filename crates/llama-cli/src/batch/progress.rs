//! What a person sees of a job on stderr: the bar while it runs, and the summary: [`Progress`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use llama_runtime::Usage;

use super::input::Input;
use crate::ui;

/// Until the number of inputs is known.
const UNKNOWN: u64 = u64::MAX;

/// What was done, and the bar that shows it.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    total: Arc<AtomicU64>,
    started: Instant,
    /// Records of earlier runs, and how many of them failed.
    before: (u64, u64),
    pub(super) answered: u64,
    pub(super) failed: u64,
    usage: Usage,
}

impl Progress {
    /// `shown`: whether somebody may want to see a bar. Records of earlier runs, and how many of them failed, are `before`.
    pub(super) fn new(inputs: &[Input], shown: bool, before: (u64, u64)) -> Self {
        let shown = shown && ui::stderr_is_terminal() && !ui::terminal_is_dumb();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_style(style("{spinner} {pos} done{msg}"));
        bar.set_position(before.0);
        bar.reset_eta();
        let total = Arc::new(AtomicU64::new(UNKNOWN));
        if shown && inputs.iter().all(Input::is_file) {
            count(inputs.to_vec(), Arc::clone(&total));
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, total, started: Instant::now(), before, answered: 0, failed: 0, usage: Usage::default() }
    }

    /// An input has its record.
    pub(super) fn count(&mut self, usage: Usage, failed: bool) {
        self.usage.prompt += usage.prompt;
        self.usage.reused += usage.reused;
        self.usage.generated += usage.generated;
        if failed {
            self.failed += 1;
        } else {
            self.answered += 1;
        }
        self.show();
    }

    fn show(&self) {
        let total = self.total.load(Ordering::Relaxed);
        if total != UNKNOWN && self.bar.length().is_none() {
            self.bar.set_length(total);
            self.bar.set_style(style("{wide_bar} {pos}/{len} done{msg}, {eta} left"));
        }
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        self.bar.set_message(format!("{failed}, {:.1} tokens/s", self.rate()));
        self.bar.set_position(self.before.0 + self.answered + self.failed);
    }

    /// For other threads that have something to say.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Records that say that an input failed, earlier ones too.
    pub(super) fn all_failed(&self) -> u64 {
        self.failed + self.before.1
    }

    /// What was done, in two lines.
    pub(super) fn summary(&self) -> String {
        let mut text = format!("{} answered, {} failed", self.answered, self.failed);
        match self.before {
            (0, _) => {}
            (before, 0) => text.push_str(&format!("; {before} there already")),
            (before, failed) => text.push_str(&format!("; {before} there already, {failed} of them failed")),
        }
        if self.failed > 0 {
            text.push_str("; their records say why");
        }
        let Usage { prompt, reused, generated, .. } = self.usage;
        text.push_str(&format!(
            "\n{generated} tokens written in {:.1} s ({:.1} tokens/s); {reused} of {prompt} prompt tokens were computed before",
            self.started.elapsed().as_secs_f64(),
            self.rate(),
        ));
        text
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn rate(&self) -> f64 {
        self.usage.generated as f64 / self.started.elapsed().as_secs_f64().max(1e-3)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Counts the inputs beside the work. It reads the files once more, which is quick compared with answering them.
fn count(inputs: Vec<Input>, total: Arc<AtomicU64>) {
    let counting = move || {
        let mut counted = 0;
        for input in inputs {
            let Ok(mut reading) = input.open() else { return };
            while let Ok(Some(_)) = reading.next() {
                counted += 1;
            }
        }
        total.store(counted, Ordering::Relaxed);
    };
    // Without it there is a bar without an end.
    let _ = std::thread::Builder::new().name("count".into()).spawn(counting);
}
