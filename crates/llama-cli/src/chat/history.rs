//! What was typed before, on disk: as many lines as fit, readable by their owner alone.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use etcetera::BaseStrategy;
use reedline::{FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, SearchQuery};

use crate::replace::private;

/// Most messages that are kept.
const MAX_ENTRIES: usize = 1000;

/// Longest message that is kept, in bytes. Longer ones are files that were pasted.
const MAX_ENTRY: usize = 16 << 10;

/// Most bytes of a file that is read: a line end in a message takes four.
const MAX_FILE: u64 = 4 * (MAX_ENTRIES * MAX_ENTRY) as u64;

/// Why the last message was not written, told once.
pub(super) type Problem = Arc<Mutex<Option<String>>>;

/// A history that is written with every message: a program that a signal ends has no time for it.
#[derive(Debug)]
pub(super) struct Kept {
    lines: FileBackedHistory,
    problem: Problem,
}

/// Where it is: `llama-rs/history` in the system's place for a user's state.
fn place() -> anyhow::Result<PathBuf> {
    let dirs = etcetera::choose_base_strategy().context("there is no home folder")?;
    Ok(dirs.state_dir().unwrap_or_else(|| dirs.data_dir()).join("llama-rs").join("history"))
}

/// Opens the history. Where that is not possible or not wanted, it is kept in memory only.
pub(super) fn open(on_disk: bool, problem: Problem) -> Kept {
    let in_memory = FileBackedHistory::default;
    let lines = match on_disk.then(|| place().and_then(|path| read(&path))) {
        None => in_memory(),
        Some(Ok(lines)) => lines,
        Some(Err(error)) => {
            tell(&problem, &format!("{error:#}"));
            in_memory()
        }
    };
    Kept { lines, problem }
}

fn read(path: &Path) -> anyhow::Result<FileBackedHistory> {
    let name = path.display();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    private(&mut options);
    let file = options.open(path).with_context(|| format!("cannot write {name}"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o600)).with_context(|| format!("cannot protect {name}"))?;
    }
    let length = file.metadata().with_context(|| format!("cannot read {name}"))?.len();
    if length > MAX_FILE {
        bail!("{name} is longer than {} MiB; move it away", MAX_FILE >> 20);
    }
    FileBackedHistory::with_file(MAX_ENTRIES, path.into())
        .map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))
}

fn tell(problem: &Problem, why: &str) {
    let told = format!("[ What you type is not kept for the next time: {why} ]");
    *problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
}

impl History for Kept {
    fn save(&mut self, item: HistoryItem) -> reedline::Result<HistoryItem> {
        if item.command_line.len() > MAX_ENTRY {
            return Ok(item);
        }
        let saved = self.lines.save(item)?;
        if let Err(error) = self.lines.sync() {
            tell(&self.problem, &error.to_string());
        }
        Ok(saved)
    }

    fn load(&self, id: HistoryItemId) -> reedline::Result<HistoryItem> {
        self.lines.load(id)
    }

    fn count(&self, query: SearchQuery) -> reedline::Result<i64> {
        self.lines.count(query)
    }

    fn search(&self, query: SearchQuery) -> reedline::Result<Vec<HistoryItem>> {
        self.lines.search(query)
    }

    fn update(&mut self, id: HistoryItemId, change: &dyn Fn(HistoryItem) -> HistoryItem) -> reedline::Result<()> {
        self.lines.update(id, change)
    }

    fn clear(&mut self) -> reedline::Result<()> {
        self.lines.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> reedline::Result<()> {
        self.lines.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.lines.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.lines.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_there_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/history");
        for (text, before) in [("one\ntwo", 0), ("three", 1)] {
            let mut kept = Kept { lines: read(&path).unwrap(), problem: Problem::default() };
            assert_eq!(kept.count_all().unwrap(), before);
            kept.save(HistoryItem::from_command_line(text)).unwrap();
            kept.save(HistoryItem::from_command_line("x".repeat(MAX_ENTRY + 1))).unwrap();
        }
        let lines = read(&path).unwrap();
        assert_eq!(lines.load(HistoryItemId::new(0)).unwrap().command_line, "one\ntwo");
        assert_eq!(lines.count_all().unwrap(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_is_no_history_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        fs::write(&path, b"\xff\xfe").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("history"));
        assert_eq!(fs::read(&path).unwrap(), b"\xff\xfe");
        assert!(read(folder.path()).is_err());
    }
}
