//! What can be wrong with a model file, one variant per thing a caller can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where the bytes came from: a path, or memory. Begins every message of [`GgufError`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Origin(Option<PathBuf>);

impl Origin {
    pub(super) fn path(path: &Path) -> Self {
        Self(Some(path.to_owned()))
    }

    /// The file, or nothing if the bytes were handed over in memory.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str("GGUF data in memory"),
        }
    }
}

/// Why a model file cannot be used.
///
/// Offsets (`at`) and lengths are in bytes; offsets count from the start of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// Nothing is at this path.
    #[error("{origin}: no such file; check the spelling and the current directory")]
    NotFound {
        /// The path as it was given.
        origin: Origin,
    },
    /// The file may not be read by this user.
    #[error("{origin}: permission denied; allow this user to read the file (and to enter its folders)")]
    PermissionDenied {
        /// The file.
        origin: Origin,
    },
    /// The path is a directory.
    #[error("{origin}: this is a directory; give the path of a .gguf file inside it")]
    IsDirectory {
        /// The directory.
        origin: Origin,
    },
    /// The path is a pipe, a socket or a device: it has no length and cannot be mapped.
    #[error("{origin}: not a regular file; save the model to disk first and give that path")]
    NotAFile {
        /// The path as it was given.
        origin: Origin,
    },
    /// The operating system failed to read the file.
    #[error("{origin}: reading at byte {at} failed: {source}; check the disk or the network share")]
    Io {
        /// The file.
        origin: Origin,
        /// Where reading failed.
        at: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("{origin}: the file is empty (0 bytes); a download may have failed, get it again")]
    Empty {
        /// The file.
        origin: Origin,
    },
    /// The file is something else.
    #[error("{origin}: not a GGUF file: {found}")]
    NotGguf {
        /// The file.
        origin: Origin,
        /// What it looks like and what to do then.
        found: String,
    },
    /// The file is for machines of the other byte order.
    #[error(
        "{origin}: a big-endian GGUF file, and only little-endian ones can be read; get the little-endian file, or convert this one"
    )]
    BigEndian {
        /// The file.
        origin: Origin,
    },
    /// The version of the format is not 2 or 3.
    #[error(
        "{origin}: GGUF version {version} cannot be read (versions 2 and 3 can); convert the model again with a current converter"
    )]
    UnsupportedVersion {
        /// The file.
        origin: Origin,
        /// The version it says it has.
        version: u32,
    },
    /// The file ends too early.
    #[error(
        "{origin}: truncated: {what} at byte {at} needs {needed} bytes, but {have} are left; the download or copy is incomplete, get the file again"
    )]
    Truncated {
        /// The file.
        origin: Origin,
        /// What should have been there.
        what: String,
        /// Where it begins.
        at: u64,
        /// How many bytes it takes at the least.
        needed: u64,
        /// How many bytes the file has from there.
        have: u64,
    },
    /// A count or a length no real model has. Reading on could take all memory.
    #[error(
        "{origin}: {what} at byte {at} is {value}, more than the limit of {limit}; the file is damaged or made to do harm"
    )]
    Absurd {
        /// The file.
        origin: Origin,
        /// What is too large.
        what: String,
        /// Where it stands.
        at: u64,
        /// Its value.
        value: u64,
        /// The largest value accepted.
        limit: u64,
    },
    /// The file breaks a rule of the format.
    #[error("{origin}: corrupt at byte {at}: {what}; get the file again, or convert the model again")]
    Corrupt {
        /// The file.
        origin: Origin,
        /// Where the rule is broken.
        at: u64,
        /// Which rule, and how.
        what: String,
    },
    /// The file is well formed, but says something of the model with which it cannot run.
    #[error("{origin}: the model cannot be loaded: {key} {problem}; the file is damaged, or its converter had a fault")]
    Unloadable {
        /// The file.
        origin: Origin,
        /// The metadata key or the tensor at fault.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// One file of a split model is not there.
    #[error("{origin}: part {number} of {count} of this split model is missing: {}; put all parts into one folder", missing.display())]
    MissingSplit {
        /// The part that was given.
        origin: Origin,
        /// Where the missing part should be.
        missing: PathBuf,
        /// Its number, from 1, as in its name.
        number: u32,
        /// How many parts the model has.
        count: u32,
    },
}

impl GgufError {
    /// The file at fault; nothing if the bytes were handed over in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotFound { origin }
            | Self::PermissionDenied { origin }
            | Self::IsDirectory { origin }
            | Self::NotAFile { origin }
            | Self::Io { origin, .. }
            | Self::Empty { origin }
            | Self::NotGguf { origin, .. }
            | Self::BigEndian { origin }
            | Self::UnsupportedVersion { origin, .. }
            | Self::Truncated { origin, .. }
            | Self::Absurd { origin, .. }
            | Self::Corrupt { origin, .. }
            | Self::Unloadable { origin, .. }
            | Self::MissingSplit { origin, .. } => origin.as_path(),
        }
    }

    /// Sorts an error of opening or reading by what the caller can do.
    pub(super) fn from_io(origin: &Origin, at: u64, source: io::Error) -> Self {
        let origin = origin.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { origin },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { origin },
            io::ErrorKind::IsADirectory => Self::IsDirectory { origin },
            _ => Self::Io { origin, at, source },
        }
    }
}

/// A name out of a file, fit for a message: of limited length and without control characters.
pub(super) fn shown(name: &str) -> String {
    const MOST: usize = 80;
    let cut = if name.chars().nth(MOST).is_some() { "..." } else { "" };
    name.chars().take(MOST).flat_map(char::escape_debug).chain(cut.chars()).collect()
}
