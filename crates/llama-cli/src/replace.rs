//! Putting a file in its place at once: whatever happens, there is the old one or the new one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Has something made beside the place, and then puts it there.
///
/// # Errors
///
/// The system's. Nothing is left beside the place then.
pub(crate) fn with(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let made = make(&beside).and_then(|()| fs::rename(&beside, path));
    if made.is_err() {
        // It is of no use, or not there at all; the error that matters is the first one.
        let _ = fs::remove_file(&beside);
    }
    made
}

/// Writes a file that is its owner's alone. A link to it stays one.
///
/// # Errors
///
/// The system's.
pub(crate) fn with_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    with(&path, |beside| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        private(&mut options);
        let mut file = options.open(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

/// A file that is made with these options is its owner's alone.
pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        with_bytes(&path, b"one, and long").unwrap();
        with_bytes(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let failed = with(&path, |beside| fs::write(beside, "half").and(Err(io::ErrorKind::StorageFull.into())));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(with_bytes(&folder.path().join("no/such/folder"), b"x").is_err());
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_is_its_owner_s_alone_and_a_link_stays_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        with_bytes(&path, b"one").unwrap();
        symlink(&path, &link).unwrap();
        with_bytes(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
