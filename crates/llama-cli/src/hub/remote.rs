//! What the hub says about a repository: its revisions, and the files of one.

use anyhow::{anyhow, bail};
use serde::Deserialize;

use super::choose::listed;
use super::http::{Client, plain};
use super::name::Name;
use super::trouble::{Patience, Trouble};

/// The branch that counts where none is named.
pub(crate) const MAIN: &str = "main";

/// Pages of one listing; the hub puts a thousand files on each.
const MAX_PAGES: usize = 100;

/// Files of one repository.
const MAX_FILES: usize = 200_000;

/// A file that the hub has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    /// With `/` between its parts.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// What names its content: a SHA-256 if `sha256`, or else git's own name for it.
    pub(crate) oid: String,
    pub(crate) sha256: bool,
}

/// The files of a repository at one commit.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The branch or tag; nothing if a commit was asked for.
    pub(crate) revision: Option<String>,
    pub(crate) commit: String,
    pub(crate) files: Vec<RemoteFile>,
}

#[derive(Debug, Deserialize)]
struct Refs {
    branches: Option<Vec<Ref>>,
    tags: Option<Vec<Ref>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ref {
    name: String,
    target_commit: String,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Lfs>,
}

#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

/// Asks the hub what a repository has.
///
/// # Errors
///
/// What the hub answers instead, with the name of the model.
pub(crate) fn list(client: &Client, name: &Name, revision: Option<&str>) -> anyhow::Result<Listing> {
    let (revision, commit) = match revision {
        Some(commit) if is_commit(commit) => (None, commit.to_owned()),
        _ => resolve(client, name, revision)?,
    };
    let files = tree(client, name, &commit)?;
    Ok(Listing { revision, commit, files })
}

/// The commit that a branch or tag stands for.
fn resolve(client: &Client, name: &Name, revision: Option<&str>) -> anyhow::Result<(Option<String>, String)> {
    let id = name.id();
    let url = client.url(&format!("api/models/{id}/refs"));
    let page = Patience::default().ask(|| client.json::<Refs>(&url)).map_err(|trouble| anyhow!("{id}: {trouble}"))?;
    let refs = page.value;
    let all = || refs.branches.iter().chain(&refs.tags).flatten().filter(|found| is_commit(&found.target_commit));
    let wanted = revision.unwrap_or(MAIN);
    let found = all().find(|found| found.name == wanted);
    let found = if revision.is_none() { found.or_else(|| all().find(|found| is_safe(&found.name))) } else { found };
    let Some(found) = found else {
        let names: Vec<&str> = all().map(|found| found.name.as_str()).collect();
        bail!("{id} has no revision {wanted}; it has: {}", plain(&listed(&names)));
    };
    Ok((Some(found.name.clone()), found.target_commit.clone()))
}

fn tree(client: &Client, name: &Name, commit: &str) -> anyhow::Result<Vec<RemoteFile>> {
    let id = name.id();
    let mut url = Some(client.url(&format!("api/models/{id}/tree/{commit}?recursive=true")));
    let mut files = Vec::new();
    for _ in 0..MAX_PAGES {
        let Some(this) = url.take() else { return Ok(files) };
        let page = Patience::default()
            .ask(|| client.json::<Vec<Entry>>(&this))
            .map_err(|trouble: Trouble| anyhow!("{id}: {trouble}"))?;
        for entry in page.value.into_iter().filter(|entry| entry.kind == "file") {
            files.push(RemoteFile::from(entry));
        }
        if files.len() > MAX_FILES {
            bail!("{id} has more than {MAX_FILES} files, which no model has");
        }
        url = page.next;
    }
    match url {
        None => Ok(files),
        Some(_) => bail!("{id}: the hub's listing has more than {MAX_PAGES} pages, which no model has"),
    }
}

impl From<Entry> for RemoteFile {
    fn from(entry: Entry) -> Self {
        let sha256 = entry.lfs.is_some();
        let (oid, size) = entry.lfs.map_or((entry.oid, entry.size), |lfs| (lfs.oid, lfs.size));
        Self { path: entry.path, size, oid, sha256 }
    }
}

impl RemoteFile {
    /// Whether its path and its checksum may become paths here. What nobody asks for may be as odd as it likes.
    ///
    /// # Errors
    ///
    /// What is odd about it.
    pub(crate) fn check(&self, id: &str) -> anyhow::Result<()> {
        let path = plain(&self.path);
        if !is_safe(&self.path) {
            bail!("{id} lists the file {path:?}, whose path is not safe to write to; nothing was downloaded");
        }
        if !is_hex(&self.oid) || self.oid.len() != if self.sha256 { 64 } else { 40 } {
            bail!("{id}: the hub's listing has no valid checksum for {path}; nothing was downloaded");
        }
        Ok(())
    }
}

/// The address of a file's content.
pub(crate) fn file_url(client: &Client, name: &Name, commit: &str, path: &str) -> String {
    client.url(&format!("{}/resolve/{commit}/{}", name.id(), encoded(path)))
}

/// Whether a text is the name of a commit.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a path or the name of a revision stays inside of the folder that it is put in, on every system.
pub(crate) fn is_safe(path: &str) -> bool {
    let part_is_safe = |part: &str| {
        let odd = |c: char| c.is_control() || "\\:*?\"<>|".contains(c);
        let fits = !matches!(part, "" | "." | "..") && part.len() <= 255;
        fits && !part.contains(odd) && !part.ends_with(['.', ' ']) && !is_device(part)
    };
    path.len() <= 1024 && path.split('/').all(part_is_safe)
}

/// Whether Windows takes the name of a file for one of its devices.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let numbered =
        |kind| stem.strip_prefix(kind).is_some_and(|n| n.len() == 1 && n.starts_with(|c| ('1'..='9').contains(&c)));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// A path as addresses have it.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_their_folder_are_not_safe() {
        for path in ["m.gguf", "a/b/m.gguf", "größe 1/モデル.gguf", "refs/pr/1", ".gitattributes", "a..b", "con-1.gguf"]
        {
            assert!(is_safe(path), "{path}");
        }
        for path in [
            "",
            "/etc/x",
            "../x",
            "a/../x",
            "a//b",
            "./a",
            "a\\b",
            "C:/x",
            "a\0b",
            "a/",
            "x\n",
            "nul.",
            "a/Con.gguf",
            "lpt1",
        ] {
            assert!(!is_safe(path), "{path:?}");
        }
        assert!(!is_safe(&"a".repeat(300)));
    }

    #[test]
    fn odd_characters_are_encoded() {
        assert_eq!(encoded("a b/é#?%.gguf"), "a%20b/%C3%A9%23%3F%25.gguf");
        assert_eq!(encoded("m-Q4_K_M.gguf"), "m-Q4_K_M.gguf");
    }
}
