//! The transcript that `-o` writes: who said what, for people.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use llama_runtime::AssistantMessage;

use crate::ui;

/// A file that is written as the conversation goes on.
#[derive(Debug)]
pub(crate) struct Transcript {
    file: File,
    path: PathBuf,
}

impl Transcript {
    /// Begins a new one; what was in the file is lost.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).map_err(|error| ui::cannot_write(&named(path), error))?;
        Ok(Self { file, path: path.into() })
    }

    /// A file that goes with the next message.
    pub(crate) fn added(&mut self, name: &str) -> anyhow::Result<()> {
        self.write(&format!("User: Added text file: {name}\n"))
    }

    pub(crate) fn user(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(&format!("User:\n{text}\n\n"))
    }

    pub(crate) fn assistant(&mut self, message: &AssistantMessage) -> anyhow::Result<()> {
        let AssistantMessage { content, reasoning, .. } = message;
        let thoughts = match reasoning.as_str() {
            "" => String::new(),
            text => format!("[Start thinking]\n{text}\n[End thinking]\n\n"),
        };
        self.write(&format!("Assistant:\n{thoughts}{content}\n\n"))
    }

    /// What was done to the conversation, or why there is no answer.
    pub(crate) fn note(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(&format!("[ {text} ]\n\n"))
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| ui::cannot_write(&named(&self.path), error))
    }
}

fn named(path: &Path) -> String {
    format!("the transcript {}", path.display())
}
