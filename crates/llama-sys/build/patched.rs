//! The pinned tree with our patches: a copy, because the package it comes from is shared by everything on the machine.
//! Shared with `xtask`, so nothing here reads the environment or prints.

use std::fs;
use std::path::{Path, PathBuf};

use super::fingerprint;
use super::patch;
use super::pin::Pin;

/// The parts of the tree that a build reads.
pub(crate) const NEEDED: &[&str] =
    &["CMakeLists.txt", "LICENSE", "cmake", "common", "ggml", "include", "src", "vendor"];

/// The folder of `dir` with the patches of `pin`: a copy in `work_dir`, or `dir` itself when there are none.
///
/// The copy's name tells its patches, and it is made under another name and renamed: one that is there is complete.
pub(crate) fn tree(dir: PathBuf, pin: &Pin, work_dir: &Path) -> Result<PathBuf, String> {
    if pin.patches.is_empty() {
        return Ok(dir);
    }
    let names = pin.patches.iter().map(|(name, text)| format!("{name}\n{text}")).collect::<String>();
    let copy = work_dir.join(format!("tree-{}-{}", pin.version(), fingerprint::of_text(&names)));
    if copy.is_dir() {
        return Ok(copy);
    }
    let unfinished = copy.with_extension("unfinished");
    let in_words = |error| format!("cannot copy the llama.cpp source to {}: {error}", unfinished.display());
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(in_words)?;
    }
    for part in NEEDED {
        copy_all(&dir.join(part), &unfinished.join(part)).map_err(in_words)?;
    }
    for (name, text) in &pin.patches {
        patch::apply(text, &unfinished).map_err(|error| format!("{name} does not apply: {error}"))?;
    }
    fs::rename(&unfinished, &copy).map_err(in_words)?;
    Ok(copy)
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        // Not `fs::copy`: a read-only source would make the copy read-only, and patches write to it.
        return fs::write(to, fs::read(from)?);
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
