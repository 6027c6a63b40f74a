//! A conversation at a terminal or over pipes: what was said, what is typed, and what is done with it.
//!
//! It holds the state and the loop. Lines come from `editor`, `command` says what they are, `turn` has a message answered,
//! and `orders` does what commands want. The model is loaded by `engine` while the first line is typed.

pub(crate) mod command;
mod complete;
mod editor;
pub(crate) mod engine;
mod history;
mod orders;
mod session;
mod set;
mod staged;
mod transcript;
mod turn;

use std::path::PathBuf;

use llama_runtime::{Conversation, Seed, Timings, Usage};

use command::{Command, Input};
use editor::{Habits, Lines, Typed};
use engine::{Engine, Kv};
use session::{Kept, Saved};
use set::Changes;
use staged::Staged;
use transcript::Transcript;

use crate::exit::Ended;
use crate::interrupt::Interrupts;
use crate::settings::Effective;
use crate::ui;

/// Longest part of the first message that is shown, in characters.
const MAX_ECHO: usize = 500;

/// How a conversation is held, besides the settings.
#[derive(Debug)]
pub(crate) struct Options {
    /// No line editor, no Markdown.
    pub(crate) simple: bool,
    pub(crate) session: Option<PathBuf>,
    pub(crate) transcript: Option<PathBuf>,
    pub(crate) single_turn: bool,
}

/// A conversation with a model.
pub(crate) struct Chat {
    effective: Effective,
    engine: Engine,
    conversation: Conversation,
    /// What `/set` changed.
    changes: Changes,
    staged: Staged,
    /// Where the conversation is kept.
    session: Option<Kept>,
    transcript: Option<Transcript>,
    /// Added to a seed that was set: the same seed would give the same answer again.
    regenerated: u32,
    /// What the last answer cost.
    last: Option<(Usage, Timings)>,
    /// A person types: a failed answer is no reason to leave.
    interactive: bool,
    options: Options,
    interrupts: Interrupts,
}

impl Chat {
    /// Makes everything ready that needs no model, and starts to load the model.
    ///
    /// # Errors
    ///
    /// What is wrong with a file that was named.
    pub(crate) fn start(effective: Effective, options: Options, interrupts: Interrupts) -> anyhow::Result<Self> {
        let transcript = options.transcript.as_deref().map(Transcript::create).transpose()?;
        let (session, saved) = match options.session.as_deref().map(Kept::open).transpose()? {
            Some((kept, saved)) => (Some(kept), saved),
            None => (None, None),
        };
        let kv = session.iter().zip(&saved).next();
        let kv = kv.map(|(kept, saved)| Kv { path: session::kv_path(&kept.path), model: saved.model.clone() });
        let engine = Engine::start(&effective, kv)?;
        let mut chat = Self {
            effective,
            engine,
            conversation: Conversation::new(),
            changes: Changes::default(),
            staged: Staged::default(),
            session,
            transcript,
            regenerated: 0,
            last: None,
            interactive: ui::stdin_is_terminal() && !options.single_turn,
            options,
            interrupts,
        };
        let system = chat.effective.settings.chat.system.clone();
        match saved {
            Some(saved) => {
                chat.adopt(saved);
                ui::note(&format!("[ {} turn(s) were restored. ]", chat.conversation.turns().len()));
                if chat.has_system_of_its_own() {
                    chat.conversation.set_system(system.as_deref());
                }
            }
            None => chat.conversation.set_system(system.as_deref()),
        }
        Ok(chat)
    }

    /// Holds the conversation to its end. `first` is a message that was given with the command.
    ///
    /// # Errors
    ///
    /// Why it could not go on.
    pub(crate) fn run(mut self, first: Option<String>) -> anyhow::Result<()> {
        // A person who presses Ctrl+C between two answers leaves; that is no failure.
        self.interrupts.idle(0);
        let held = self.hold(first);
        let kept = self.leave();
        held.and(kept)
    }

    fn hold(&mut self, first: Option<String>) -> anyhow::Result<()> {
        if self.interactive {
            ui::note("Type a message. /help lists the commands, Ctrl+D ends.");
        } else {
            self.engine.wait(&self.interrupts)?;
            self.interrupts.idle(0);
        }
        if let Some(text) = first {
            if ui::stdin_is_terminal() {
                ui::note(&format!("\n> {}", ui::harmless(&shortened(&text))));
            }
            self.say(&text)?;
            if self.options.single_turn {
                return Ok(());
            }
        }
        self.read_lines()
    }

    fn read_lines(&mut self) -> anyhow::Result<()> {
        let settings = &self.effective.settings.chat;
        let habits = Habits { multiline: settings.multiline, simple: self.options.simple, history: settings.history };
        let mut lines = Lines::new(habits, &self.interrupts);
        loop {
            if self.interactive {
                self.engine.at_prompt(true)?;
            }
            let typed = lines.read();
            self.interrupts.idle(0);
            self.engine.at_prompt(false)?;
            let text = match typed? {
                Typed::Text(text) => text,
                Typed::NoText(why) => {
                    self.failed(anyhow::anyhow!(why))?;
                    continue;
                }
                Typed::End => return Ok(()),
            };
            match command::input(&text) {
                Input::Nothing => {}
                Input::Wrong(why) => ui::note(&format!("error: {why}")),
                Input::Do(Command::Exit) => return Ok(()),
                Input::Do(Command::Regen) => self.regenerate()?,
                Input::Do(command) => {
                    if let Err(error) = self.order(command) {
                        self.failed(error)?;
                    }
                    continue;
                }
                Input::Say(text) => {
                    self.say(text)?;
                    if self.options.single_turn {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Keeps the state of the model beside the session, which makes the next answer faster.
    fn leave(&mut self) -> anyhow::Result<()> {
        self.engine.give_up();
        let Some(kept) = &self.session else { return Ok(()) };
        if kept.behind {
            // A person was told, and has seen it; a script is told by the code.
            return if self.interactive { Ok(()) } else { Err(Ended(1).into()) };
        }
        if !self.conversation.messages().is_empty() {
            let path = kept.path.clone();
            self.keep_kv(&path);
        }
        Ok(())
    }

    /// Goes on with a conversation that was read.
    fn adopt(&mut self, saved: Saved) {
        self.conversation = saved.conversation;
        for (key, value) in saved.set {
            if let Err(error) = self.changes.set(&mut self.effective, &key, &value) {
                ui::note(&format!("[ A setting of the conversation was left out: {error:#} ]"));
            }
        }
    }

    /// Whether this command line says what the model is told, which counts more than what it was told before.
    fn has_system_of_its_own(&self) -> bool {
        self.effective.flag_of(&["chat.system", "chat.system_file"]).is_some()
    }

    /// A person can try something else; a script cannot.
    fn failed(&self, error: anyhow::Error) -> anyhow::Result<()> {
        if !self.interactive || error.downcast_ref::<Ended>().is_some() {
            return Err(error);
        }
        ui::note(&format!("error: {error:#}"));
        Ok(())
    }

    /// The seed of the next answer, if it is always the same.
    fn seed(&self, seed: Seed) -> Seed {
        match seed {
            Seed::Fixed(seed) => Seed::from(seed.wrapping_add(self.regenerated)),
            Seed::Random => Seed::Random,
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_ECHO) {
        Some((at, _)) => format!("{} ... (truncated)", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
