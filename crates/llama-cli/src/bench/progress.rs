//! What a person sees while it is measured: [`Progress`], a line on stderr that is drawn over, or lines where they are asked for.

use super::matrix::Case;
use crate::ui;

/// Nothing is told where nobody asked and stderr is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    lines: bool,
    drawn: bool,
    head: String,
}

impl Progress {
    /// `lines`: one for each step, which stay.
    pub(super) fn new(lines: bool) -> Self {
        let drawn = !lines && ui::stderr_is_terminal() && !ui::terminal_is_dumb();
        Self { lines, drawn, head: String::new() }
    }

    /// The next test.
    pub(super) fn test(&mut self, number: usize, of: usize, case: &Case) {
        let width = if case.test.n_parallel > 1 { format!(" x {}", case.test.n_parallel) } else { String::new() };
        self.head = format!("test {}/{of}: {}{width}", number + 1, case.test.name());
    }

    /// The next part of something else.
    pub(super) fn part(&mut self, head: &str) {
        head.clone_into(&mut self.head);
        self.tell("");
    }

    pub(super) fn loading(&self, model: &str) {
        self.tell(&format!("loading {model}"));
    }

    pub(super) fn waiting(&self, seconds: u64) {
        self.tell(&format!("waiting {seconds} s"));
    }

    pub(super) fn warming_up(&self) {
        self.tell("warming up");
    }

    pub(super) fn repetition(&self, number: u32, of: u32, kernels: bool) {
        let kernels = if kernels { "on" } else { "off" };
        self.tell(&format!("repetition {}/{of}, kernels {kernels}", number + 1));
    }

    /// A test is left out, which is always told.
    pub(super) fn skipped(&self, case: &Case) {
        self.clear();
        ui::note(&format!("{} left out: it needs {} cells, more than -c gives", self.head, case.test.cells()));
    }

    fn tell(&self, what: &str) {
        let text = if what.is_empty() { self.head.clone() } else { format!("{}: {what}", self.head) };
        if self.lines {
            ui::note(&text);
        } else if self.drawn {
            let text: String = ui::harmless(&text).chars().take(100).collect();
            ui::ask(&format!("\r\x1b[K{text}"));
        }
    }

    /// Takes the line away, before something else is printed.
    pub(super) fn clear(&self) {
        if self.drawn {
            ui::ask("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
