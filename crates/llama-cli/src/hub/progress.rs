//! What a person sees of a download: a bar on a terminal, and a line elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::interrupt::LastWords;
use crate::ui;

/// One download. What was there at its beginning is not counted into its rate.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    _words: LastWords,
}

impl Progress {
    /// Announces a file.
    pub(crate) fn start(path: &str, size: u64, there: u64) -> Self {
        // A terminal that cannot move its cursor gets no bar, and neither does a file or a pipe.
        let bar = if ui::stderr_is_terminal() {
            ProgressBar::with_draw_target(Some(size), ProgressDrawTarget::stderr_with_hz(10))
        } else {
            ProgressBar::hidden()
        };
        if bar.is_hidden() {
            let resumed = if there > 0 { format!(", {} of it are here", bytes(there)) } else { String::new() };
            ui::note(&format!("Downloading {path} ({}{resumed})", bytes(size)));
        }
        bar.set_style(style());
        bar.set_message(path.to_owned());
        bar.set_position(there);
        bar.reset_eta();
        let words = format!("Stopped. What came of {path} is kept, and the next call goes on from there.");
        Self { bar, _words: LastWords::leave(words) }
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// The transfer goes on from another byte.
    pub(crate) fn jump(&self, position: u64) {
        self.bar.set_position(position);
        self.bar.reset_eta();
    }

    /// Says something without spoiling the bar.
    pub(crate) fn note(&self, text: &str) {
        self.bar.suspend(|| ui::note(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}/s", bytes_of(state.per_sec()));
    };
    let here = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{} of {}", bytes(state.pos()), bytes(state.len().unwrap_or(0)));
    };
    // Without colours, so that there is nothing to turn off.
    ProgressStyle::with_template("{wide_msg} [{bar:20}] {percent:>3} %  {here}  {rate}  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("rate", rate)
        .with_key("here", here)
}

/// A number of bytes for people: `1.5 GiB`.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(crate) fn bytes(count: u64) -> String {
    bytes_of(count as f64)
}

fn bytes_of(count: f64) -> String {
    if count < 1024.0 {
        return format!("{count:.0} B");
    }
    let mut value = count;
    for unit in ["KiB", "MiB", "GiB"] {
        value /= 1024.0;
        if value < 1023.95 {
            return format!("{value:.1} {unit}");
        }
    }
    format!("{:.1} TiB", value / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        for (count, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(bytes(count), expected);
        }
        assert_eq!(bytes(3 << 40), "3.0 TiB");
    }
}
