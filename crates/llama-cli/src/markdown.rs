//! Answers in Markdown, shown on a terminal while they are written.
//!
//! What was printed is never taken back: a piece of a line is held only as long as it could still become a marker or a
//! span, at most to the end of the line. What turns out to be neither is printed as it was written, so no text is lost or
//! changed; only the markers of what is really marked go. Lines are as long as they come, and the terminal wraps them. It
//! is no complete Markdown: tables, HTML and whatever else is unknown are shown as they are written.

mod inline;
mod style;

use inline::Inline;
use style::{BOLD, CODE, DIM, Style, UNDERLINE};

use crate::ui;

/// Longest beginning of a line that may still become a marker, in bytes.
const MAX_START: usize = 256;

/// How wide a rule is drawn.
const RULE: usize = 40;

/// What is being written.
#[derive(Debug, Default)]
pub(crate) struct Markdown {
    /// Where in its line it is.
    place: Place,
    /// The beginning of the line, as long as it may be a marker.
    start: String,
    /// The style of the rest of this line.
    base: Style,
    inline: Inline,
    /// What began the block of code that is open: the character, and how many.
    fence: Option<(char, usize)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is open what kind of line this is.
    #[default]
    Start,
    /// Text with spans.
    Text,
    /// Code, or a heading of it: nothing in it means anything.
    Code,
}

/// What the beginning of a line is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// It takes more to tell.
    Open,
    Text,
    Heading(usize),
    /// A mark that is drawn as this text, and the line begins again behind it.
    Mark(&'static str),
}

impl Markdown {
    /// Takes more of the answer, and gives what to print of it now.
    pub(crate) fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for c in ui::harmless(text).chars() {
            self.take(c, &mut out);
        }
        out
    }

    /// The answer has ended; gives what was held.
    pub(crate) fn finish(&mut self) -> String {
        let mut out = String::new();
        self.end_line(&mut out);
        self.fence = None;
        out
    }

    fn take(&mut self, c: char, out: &mut String) {
        if c == '\n' {
            self.end_line(out);
            out.push('\n');
            return;
        }
        match self.place {
            Place::Text => self.inline.take(c, self.base, out),
            Place::Code => out.push(c),
            Place::Start => {
                self.start.push(c);
                match self.fence {
                    Some(fence) => self.begin_code(fence, out),
                    None => self.begin(out),
                }
            }
        }
    }

    /// In a block of code only its end means something.
    fn begin_code(&mut self, (mark, _): (char, usize), out: &mut String) {
        let may_end = self.start.trim_matches([' ', '\t']).chars().all(|c| c == mark);
        if !may_end || self.start.len() > MAX_START {
            self.code(out);
        }
    }

    fn code(&mut self, out: &mut String) {
        self.place = Place::Code;
        self.base = CODE;
        style::switch(Style::default(), CODE, out);
        out.push_str(&std::mem::take(&mut self.start));
    }

    fn begin(&mut self, out: &mut String) {
        let body = self.start.trim_start_matches([' ', '\t']);
        let indent = self.start.len() - body.len();
        match kind(body) {
            Kind::Open if self.start.len() <= MAX_START => {}
            Kind::Open | Kind::Text => self.text(out),
            Kind::Heading(level) => {
                out.push_str(&self.start[..indent]);
                self.start.clear();
                self.base = if level == 1 { BOLD | UNDERLINE } else { BOLD };
                style::switch(Style::default(), self.base, out);
                self.place = Place::Text;
            }
            Kind::Mark(drawn) => {
                let rest = body.chars().skip(1).collect::<String>();
                out.push_str(&self.start[..indent]);
                style::switch(Style::default(), DIM, out);
                out.push_str(drawn);
                style::switch(DIM, Style::default(), out);
                self.start.clear();
                // A list in a list, a heading in a quote.
                for c in rest.chars() {
                    self.take(c, out);
                }
            }
        }
    }

    /// The line is text, from its beginning.
    fn text(&mut self, out: &mut String) {
        self.place = Place::Text;
        for c in std::mem::take(&mut self.start).chars() {
            self.inline.take(c, self.base, out);
        }
    }

    fn end_line(&mut self, out: &mut String) {
        if self.place == Place::Start && !self.start.is_empty() {
            self.whole_line(out);
        }
        self.inline.end(self.base, out);
        style::switch(self.base, Style::default(), out);
        (self.place, self.base) = (Place::Start, Style::default());
        self.start.clear();
    }

    /// The line is over, and all of it was held.
    fn whole_line(&mut self, out: &mut String) {
        let body = self.start.trim();
        let run = fence(body);
        match (self.fence, run) {
            (Some((mark, least)), Some((c, n))) if c == mark && n >= least && body.len() == n => {
                self.fence = None;
                self.dim(out);
            }
            (Some(_), _) => self.code(out),
            (None, Some(opened)) => {
                self.fence = Some(opened);
                self.dim(out);
            }
            (None, None) if is_rule(body) => {
                style::switch(Style::default(), DIM, out);
                out.extend(std::iter::repeat_n('─', RULE));
                style::switch(DIM, Style::default(), out);
            }
            (None, None) => self.text(out),
        }
    }

    fn dim(&mut self, out: &mut String) {
        style::switch(Style::default(), DIM, out);
        out.push_str(&std::mem::take(&mut self.start));
        style::switch(DIM, Style::default(), out);
    }
}

/// What a line begins with; `body` is what there is of it so far, without its indent.
fn kind(body: &str) -> Kind {
    let Some(first) = body.chars().next() else { return Kind::Open };
    let run = body.chars().take_while(|c| *c == first).count();
    let next = body.chars().nth(run);
    match first {
        '#' if run > 6 => Kind::Text,
        '#' => match next {
            None => Kind::Open,
            Some(' ') => Kind::Heading(run),
            Some(_) => Kind::Text,
        },
        '>' => Kind::Mark("│"),
        // The whole line tells whether it begins code: "```a```" is a span.
        '`' | '~' if next.is_none() || run >= 3 => Kind::Open,
        '-' | '*' | '+' | '_' if body.chars().all(|c| c == first || c == ' ') => Kind::Open,
        '-' | '*' | '+' if run == 1 && next == Some(' ') => Kind::Mark("•"),
        _ => Kind::Text,
    }
}

/// The mark that begins or ends a block of code.
fn fence(line: &str) -> Option<(char, usize)> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let run = line.chars().take_while(|c| *c == mark).count();
    (run >= 3 && !(mark == '`' && line[run..].contains('`'))).then_some((mark, run))
}

fn is_rule(line: &str) -> bool {
    let Some(mark) = line.chars().next().filter(|c| matches!(c, '-' | '*' | '_')) else { return false };
    line.chars().filter(|c| *c == mark).count() >= 3 && line.chars().all(|c| c == mark || c == ' ')
}

#[cfg(test)]
mod tests;
