//! Spans in a line: emphasis, code, links. What is open is held until it is closed.

use super::style::{self, BOLD, CODE, DIM, ITALIC, STRUCK, Style, UNDERLINE};

/// Longest span, in bytes; a longer one is shown as it was written.
const MAX_SPAN: usize = 1024;

/// How deep spans may be in each other.
const MAX_DEPTH: u8 = 8;

/// Where in the text of a line it is.
#[derive(Debug, Default)]
pub(super) struct Inline {
    /// From the mark that may begin a span on; empty if nothing is open.
    held: String,
    /// The last character before it.
    before: Option<char>,
    depth: u8,
}

/// What is held.
enum Judged {
    /// It takes more to tell.
    Open,
    /// The mark of so many bytes is text.
    Text(usize),
    /// A span of so many bytes.
    Span(usize, Span),
}

enum Span {
    /// Text that may have spans of its own.
    Marked(String, Style),
    Code(String),
    Link {
        text: String,
        to: String,
    },
}

impl Inline {
    /// Takes a character of a line of the style `base`.
    pub(super) fn take(&mut self, c: char, base: Style, out: &mut String) {
        if self.held.is_empty() && !begins(c) {
            self.before = Some(c);
            out.push(c);
            return;
        }
        self.held.push(c);
        self.settle(false, base, out);
    }

    /// The line is over.
    pub(super) fn end(&mut self, base: Style, out: &mut String) {
        self.settle(true, base, out);
        self.before = None;
    }

    /// Prints all of what is held that can be told, which is everything at the end of the line.
    fn settle(&mut self, over: bool, base: Style, out: &mut String) {
        while let Some(first) = self.held.chars().next() {
            if !begins(first) {
                self.print(first.len_utf8(), out);
                continue;
            }
            match judge(&self.held, self.before, over || self.held.len() > MAX_SPAN) {
                Judged::Open => return,
                Judged::Text(mark) => self.print(mark, out),
                Judged::Span(end, span) => {
                    self.before = self.held[..end].chars().next_back();
                    self.held.drain(..end);
                    self.show(span, base, out);
                }
            }
        }
    }

    fn print(&mut self, bytes: usize, out: &mut String) {
        self.before = self.held[..bytes].chars().next_back();
        out.push_str(&self.held[..bytes]);
        self.held.drain(..bytes);
    }

    fn show(&self, span: Span, base: Style, out: &mut String) {
        let styled = |text: &str, style: Style, out: &mut String| {
            style::switch(base, base | style, out);
            if self.depth < MAX_DEPTH {
                let mut inner = Self { depth: self.depth + 1, ..Self::default() };
                for c in text.chars() {
                    inner.take(c, base | style, out);
                }
                inner.end(base | style, out);
            } else {
                out.push_str(text);
            }
            style::switch(base | style, base, out);
        };
        match span {
            Span::Marked(text, style) => styled(&text, style, out),
            Span::Code(text) => {
                style::switch(base, base | CODE, out);
                out.push_str(&text);
                style::switch(base | CODE, base, out);
            }
            Span::Link { text, to } => {
                styled(&text, UNDERLINE, out);
                if text != to {
                    style::switch(base, base | DIM, out);
                    out.push_str(&format!(" ({to})"));
                    style::switch(base | DIM, base, out);
                }
            }
        }
    }
}

fn begins(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '~' | '[' | '!')
}

/// Tells what `held` begins with. `over` is set where nothing more comes.
fn judge(held: &str, before: Option<char>, over: bool) -> Judged {
    let first = held.chars().next().unwrap_or_default();
    let judged = match first {
        '`' => code(held, over),
        '[' => link(held, 0, over),
        '!' => match held.as_bytes().get(1) {
            Some(b'[') => link(held, 1, over),
            Some(_) => Judged::Text(1),
            None => Judged::Open,
        },
        _ => emphasis(held, first, before, over),
    };
    match judged {
        Judged::Open if over => Judged::Text(run(held, first).max(1)),
        judged => judged,
    }
}

/// How often `mark` comes at the beginning. Marks are ASCII, so this is their length too.
fn run(text: &str, mark: char) -> usize {
    text.chars().take_while(|c| *c == mark).count()
}

fn code(held: &str, over: bool) -> Judged {
    let ticks = run(held, '`');
    let mut at = ticks;
    while let Some(found) = held[at..].find('`') {
        let closing = at + found;
        let n = run(&held[closing..], '`');
        let end = closing + n;
        if n == ticks && (over || end < held.len()) {
            let text = &held[ticks..closing];
            // A space at both ends keeps ticks of the text apart from the mark.
            let bare = text.strip_prefix(' ').and_then(|text| text.strip_suffix(' '));
            let text = bare.filter(|bare| !bare.trim().is_empty()).unwrap_or(text);
            return Judged::Span(end, Span::Code(text.to_owned()));
        }
        at = end;
    }
    Judged::Open
}

/// `mark` is how long the mark of an image is before the bracket.
fn link(held: &str, mark: usize, over: bool) -> Judged {
    let Some(closing) = matching(&held[mark..], '[', ']').map(|at| at + mark) else { return Judged::Open };
    match held.as_bytes().get(closing + 1) {
        Some(b'(') => {}
        None if !over => return Judged::Open,
        _ => return Judged::Text(mark + 1),
    }
    let Some(length) = matching(&held[closing + 1..], '(', ')') else { return Judged::Open };
    let end = closing + 1 + length;
    let (text, to) = (&held[mark + 1..closing], &held[closing + 2..end]);
    if text.trim().is_empty() || to.trim().is_empty() {
        return Judged::Text(mark + 1);
    }
    Judged::Span(end + 1, Span::Link { text: text.to_owned(), to: to.to_owned() })
}

/// Where the bracket is closed that `text` begins with.
fn matching(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

fn emphasis(held: &str, mark: char, before: Option<char>, over: bool) -> Judged {
    let n = run(held, mark);
    let Some(next) = held[n..].chars().next() else { return Judged::Open };
    let in_word = mark == '_' && before.is_some_and(char::is_alphanumeric);
    let style = match (mark, n) {
        ('~', 2) => STRUCK,
        ('*' | '_', 1) => ITALIC,
        ('*' | '_', 2) => BOLD,
        ('*' | '_', 3) => BOLD | ITALIC,
        _ => return Judged::Text(n),
    };
    if next.is_whitespace() || in_word {
        return Judged::Text(n);
    }
    let Some((closing, end)) = closes(held, mark, n, over) else { return Judged::Open };
    Judged::Span(end, Span::Marked(held[n..closing].to_owned(), style))
}

/// Where the mark of length `n` is closed that `held` begins with, and where that ends.
fn closes(held: &str, mark: char, n: usize, over: bool) -> Option<(usize, usize)> {
    let mut at = n;
    while let Some(c) = held[at..].chars().next() {
        let length = match c {
            '`' => match code(&held[at..], over) {
                Judged::Span(length, _) => length,
                _ => run(&held[at..], '`'),
            },
            c if c == mark => {
                let length = run(&held[at..], mark);
                let after = held[at + length..].chars().next();
                let known = over || after.is_some();
                let apart = held[..at].ends_with(char::is_whitespace);
                let in_word = mark == '_' && after.is_some_and(char::is_alphanumeric);
                if known && length == n && !apart && !in_word {
                    return Some((at, at + length));
                }
                length
            }
            c => c.len_utf8(),
        };
        at += length;
    }
    None
}
