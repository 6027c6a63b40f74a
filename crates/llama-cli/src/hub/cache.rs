//! The cache on disk, in the layout that the hub's own tools use, so that what one downloads all can use.
//!
//! ```text
//! models--USER--REPO/blobs/OID                 contents, named by their checksum; OID.incomplete while they come
//! models--USER--REPO/refs/main                 the commit of a branch, as text
//! models--USER--REPO/snapshots/COMMIT/PATH     a relative link into blobs
//! .locks/models--USER--REPO/OID.lock           held by whoever downloads that content
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::access;
use super::name::Name;
use super::remote::{is_commit, is_safe};
use crate::{replace, ui};

/// Folders inside of each other in one snapshot.
const MAX_DEPTH: usize = 16;

/// Files that are looked at in one snapshot.
const MAX_FILES: usize = 100_000;

/// The folder with all repositories.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    pub(crate) root: PathBuf,
}

/// One repository in it.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    pub(crate) name: Name,
    pub(crate) folder: PathBuf,
    pub(crate) locks: PathBuf,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Inside of the snapshot, with `/` between its parts.
    pub(crate) path: String,
    /// Nothing if the content is not there.
    pub(crate) size: Option<u64>,
}

impl Cache {
    /// The one that the environment names.
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        Ok(Self { root: access::cache_folder()? })
    }

    pub(crate) fn repo(&self, name: &Name) -> Repo {
        let folder = name.folder();
        let name = Name { quant: None, ..name.clone() };
        Repo { name, locks: self.root.join(".locks").join(&folder), folder: self.root.join(folder) }
    }

    /// All repositories of models, by name. A cache that is not there has none.
    pub(crate) fn repos(&self) -> anyhow::Result<Vec<Repo>> {
        let mut folders = names_in(&self.root).with_context(|| format!("cannot read {}", self.root.display()))?;
        folders.sort_unstable();
        Ok(folders.iter().filter_map(|folder| Name::of_folder(folder)).map(|name| self.repo(&name)).collect())
    }
}

impl Repo {
    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.join("blobs")
    }

    pub(crate) fn blob(&self, oid: &str) -> PathBuf {
        self.blobs().join(oid)
    }

    /// Where a download of a content is until it is complete.
    pub(crate) fn partial(&self, oid: &str) -> PathBuf {
        self.blobs().join(format!("{oid}.incomplete"))
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// A file of a snapshot. The path is one that [`is_safe`] lets through.
    pub(crate) fn file(&self, commit: &str, path: &str) -> PathBuf {
        path.split('/').fold(self.snapshot(commit), |folder, part| folder.join(part))
    }

    /// The commit that a branch or tag stood for when it was asked last.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        if !is_safe(revision) {
            return None;
        }
        let path = revision.split('/').fold(self.folder.join("refs"), |folder, part| folder.join(part));
        let text = fs::read_to_string(path).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Notes which commit a branch or tag stands for.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> anyhow::Result<()> {
        if !is_safe(revision) || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = revision.split('/').fold(self.folder.join("refs"), |folder, part| folder.join(part));
        let written = make_parent(&path).and_then(|()| replace::with(&path, |beside| fs::write(beside, commit)));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// All snapshots: first that of the main branch, then the others, the newest first.
    pub(crate) fn commits(&self) -> Vec<String> {
        let folder = self.folder.join("snapshots");
        let mut commits = names_in(&folder).unwrap_or_default();
        commits.retain(|name| is_safe(name));
        let main = self.commit_of(super::remote::MAIN);
        commits.sort_by_cached_key(|commit| {
            let made = fs::metadata(folder.join(commit)).and_then(|meta| meta.modified()).ok();
            (Some(commit) != main.as_ref(), std::cmp::Reverse(made), commit.clone())
        });
        commits
    }

    /// The files of a snapshot, in the order of their paths.
    pub(crate) fn files(&self, commit: &str) -> Vec<Linked> {
        let mut files = Vec::new();
        let mut folders = vec![(self.snapshot(commit), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            for name in names_in(&folder).unwrap_or_default() {
                let place = folder.join(&name);
                let path = format!("{prefix}{name}");
                let Ok(meta) = fs::symlink_metadata(&place) else { continue };
                if meta.is_dir() && depth < MAX_DEPTH {
                    folders.push((place, format!("{path}/"), depth + 1));
                } else if !meta.is_dir() && files.len() < MAX_FILES {
                    let size = fs::metadata(&place).ok().filter(fs::Metadata::is_file).map(|meta| meta.len());
                    files.push(Linked { path, size });
                }
            }
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// The content that a file of a snapshot links to, if it is one of this repository's.
    pub(crate) fn target(&self, commit: &str, path: &str) -> Option<String> {
        let target = fs::read_link(self.file(commit, path)).ok()?;
        let folder = target.parent()?;
        let is_ours = if target.is_absolute() { folder == self.blobs() } else { folder.ends_with("blobs") };
        target.file_name()?.to_str().filter(|_| is_ours).map(str::to_owned)
    }

    /// Makes a content visible in a snapshot.
    ///
    /// Where the system does not let us make links (Windows without developer mode), it is moved there, as other tools do.
    pub(crate) fn link(&self, commit: &str, path: &str, oid: &str) -> anyhow::Result<()> {
        let place = self.file(commit, path);
        let ups = "../".repeat(2 + path.split('/').count() - 1);
        let target = PathBuf::from(format!("{ups}blobs/{oid}"));
        if fs::read_link(&place).is_ok_and(|found| found == target) {
            return Ok(());
        }
        let blob = self.blob(oid);
        let made = make_parent(&place).and_then(|()| {
            replace::with(&place, |beside| symlink(&target, beside)).or_else(|_| fs::rename(&blob, &place))
        });
        made.with_context(|| format!("cannot make {}", place.display()))
    }

    /// Waits until nobody else downloads a content, and keeps others from it until the file is dropped.
    pub(crate) fn lock(&self, oid: &str, path: &str) -> anyhow::Result<File> {
        let place = self.locks.join(format!("{oid}.lock"));
        let opened = make_parent(&place)
            .and_then(|()| File::options().create(true).truncate(false).read(true).write(true).open(&place));
        let lock = opened.with_context(|| {
            format!("cannot write {}; set LLAMA_CACHE to a folder that may be written to", place.display())
        })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                ui::note(&format!("Another process downloads {path}; waiting for it (Ctrl+C ends the wait)."));
                lock.lock().with_context(|| format!("cannot lock {}", place.display()))?;
            }
            // Some network file systems have no locks. The checksum still finds what two writers would spoil.
            Err(TryLockError::Error(error)) => tracing::warn!(%error, lock = %place.display(), "no lock"),
        }
        Ok(lock)
    }

    /// Keeps all downloads into this repository away until the files are dropped; nothing if one is going on.
    pub(crate) fn lock_all(&self) -> anyhow::Result<Option<Vec<File>>> {
        let mut held = Vec::new();
        let names = names_in(&self.locks).with_context(|| format!("cannot read {}", self.locks.display()))?;
        for name in names.iter().filter(|name| name.ends_with(".lock")) {
            let place = self.locks.join(name);
            let Ok(lock) = File::options().read(true).write(true).open(&place) else { continue };
            match lock.try_lock() {
                Ok(()) => held.push(lock),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => tracing::warn!(%error, lock = %place.display(), "no lock"),
            }
        }
        Ok(Some(held))
    }
}

/// The names in a folder that are text; none if there is no folder.
pub(crate) fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

pub(crate) fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    // A link with slashes is not followed there.
    let target: PathBuf = target.components().collect();
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
