//! Where downloaded models are, and what they take.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::hub;

/// Entries that are looked at; a cache of more is told as at least so large.
const MOST_ENTRIES: usize = 100_000;

/// The cache of the hub, which other tools share.
#[derive(Debug, Serialize)]
pub(super) struct Cache {
    pub(super) path: PathBuf,
    pub(super) exists: bool,
    /// Bytes of its files; links count nothing.
    pub(super) bytes: u64,
}

impl Cache {
    /// `None` where there is no home folder.
    pub(super) fn look() -> Option<Self> {
        let path = hub::cache_folder().ok()?;
        let exists = path.is_dir();
        Some(Self { bytes: if exists { size(&path) } else { 0 }, path, exists })
    }
}

fn size(folder: &Path) -> u64 {
    let mut left = vec![folder.to_owned()];
    let (mut bytes, mut entries) = (0_u64, 0);
    while let Some(folder) = left.pop() {
        let Ok(list) = std::fs::read_dir(&folder) else { continue };
        for entry in list.flatten() {
            entries += 1;
            if entries > MOST_ENTRIES {
                return bytes;
            }
            // Not following links: the cache has one to each file.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                left.push(entry.path());
            } else if meta.is_file() {
                bytes = bytes.saturating_add(meta.len());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_folders_count_and_links_do_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/c"), b"12345").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("a/b/c"), folder.path().join("link")).unwrap();
        assert_eq!(size(folder.path()), 5);
        assert_eq!(size(&folder.path().join("none")), 0);
    }
}
