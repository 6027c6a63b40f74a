//! What commands do to the conversation, its files and its model.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llama_runtime::blocking::block_on;
use llama_runtime::{Message, Prompt, Role};

use super::command::{self, Command};
use super::engine::Engine;
use super::session::{self, Kept, Saved};
use super::set;
use super::{Chat, Conversation};
use crate::exit::Ended;
use crate::{replace, start, ui};

impl Chat {
    /// Does what a command wants.
    pub(super) fn order(&mut self, command: Command<'_>) -> anyhow::Result<()> {
        match command {
            Command::Help => ui::note(&command::help()),
            Command::Undo => self.undo()?,
            Command::Clear => self.clear()?,
            Command::Stats => self.stats()?,
            Command::Read(file) => {
                let name = self.staged.read(&command::file(file))?;
                ui::note(&format!("[ {name} goes with the next message. ]"));
            }
            Command::Glob(pattern) => {
                let count = self.staged.glob(&command::file(pattern).to_string_lossy())?;
                ui::note(&format!("[ {count} file(s) go with the next message. ]"));
            }
            Command::Media(name) => {
                bail!("{name}: this build takes text only, no images, audio or video; /read FILE sends text")
            }
            Command::Save(file) => self.save(&command::file(file))?,
            Command::Load(file) => self.load(&command::file(file))?,
            Command::Session(file) => self.set_session(file.map(command::file))?,
            Command::System(text) => self.system(text)?,
            Command::Set(change) => self.set(change)?,
            Command::Model(name) => self.model(name)?,
            // The loop does these two.
            Command::Exit | Command::Regen => {}
        }
        Ok(())
    }

    fn undo(&mut self) -> anyhow::Result<()> {
        if self.conversation.undo().is_empty() {
            ui::note("There is no message to take back.");
            return Ok(());
        }
        ui::note("[ The last message and its answer are taken back. ]");
        self.changed("the last message and its answer are taken back")
    }

    fn clear(&mut self) -> anyhow::Result<()> {
        self.conversation.clear();
        self.staged = super::Staged::default();
        ui::note("The conversation is forgotten.");
        self.changed("the conversation is forgotten")
    }

    /// The conversation is another one now.
    fn changed(&mut self, what: &str) -> anyhow::Result<()> {
        self.keep();
        match &mut self.transcript {
            Some(transcript) => transcript.note(what),
            None => Ok(()),
        }
    }

    /// Writes the session, if there is one. That it cannot be written is no reason to lose the conversation at hand.
    pub(super) fn keep(&mut self) {
        let saved = self.saved();
        let Some(kept) = &mut self.session else { return };
        if let Err(error) = kept.write(&saved) {
            ui::note(&format!("[ The session was not saved: {error:#}. /save FILE writes it elsewhere. ]"));
        }
    }

    /// What a file holds of this conversation.
    fn saved(&self) -> Saved {
        Saved {
            model: self.engine.saved().unwrap_or_default(),
            set: self.changes.typed().clone(),
            conversation: self.conversation.clone(),
        }
    }

