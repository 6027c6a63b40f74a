//! Where records go: [`Journal`]. A file is its own journal: whole lines are appended, each in one write, and what a killed
//! job left is read from them when it is resumed.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::ID_PREFIX;
use super::done::Done;
use super::key::Key;
use crate::ui;

/// A record is on the disk after this time, or at the end: what a loss of power can take away.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// Every record does.
const RECORD_BEGINS: &[u8] = b"{\"id\":";

/// Bytes that a line of an existing file may have.
const MAX_RECORD: u64 = 1 << 30;

/// What to do with records that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// There must be none.
    Refuse,
    /// They are given up.
    Overwrite,
    /// They are kept, and the rest is added.
    Resume,
    /// As `Resume`, but those that failed are answered again.
    RetryFailed,
}

/// Where records go.
#[derive(Debug)]
pub(super) enum Journal {
    /// Nothing is kept of it.
    Stdout,
    /// Locked as long as it is open.
    File {
        file: File,
        path: PathBuf,
        synced: Instant,
        /// Failed records are taken out before the first is written.
        retries: bool,
        /// The file before they were: its lock keeps out whoever opened it then.
        replaced: Option<File>,
    },
    /// A device or a pipe, which has no end and no past.
    Special { file: File, path: PathBuf },
}

/// What an existing file has.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Inputs that need no answer any more.
    pub(super) done: Done,
    /// Of these, those that failed.
    pub(super) failed: u64,
    /// Failed records that are answered again.
    retried: u64,
    /// The last line was cut off, and taken away.
    pub(super) was_torn: bool,
}

impl Journal {
    /// Opens a file for this job alone, and reads what is in it. Nothing is lost yet: see [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// Why the file cannot be used, and what to do.
    pub(super) fn open(path: &Path, existing: Existing) -> anyhow::Result<(Self, Past)> {
        let name = path.display();
        let resumes = matches!(existing, Existing::Resume | Existing::RetryFailed);
        if path.exists() && !path.is_file() {
            if resumes {
                bail!("{name} is no file that could be read again, so --resume cannot work; write to a file");
            }
            let file = OpenOptions::new().write(true).open(path).with_context(|| format!("cannot write {name}"))?;
            return Ok((Self::Special { file, path: path.to_owned() }, Past::default()));
        }
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.with_context(|| cannot_write(path))?;
        lock(&file, path)?;
        let is_empty = file.metadata().with_context(|| format!("cannot read {name}"))?.len() == 0;
        if existing == Existing::Refuse && !is_empty {
            bail!("{name} is there already; go on with it with --resume, or give it up with --overwrite");
        }
        let past = if resumes { read(&mut file, path, existing)? } else { Past::default() };
        let retries = past.retried > 0;
        Ok((Self::File { file, path: path.to_owned(), synced: Instant::now(), retries, replaced: None }, past))
    }

    /// Takes out what is not kept of the past; from now on records can be written.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn begin(&mut self, existing: Existing) -> anyhow::Result<()> {
        let Self::File { file, path, retries, replaced, .. } = self else { return Ok(()) };
        let cannot = || format!("cannot write {}", path.display());
        if existing == Existing::Overwrite {
            file.set_len(0).with_context(cannot)?;
        }
        if *retries {
            let kept = without_failed(file, path).with_context(cannot)?;
            *replaced = Some(std::mem::replace(file, kept));
        }
        file.seek(SeekFrom::End(0)).with_context(cannot)?;
        Ok(())
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// Those of the system; a closed pipe behind stdout among them, as it is.
    pub(super) fn write(&mut self, mut record: String) -> anyhow::Result<()> {
        record.push('\n');
        let (file, path, resumable) = match self {
            Self::Stdout => return Ok(ui::result(&record)?),
            Self::File { file, path, .. } => (file, path, true),
            Self::Special { file, path } => (file, path, false),
        };
        file.write_all(record.as_bytes()).with_context(|| match resumable {
            true => {
                format!("cannot write {}; what is written is kept: make room, and go on with --resume", path.display())
            }
            false => {
                format!("cannot write {}; with --output FILE, a job can go on later with --resume", path.display())
            }
        })?;
        if let Self::File { synced, .. } = self
            && synced.elapsed() >= SYNC_EVERY
        {
            return self.sync();
        }
        Ok(())
    }

    /// All that was written is on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn sync(&mut self) -> anyhow::Result<()> {
        let Self::File { file, path, synced, .. } = self else { return Ok(()) };
        file.sync_data().with_context(|| format!("cannot write {}", path.display()))?;
        *synced = Instant::now();
        Ok(())
    }
}

