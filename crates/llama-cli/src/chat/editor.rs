//! Where lines come from: a line editor for a person at a terminal, or plain lines.

use std::borrow::Cow;
use std::io;
use std::sync::PoisonError;

use anyhow::Context;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use reedline::{
    Color, ColumnarMenu, EditCommand, EditMode, Emacs, Highlighter, MenuBuilder, Prompt, PromptEditMode,
    PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, ReedlineRawEvent, Signal, StyledText, ValidationResult,
    Validator, default_emacs_keybindings,
};

use super::command::{self, Input};
use super::complete::Commands;
use super::history::{self, Problem};
use crate::interrupt::Interrupts;
use crate::{interrupt, ui};

/// Longest message that is made of several plain lines.
const MAX_MESSAGE: usize = 64 << 20;

const MENU: &str = "offers";
const CTRL_C: &str = "ctrl-c";
const AGAIN: &str = "(press Ctrl+C again to leave, or go on typing)";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Text(String),
    /// It is no text; the error says where.
    NoText(String),
    /// Nothing more will come.
    End,
}

/// How lines are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Enter goes on in a new line; a `\` or `/` at the end of a line sends.
    pub(crate) multiline: bool,
    /// No editor and no colours.
    pub(crate) simple: bool,
    /// What is typed is kept on disk.
    pub(crate) history: bool,
}

/// The source of the lines.
pub(crate) enum Lines {
    Editor { editor: Box<Reedline>, problem: Problem, multiline: bool },
    Plain { multiline: bool, interactive: bool, interrupts: Interrupts },
}

impl Lines {
    /// An editor, if there is a terminal for it on all sides: it asks the terminal on stdout where the cursor is.
    pub(crate) fn new(habits: Habits, interrupts: &Interrupts) -> Self {
        let interactive = ui::stdin_is_terminal();
        let all = interactive && ui::stdout_is_terminal() && ui::stderr_is_terminal();
        let Habits { multiline, simple, history } = habits;
        if simple || !all || ui::terminal_is_dumb() {
            return Self::Plain { multiline, interactive, interrupts: interrupts.clone() };
        }
        let problem = Problem::default();
        Self::Editor { editor: Box::new(editor(multiline, history, &problem)), problem, multiline }
    }

    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// When nothing can be read.
    pub(crate) fn read(&mut self) -> anyhow::Result<Typed> {
        match self {
            Self::Editor { editor, problem, multiline } => {
                ui::ask("\n");
                let typed = edited(editor, *multiline)?;
                if let Some(problem) = problem.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    ui::note(&problem);
                }
                Ok(typed)
            }
            Self::Plain { multiline, interactive, interrupts } => {
                if *interactive {
                    interrupts.telling(|presses| match presses {
                        1 => ui::ask(&format!("\n{AGAIN}\n> ")),
                        _ => interrupt::leave(0),
                    });
                    ui::ask("\n> ");
                }
                plain(*multiline)
            }
        }
    }
}

fn editor(multiline: bool, history: bool, problem: &Problem) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let offers = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(offers));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    // The editor's own way does not tell whether there was anything to clear.
    let pressed = vec![ReedlineEvent::Esc, ReedlineEvent::ExecuteHostCommand(CTRL_C.to_owned())];
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('c'), ReedlineEvent::Multiple(pressed));
    let mode = Typing { keys: Emacs::new(keys), multiline, backslash: false };
    let menu = ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU)));
    Reedline::create()
        .with_edit_mode(Box::new(mode))
        .with_history(Box::new(history::open(history, problem.clone())))
        .with_validator(Box::new(Enough { multiline }))
        .with_completer(Box::new(Commands))
        .with_menu(menu)
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_highlighter(Box::new(AsTyped))
        .with_ansi_colors(ui::stderr_has_colours())
        .use_bracketed_paste(true)
}

fn edited(editor: &mut Reedline, multiline: bool) -> anyhow::Result<Typed> {
    let mut asked = false;
    loop {
        match editor.read_line(&Ask).context("cannot read from the terminal")? {
            Signal::Success(text) => return Ok(Typed::Text(without_mark(text, multiline))),
            Signal::HostCommand(_) if !editor.current_buffer_contents().is_empty() => {
                editor.run_edit_commands(&[EditCommand::Clear]);
                asked = false;
            }
            Signal::HostCommand(_) if !asked => {
                asked = true;
                ui::ask(&format!("\r\n{AGAIN}\r\n"));
            }
            Signal::HostCommand(_) | Signal::CtrlC | Signal::CtrlD => {
                ui::ask("\n");
                return Ok(Typed::End);
            }
            _ => {}
        }
    }
}

