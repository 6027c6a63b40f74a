//! Files that go with the next message.

use std::path::Path;

use anyhow::{Context, bail};
use glob::MatchOptions;

use crate::ui;

/// Most files of one pattern.
const MAX_FILES: usize = 100;

/// Most bytes that may wait: more than any model can read.
const MAX_BYTES: usize = 64 << 20;

/// `*` ends at `/`, and hidden files are found only by their name.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Files that were read and not sent yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Staged {
    files: Vec<(String, String)>,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The names of the files, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _)| name.as_str())
    }

    /// Reads a file. Returns its name.
    ///
    /// # Errors
    ///
    /// Why it cannot be sent; nothing is staged then.
    pub(crate) fn read(&mut self, path: &Path) -> anyhow::Result<String> {
        let text = ui::file_text(path)?;
        self.add(vec![(path.display().to_string(), text)])?;
        Ok(path.display().to_string())
    }

    /// Reads all files that match. Returns how many.
    ///
    /// # Errors
    ///
    /// When there is none, there are too many, or one cannot be read; nothing is staged then.
    pub(crate) fn glob(&mut self, pattern: &str) -> anyhow::Result<usize> {
        let paths = glob::glob_with(pattern, OPTIONS).with_context(|| format!("{pattern:?} is no pattern"))?;
        let mut found = Vec::new();
        let mut bytes = self.bytes();
        for path in paths {
            let path = path.context("cannot look for files")?;
            if !path.is_file() {
                continue;
            }
            if found.len() == MAX_FILES {
                bail!("{pattern:?} matches more than {MAX_FILES} files; none was added, give a narrower pattern");
            }
            let text = ui::file_text(&path)?;
            bytes += text.len();
            within(bytes)?;
            found.push((path.display().to_string(), text));
        }
        if found.is_empty() {
            bail!("no file matches {pattern:?} (hidden files are not looked at)");
        }
        let count = found.len();
        self.add(found)?;
        Ok(count)
    }

    fn bytes(&self) -> usize {
        self.files.iter().map(|(_, text)| text.len()).sum()
    }

    fn add(&mut self, found: Vec<(String, String)>) -> anyhow::Result<()> {
        within(self.bytes() + found.iter().map(|(_, text)| text.len()).sum::<usize>())?;
        self.files.extend(found);
        Ok(())
    }

    /// The message with the files before it, which wait no longer.
    pub(crate) fn take_with(&mut self, typed: &str) -> String {
        let mut message = String::new();
        for (name, text) in self.files.drain(..) {
            message.push_str(&format!("--- File: {name} ---\n{text}"));
            message.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        message + typed
    }
}

fn within(bytes: usize) -> anyhow::Result<()> {
    if bytes > MAX_BYTES {
        bail!(
            "the files that wait to be sent would be more than {} MiB together; none was added, send or /clear those that \
             wait, or take fewer",
            MAX_BYTES >> 20
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_apart_from_each_other_and_from_the_message() {
        let folder = tempfile::tempdir().unwrap();
        let mut staged = Staged::default();
        for (name, text) in [("a", "one"), ("b", "two\n")] {
            fs::write(folder.path().join(name), text).unwrap();
            staged.read(&folder.path().join(name)).unwrap();
        }
        let at = folder.path().display();
        let expected = format!("--- File: {at}/a ---\none\n\n--- File: {at}/b ---\ntwo\n\nSum up.");
        assert_eq!(staged.take_with("Sum up."), expected);
        assert!(staged.is_empty());
    }

    #[test]
    fn a_pattern_finds_what_is_not_hidden_and_not_too_much() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("x/y")).unwrap();
        for name in ["a.md", ".hidden.md", "x/b.md", "x/y/c.md", "x/y/d.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let pattern = |end: &str| format!("{}/{end}", folder.path().display());
        let mut staged = Staged::default();
        assert_eq!(staged.glob(&pattern("*.md")).unwrap(), 1);
        assert_eq!(staged.glob(&pattern("**/*.md")).unwrap(), 3);
        assert!(staged.glob(&pattern("*.rs")).unwrap_err().to_string().contains("no file matches"));
        let before = staged.clone();
        for n in 0..=MAX_FILES {
            fs::write(folder.path().join(format!("{n}.log")), "").unwrap();
        }
        assert!(staged.glob(&pattern("*.log")).unwrap_err().to_string().contains("more than 100"));
        fs::write(folder.path().join("x/bad.md"), b"\xff").unwrap();
        assert!(staged.glob(&pattern("x/*.md")).is_err());
        assert_eq!(staged, before);
    }
}
