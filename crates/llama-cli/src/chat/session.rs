//! Conversations in files: what `--session`, `/save` and `/load` write and read.
//!
//! A file is one JSON object. It is replaced as a whole, so that whatever happens there is either the conversation of
//! before or that of now. The KV state, which only makes the next answer faster, is in a file of its own beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use llama_runtime::{Conversation, ModelInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{replace, ui};

/// The form that is written.
const VERSION: u64 = 1;

/// Most bytes that are read: the conversation has a limit of its own, and the rest is small.
const MAX_FILE: u64 = Conversation::MAX_JSON as u64 + (1 << 20);

/// Most bytes of a KV state that are read.
const MAX_KV: u64 = 32 << 30;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Saved {
    pub(crate) model: SavedModel,
    /// What `/set` changed, by key.
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) conversation: Conversation,
}

/// Which model a conversation was held with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedModel {
    /// For people.
    pub(crate) name: String,
    /// Another model has another one.
    pub(crate) fingerprint: String,
}

impl SavedModel {
    pub(crate) fn of(name: String, info: &ModelInfo) -> Self {
        let facts = &info.facts;
        let fingerprint = format!(
            "{}, {} parameters, {} bytes, {} tokens",
            facts.description, facts.n_params, facts.size, facts.n_vocab
        );
        Self { name, fingerprint }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u64,
    #[serde(default)]
    model: SavedModel,
    #[serde(default)]
    set: BTreeMap<String, String>,
    conversation: Value,
}

impl Saved {
    /// Reads a file; `None` if there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with it. It is never changed by that.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        text(path)?.map(|text| Self::of(path, &text)).transpose()
    }

    fn of(path: &Path, text: &str) -> anyhow::Result<Self> {
        Self::parse(text).with_context(|| {
            format!("{} is no conversation that this program saved; it is left as it is", path.display())
        })
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => bail!("it has version {other}, and this program knows only {VERSION}"),
            None => bail!("it has no version"),
        }
        let Form { model, set, conversation, .. } = serde_json::from_value(value)?;
        Ok(Self { model, set, conversation: Conversation::from_json(&conversation.to_string())? })
    }

    /// Replaces the file, or makes it; others cannot read it. Returns its text.
    ///
    /// # Errors
    ///
    /// Why it cannot be written; what was there before is still there then.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<String> {
        let conversation = serde_json::from_str(&self.conversation.to_json()?)?;
        let form = Form { version: VERSION, model: self.model.clone(), set: self.set.clone(), conversation };
        let json = serde_json::to_string_pretty(&form)? + "\n";
        replace::with_bytes(path, json.as_bytes()).map_err(|error| ui::cannot_write(&named(path), error))?;
        Ok(json)
    }
}

/// The file of a session, and what this program last saw in it: another one may write there too, and neither may undo what
/// the other has kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// `None` while there is no file.
    seen: Option<u64>,
    /// What is said now is not in the file.
    pub(crate) behind: bool,
}

impl Kept {
    /// A file to keep a conversation in, and the one that is in it.
    ///
    /// # Errors
    ///
    /// Why none can be kept there, before anything is said that would be lost.
    pub(crate) fn open(path: &Path) -> anyhow::Result<(Self, Option<Saved>)> {
        let text = text(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| text.is_none() && !folder.is_dir()) {
            bail!(
                "cannot keep a conversation in {}: there is no folder {}; make it first",
                path.display(),
                folder.display()
            );
        }
        let saved = text.as_deref().map(|text| Saved::of(path, text)).transpose()?;
        Ok((Self { path: path.to_owned(), seen: text.as_deref().map(hash), behind: false }, saved))
    }

    /// Replaces what this program wrote or read there, and nothing else.
    ///
    /// # Errors
    ///
    /// Why the file is as it was.
    pub(crate) fn write(&mut self, saved: &Saved) -> anyhow::Result<()> {
        self.behind = true;
        let there = text(&self.path)?.as_deref().map(hash);
        if there.is_some() && there != self.seen {
            let name = self.path.display();
            bail!("another program has written to {name} meanwhile; /save {name} replaces what is there");
        }
        self.replace(saved)
    }

    /// Replaces whatever is there.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub(crate) fn replace(&mut self, saved: &Saved) -> anyhow::Result<()> {
        self.behind = true;
        self.seen = Some(hash(&saved.write(&self.path)?));
        self.behind = false;
        Ok(())
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What is in the file of a conversation; `None` if there is none.
fn text(path: &Path) -> anyhow::Result<Option<String>> {
    bytes(path, &named(path), MAX_FILE)?.map(|bytes| ui::text(bytes, &named(path))).transpose()
}

/// What is in a file of at most `limit` bytes; `None` if there is none.
fn bytes(path: &Path, name: &str, limit: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ui::cannot_read(name, error)),
    };
    let mut bytes = Vec::new();
    let length = file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| ui::cannot_read(name, error))?;
    if length as u64 > limit {
        bail!("{name} is longer than {} MiB, which nothing is that this program keeps", limit >> 20);
    }
    Ok(Some(bytes))
}

fn named(path: &Path) -> String {
    format!("the conversation {}", path.display())
}

/// Where the KV state of a session is.
pub(crate) fn kv_path(session: &Path) -> PathBuf {
    let mut name = session.as_os_str().to_owned();
    name.push(".kv");
    name.into()
}

/// Reads a KV state; `None` if there is none.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn read_kv(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    bytes(path, &path.display().to_string(), MAX_KV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn saved() -> Saved {
        let mut saved = Saved::default();
        saved.model.name = "m.gguf".into();
        saved.set.insert("temperature".into(), "0.2".into());
        saved.conversation.set_system(Some("Be brief."));
        saved.conversation.user("Hi");
        saved.conversation.assistant("Hello.");
        saved
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        assert_eq!(Saved::read(&path).unwrap(), None);
        saved().write(&path).unwrap();
        saved().write(&path).unwrap();
        assert_eq!(Saved::read(&path).unwrap(), Some(saved()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_conversation_is_its_owners_and_a_link_stays_a_link() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("s.json"), folder.path().join("link"));
        saved().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Saved::default().write(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Saved::read(&path).unwrap(), Some(Saved::default()));
    }

    #[test]
    fn something_else_is_refused_with_its_name_and_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.json");
        for (text, reason) in [
            ("", "EOF"),
            ("[1]", "no version"),
            ("{\"version\": 9}", "version 9"),
            ("{\"version\": 1, \"conversation\": {\"version\": 1, \"messages\": 5}}", "not a saved conversation"),
            ("{\"version\": 1, \"conversation\": {\"version\": 1, \"messages\": []}, \"x\": 1}", "unknown field"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", Saved::read(&path).unwrap_err());
            assert!(error.contains("s.json") && error.contains(reason), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