/// Lines until a message is whole.
fn plain(multiline: bool) -> anyhow::Result<Typed> {
    let mut stdin = io::stdin().lock();
    let mut message = String::new();
    loop {
        let bytes = ui::line(&mut stdin)?;
        if bytes.is_empty() {
            return Ok(if message.is_empty() { Typed::End } else { Typed::Text(message) });
        }
        let line = match ui::text(bytes, "the line") {
            Ok(line) => line,
            Err(error) => return Ok(Typed::NoText(error.to_string())),
        };
        let line = line.trim_end_matches(['\n', '\r']);
        let goes_on = match (multiline, line.strip_suffix('\\')) {
            (false, before) => before,
            (true, _) if sends(line) => None,
            (true, _) => Some(line),
        };
        let Some(part) = goes_on else {
            message.push_str(line);
            return Ok(Typed::Text(without_mark(message, multiline)));
        };
        message.push_str(part);
        message.push('\n');
        if message.len() > MAX_MESSAGE {
            anyhow::bail!("the message is longer than {} MiB; give a shorter text", MAX_MESSAGE >> 20);
        }
    }
}

/// Whether Enter sends this where it usually goes on in a new line.
fn sends(text: &str) -> bool {
    text.ends_with(['\\', '/']) || matches!(command::input(text), Input::Do(_) | Input::Wrong(_))
}

/// The message without the mark at its end that sent it. A `/` that ends a path or an address is part of it.
fn without_mark(mut text: String, multiline: bool) -> String {
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_mark = match last.chars().next_back() {
        Some('\\') => multiline,
        Some('/') => multiline || !last[..last.len() - 1].contains('/'),
        _ => false,
    };
    if is_mark && !text.trim_start().starts_with('/') {
        text.pop();
    }
    text
}

/// What stands before the line.
struct Ask;

impl Prompt for Ask {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        ". ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        format!("(search: {}) ", search.term).into()
    }

    fn get_prompt_color(&self) -> Color {
        Color::Default
    }

    fn get_indicator_color(&self) -> Color {
        Color::Green
    }

    fn get_prompt_multiline_color(&self) -> Color {
        Color::Green
    }

    fn get_prompt_right_color(&self) -> Color {
        Color::Default
    }
}

/// What is typed has the terminal's own colour.
struct AsTyped;

impl Highlighter for AsTyped {
    fn highlight(&self, line: &str, _: usize) -> StyledText {
        let mut text = StyledText::new();
        text.push((Default::default(), line.to_owned()));
        text
    }
}

/// Says whether Enter sends a message.
struct Enough {
    multiline: bool,
}

impl Validator for Enough {
    fn validate(&self, text: &str) -> ValidationResult {
        if !self.multiline || sends(text) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// The usual keys, and Enter right after a `\`, which goes on in a new line. Only what is typed counts: a text that was
/// pasted keeps its backslashes.
struct Typing {
    keys: Emacs,
    multiline: bool,
    /// The last key was a `\`.
    backslash: bool,
}

impl EditMode for Typing {
    fn parse_event(&mut self, event: ReedlineRawEvent) -> ReedlineEvent {
        let event = Event::from(event);
        let after_backslash = std::mem::take(&mut self.backslash);
        if let Event::Key(KeyEvent { code, modifiers, .. }) = event {
            if code == KeyCode::Enter && modifiers.is_empty() && after_backslash && !self.multiline {
                return ReedlineEvent::Edit(vec![EditCommand::Backspace, EditCommand::InsertNewline]);
            }
            self.backslash = code == KeyCode::Char('\\');
        }
        match ReedlineRawEvent::try_from(event) {
            Ok(event) => self.keys.parse_event(event),
            // Keys that are let go.
            Err(()) => ReedlineEvent::None,
        }
    }

    fn edit_mode(&self) -> PromptEditMode {
        self.keys.edit_mode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_sends_and_is_no_part_of_the_message() {
        let normal = |text: &str| without_mark(text.to_owned(), false);
        assert_eq!(normal("hello/"), "hello");
        assert_eq!(normal("hello\n/"), "hello\n");
        for text in ["https://example.com/", "/etc/", "look at src/chat/", "either/or", "a\\", "/read x/"] {
            assert_eq!(normal(text), text);
        }
        assert_eq!(without_mark("a\nb\\".to_owned(), true), "a\nb");
        assert_eq!(without_mark("a\nb/".to_owned(), true), "a\nb");
    }

    #[test]
    fn in_multiline_mode_a_mark_or_a_command_sends() {
        assert!(sends("a\\") && sends("a\nb/") && sends("/exit") && sends("/rgen"));
        assert!(!sends("a") && !sends("a\nb") && !sends(""));
    }
}