/// Whether a line is the beginning of a record, or what a loss of power makes of one. Any other file is somebody's.
fn is_torn(line: &[u8]) -> bool {
    let begins = line.starts_with(RECORD_BEGINS) || RECORD_BEGINS.starts_with(line);
    let is_whole = serde_json::from_slice::<IgnoredAny>(line).is_ok();
    (begins && !is_whole) || line.iter().all(|byte| *byte == 0)
}

/// The system's own words do not tell the file from its folder.
fn cannot_write(path: &Path) -> String {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        Some(folder) => {
            format!("cannot write {}: there is no folder {}; create it first", path.display(), folder.display())
        }
        None => format!("cannot write {}", path.display()),
    }
}

fn lock(file: &File, path: &Path) -> anyhow::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            bail!("another job writes to {}; wait for it, or choose another --output", path.display())
        }
        // Some network drives have no locks; two jobs at once are the rarer trouble.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// The parts of a record that say which input it answers, and how that ended.
#[derive(Debug, Deserialize)]
struct Stamp<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    id: Option<Value>,
    error: Option<IgnoredAny>,
    response: Option<Response>,
}

#[derive(Debug, Deserialize)]
struct Response {
    status_code: u16,
}

/// Which input a line answers, and whether that failed; `None` for what is no record of ours.
fn stamp(line: &[u8]) -> Option<(Key, bool)> {
    let stamp: Stamp<'_> = serde_json::from_slice(line).ok()?;
    let key = match (&stamp.key, &stamp.id) {
        (Some(key), _) => key.parse().ok()?,
        (None, Some(Value::String(id))) => id.strip_prefix(ID_PREFIX)?.parse().ok()?,
        _ => return None,
    };
    let refused = stamp.response.is_some_and(|response| response.status_code != 200);
    Some((key, refused || stamp.error.is_some()))
}

/// Reads what a job left, and repairs its last line.
fn read(file: &mut File, path: &Path, existing: Existing) -> anyhow::Result<Past> {
    let name = path.display();
    let cannot = || format!("cannot read {name}");
    let mut past = Past::default();
    let mut whole: u64 = 0;
    let mut torn = Vec::new();
    let mut lines = BufReader::new(&mut *file);
    for number in 1_u64.. {
        let mut line = Vec::new();
        let bytes = (&mut lines).take(MAX_RECORD).read_until(b'\n', &mut line).with_context(cannot)?;
        if bytes == 0 {
            break;
        }
        let ended = line.pop_if(|last| *last == b'\n').is_some();
        if line.trim_ascii().is_empty() && ended {
            whole += bytes as u64;
            continue;
        }
        match stamp(&line) {
            Some((_, true)) if existing == Existing::RetryFailed => past.retried += 1,
            Some((key, failed)) => {
                if !past.done.insert(key) {
                    bail!(
                        "{name} has two records of the same input ({key}), the second in line {number}; take one of them out"
                    );
                }
                past.failed += u64::from(failed);
            }
            // The end of a job that was killed.
            None if !ended && is_torn(&line) => {}
            None => {
                bail!("line {number} of {name} is no record of a job; start anew with --overwrite or another --output")
            }
        }
        if ended || stamp(&line).is_some() {
            whole += bytes as u64;
        }
        if !ended {
            torn = line;
        }
    }
    past.was_torn = repair(file, whole, &torn).with_context(|| format!("cannot repair {name}"))?;
    Ok(past)
}

/// Repairs a file whose last line, `torn`, has no end. True if it was the beginning of a record, and is taken away.
fn repair(file: &mut File, whole: u64, torn: &[u8]) -> io::Result<bool> {
    if torn.is_empty() {
        return Ok(false);
    }
    if stamp(torn).is_some() {
        file.seek(SeekFrom::End(0))?;
        file.write_all(b"\n")?;
        return Ok(false);
    }
    file.set_len(whole)?;
    Ok(true)
}

/// Puts a file in the place of `path` that has all its records but those that failed. It is there as a whole or not at all.
fn without_failed(file: &mut File, path: &Path) -> io::Result<File> {
    // Not in the place of a link to it.
    let path = path.canonicalize()?;
    let mut name = path.as_os_str().to_owned();
    name.push(".rewritten");
    let other = PathBuf::from(name);
    let kept = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&other)?;
    // Both are locked until the job ends, so that no other job gets hold of either.
    kept.try_lock().or_else(|error| match error {
        TryLockError::Error(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        error => Err(io::Error::other(error)),
    })?;
    file.seek(SeekFrom::Start(0))?;
    let mut lines = BufReader::new(&mut *file);
    let mut writer = io::BufWriter::new(&kept);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if stamp(&line).is_some_and(|(_, failed)| !failed) {
            writer.write_all(&line)?;
        }
        line.clear();
    }
    writer.flush()?;
    drop(writer);
    kept.set_permissions(file.metadata()?.permissions())?;
    kept.sync_all()?;
    std::fs::rename(&other, &path)?;
    // The new name has to be on the disk before records are written under it.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