    /// Writes the KV state beside the session.
    pub(super) fn keep_kv(&mut self, session: &Path) {
        if self.last.is_none() {
            // Nothing was computed.
            return;
        }
        let prompt = Prompt::from(self.effective.chat_request(self.conversation.messages().iter().cloned()));
        let path = session::kv_path(session);
        let kept = match block_on(self.engine.runtime().save_prefix(None, prompt)) {
            Ok(None) => return,
            Ok(Some(saved)) => {
                replace::with_bytes(&path, &saved.bytes).map_err(|error| format!("{}: {error}", path.display()))
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = kept {
            ui::note(&format!("[ The KV state was not saved: {why}. The conversation was. ]"));
        }
    }

    fn save(&mut self, path: &Path) -> anyhow::Result<()> {
        // What is there and no conversation is somebody's file.
        Saved::read(path).context("nothing was saved; give the name of a new file")?;
        let saved = self.saved();
        match self.session.as_mut().filter(|kept| kept.path == path) {
            Some(kept) => kept.replace(&saved)?,
            None => drop(saved.write(path)?),
        }
        ui::note(&format!("[ Saved {} turn(s) to {}. ]", self.conversation.turns().len(), path.display()));
        Ok(())
    }

    fn load(&mut self, path: &Path) -> anyhow::Result<()> {
        let Some(saved) = Saved::read(path)? else { bail!("there is no file {}", path.display()) };
        self.adopt(saved);
        ui::note(&format!("[ Loaded {} turn(s) from {}. ]", self.conversation.turns().len(), path.display()));
        self.changed(&format!("the conversation goes on from {}", path.display()))
    }

    fn set_session(&mut self, path: Option<PathBuf>) -> anyhow::Result<()> {
        let Some(path) = path else {
            match &self.session {
                Some(kept) => ui::note(&format!("The conversation is kept in {}.", kept.path.display())),
                None => ui::note("The conversation is not kept. /session FILE keeps it."),
            }
            return Ok(());
        };
        let (mut kept, saved) = Kept::open(&path)?;
        if let Some(saved) = saved {
            self.adopt(saved);
            ui::note(&format!("[ {} turn(s) were restored. ]", self.conversation.turns().len()));
        } else {
            kept.write(&self.saved())?;
        }
        ui::note(&format!("[ The conversation is kept in {} from now on. ]", path.display()));
        self.session = Some(kept);
        Ok(())
    }

    fn system(&mut self, text: Option<&str>) -> anyhow::Result<()> {
        match text {
            None => match instructions(&self.conversation) {
                Some(text) => ui::note(&text),
                None => ui::note("There is no system prompt. /system TEXT sets one."),
            },
            Some("-") => {
                self.conversation.set_system(None);
                ui::note("[ There is no system prompt any more. ]");
                self.changed("no system prompt")?;
            }
            Some(text) => {
                self.conversation.set_system(Some(text));
                ui::note("[ The system prompt is set. ]");
                self.changed(&format!("system prompt: {text}"))?;
            }
        }
        Ok(())
    }

    fn set(&mut self, change: Option<&str>) -> anyhow::Result<()> {
        let Some(change) = change else {
            let info = self.engine.wait(&self.interrupts)?;
            let sampling = self.changes.apply(&self.effective.sampling(info))?;
            let lines = set::differing(&sampling, &self.effective)?;
            ui::note(&if lines.is_empty() { "Everything is as by default.".to_owned() } else { lines.join("\n") });
            return Ok(());
        };
        let split = change.find(|c: char| c.is_whitespace() || c == '=');
        let (key, value) = split.map_or((change, ""), |at| change.split_at(at));
        let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim();
        if value.is_empty() {
            bail!("which value? /set KEY VALUE, e.g. /set {key} 1; /set alone lists what differs from the defaults");
        }
        let key = self.changes.set(&mut self.effective, key, value)?;
        ui::note(&format!("[ {key} = {value} ]"));
        self.keep();
        Ok(())
    }

    fn stats(&mut self) -> anyhow::Result<()> {
        let capacity = self.engine.wait(&self.interrupts)?.sequence_limit;
        let messages = self.conversation.messages();
        let prompt = Prompt::from(self.effective.chat_request(messages.iter().cloned()));
        let used = if messages.is_empty() { Some(0) } else { self.engine.runtime().count_tokens(None, prompt)? };
        let used = used.unwrap_or_default();
        let percent = 100 * used / capacity.max(1);
        let mut lines = vec![
            format!("Model: {}", self.engine.name()),
            format!("Context: {used} of {capacity} tokens ({percent} %), {} turn(s)", self.conversation.turns().len()),
        ];
        if self.conversation.dropped() > 0 {
            lines.push(format!("Forgotten: {} turn(s), as the context was full", self.conversation.dropped()));
        }
        if let Some(model) = self.engine.runtime().stats().models.first() {
            let totals = &model.totals;
            lines.push(format!(
                "Tokens: {} of prompts, {} of them reused; {} generated",
                totals.prompt_tokens, totals.reused_tokens, totals.generated_tokens
            ));
        }
        if let Some((usage, timings)) = &self.last {
            lines.push(format!("Last answer: {}", start::speeds(usage, timings, 1)));
        }
        if !self.staged.is_empty() {
            lines.push(format!("Files that wait: {}", self.staged.names().collect::<Vec<_>>().join(", ")));
        }
        ui::note(&lines.join("\n"));
        Ok(())
    }

    /// Goes on with another model. The one of before stays until the other is there, so that nothing is lost if it is not.
    fn model(&mut self, given: Option<&str>) -> anyhow::Result<()> {
        let Some(given) = given else {
            let description = self.engine.info().map(|info| info.facts.description.as_str());
            ui::note(&format!("{} ({})", self.engine.name(), description.unwrap_or("not loaded yet")));
            return Ok(());
        };
        let path = command::file(given);
        let mut effective = self.effective.clone();
        let source = &mut effective.settings.model;
        (source.path, source.hf, source.hf_file) = (None, None, None);
        if path.exists() || !is_repository(given) {
            source.path = Some(path);
        } else {
            source.hf = Some(given.to_owned());
        }
        let mut engine = Engine::start(&effective, None).context("the model stays as it was")?;
        if let Err(error) = engine.wait(&self.interrupts) {
            self.interrupts.idle(0);
            if error.is::<Ended>() {
                ui::note("[ The model stays as it was. ]");
                return Ok(());
            }
            return Err(error.context("the model stays as it was"));
        }
        (self.effective, self.engine) = (effective, engine);
        ui::note(&format!("[ Going on with {}. ]", self.engine.name()));
        let told = format!("model: {}", self.engine.name());
        self.changed(&told)
    }
}

/// What the model is told before everything else.
fn instructions(conversation: &Conversation) -> Option<String> {
    let is_one = |message: &&Message| matches!(message.role, Role::System | Role::Developer);
    let texts: Vec<String> =
        conversation.messages().iter().take_while(is_one).map(|message| message.content.to_text()).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Whether this names a repository rather than a file: `user/name`, perhaps with `:quant`.
fn is_repository(given: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with(['.', '~']);
    let split = given.split_once('/');
    split.is_some_and(|(user, name)| plain(user) && plain(name) && !name.contains('/')) && !given.ends_with(".gguf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files() {
        for repository in ["user/model", "user/model-GGUF:Q4_K_M"] {
            assert!(is_repository(repository), "{repository}");
        }
        for file in ["model.gguf", "models/a.gguf", "./a/b", "../m", "/abs/m", "a/b/c", "~/m"] {
            assert!(!is_repository(file), "{file}");
        }
    }
}
