//! Saved sequences as files.

use crate::context::Context;
use crate::ids::{SeqId, Token};
use crate::state::{StateError, format};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

impl Context {
    /// As [`Context::save_sequence`], into a file.
    ///
    /// The bytes go to a new file in the same folder, reach the disk, and only then take the name `path`: a crash or a
    /// full disk leaves the old file, if there was one, and never half of the new one. A symbolic link is replaced, not
    /// followed.
    ///
    /// # Errors
    ///
    /// Those of [`Context::save_sequence`], and [`StateError::Io`].
    #[doc(alias = "llama_state_seq_save_file")]
    pub fn save_sequence_to(&mut self, seq: SeqId, tokens: &[Token], path: impl AsRef<Path>) -> Result<(), StateError> {
        let bytes = self.save_sequence(seq, tokens)?;
        let path = path.as_ref();
        replace(path, &bytes).map_err(|source| StateError::Io { path: path.to_owned(), source })
    }

    /// As [`Context::load_sequence`], from a file.
    ///
    /// A file that is larger than any state of this context could be is refused before it is read.
    ///
    /// # Errors
    ///
    /// Those of [`Context::load_sequence`], [`StateError::TooLarge`] and [`StateError::Io`]. The sequence is unchanged
    /// unless the error is [`StateError::NoRoom`] or [`StateError::Refused`]; then it is empty.
    #[doc(alias = "llama_state_seq_load_file")]
    pub fn load_sequence_from(&mut self, seq: SeqId, path: impl AsRef<Path>) -> Result<Vec<Token>, StateError> {
        let path = path.as_ref();
        let limit = self.largest_state()?;
        let bytes = read(path, limit)?;
        self.load_sequence(seq, &bytes)
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, StateError> {
    let failed = |source| StateError::Io { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    (&mut file).take(format::HEADER_BYTES as u64).read_to_end(&mut bytes).map_err(failed)?;
    let expected = format::total_len(&bytes)?;
    if len < expected {
        return Err(StateError::Truncated { found: len, expected });
    }
    if len > expected {
        return Err(StateError::TrailingBytes { extra: len - expected });
    }
    let too_large = StateError::TooLarge { bytes: expected, limit };
    let Some(rest) = expected.checked_sub(bytes.len() as u64).filter(|_| expected <= limit) else {
        return Err(too_large);
    };
    if usize::try_from(rest).map_or(true, |rest| bytes.try_reserve_exact(rest).is_err()) {
        return Err(too_large);
    }
    file.take(rest).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Puts `bytes` at `path` in one step.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_path(path)?;
    let written = write_through(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The reason to report is the first failure.
        let _ = fs::remove_file(&draft);
        return written;
    }
    sync_folder(path);
    Ok(())
}

/// A name in the same folder, so that the rename does not cross file systems.
fn draft_path(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}-{}.part", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(draft))
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename itself last. Where a folder cannot be synced, the file system orders it by itself.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
