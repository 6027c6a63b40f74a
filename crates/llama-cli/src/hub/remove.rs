//! Removing models from the cache: their links, and contents that nothing else links to.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::cache::{Cache, Repo, names_in};
use super::contents;
use super::name::Name;

/// What would be removed. Nobody downloads into the repository while this lives.
#[derive(Debug)]
pub(crate) struct Removal {
    repo: Repo,
    /// Files of snapshots.
    links: Vec<PathBuf>,
    /// Contents.
    blobs: Vec<PathBuf>,
    /// Nothing else is in the repository.
    whole: bool,
    /// What goes, for people.
    pub(crate) names: Vec<String>,
    /// Bytes that come free.
    pub(crate) freed: u64,
    locks: Vec<File>,
}

/// Finds out what to remove: one model, or all of a repository.
///
/// # Errors
///
/// When it is not there, or a download into it is going on.
pub(crate) fn plan(cache: &Cache, name: &Name) -> anyhow::Result<Removal> {
    let repo = cache.repo(name);
    let (names, paths) = chosen(cache, &repo, name)?;
    let Some(locks) = repo.lock_all()? else {
        bail!("another process downloads a file of {}; wait for it or stop it, and try again", name.id());
    };
    let mut links = Vec::new();
    let mut gone = BTreeSet::new();
    let mut kept = BTreeSet::new();
    let mut others = 0;
    let mut freed = 0;
    for commit in repo.commits() {
        for file in repo.files(&commit) {
            let target = repo.target(&commit, &file.path);
            if paths.contains(&file.path) {
                links.push(repo.file(&commit, &file.path));
                match target {
                    Some(oid) => drop(gone.insert(oid)),
                    None => freed += file.size.unwrap_or(0),
                }
            } else {
                others += 1;
                kept.extend(target);
            }
        }
    }
    let whole = others == 0 && (name.quant.is_none() || unfinished(&repo).is_empty());
    let blobs: Vec<PathBuf> = if whole {
        names_in(&repo.blobs()).unwrap_or_default().iter().map(|oid| repo.blob(oid)).collect()
    } else {
        let unfinished = if name.quant.is_none() { unfinished(&repo) } else { Vec::new() };
        gone.difference(&kept).chain(&unfinished).map(|oid| repo.blob(oid)).collect()
    };
    freed += blobs.iter().filter_map(|blob| Some(fs::symlink_metadata(blob).ok()?.len())).sum::<u64>();
    Ok(Removal { repo, links, blobs, whole, names, freed, locks })
}

/// The names and the paths of what is to go.
fn chosen(cache: &Cache, repo: &Repo, name: &Name) -> anyhow::Result<(Vec<String>, BTreeSet<String>)> {
    let models = match name.quant {
        None => contents::models(repo),
        Some(_) => contents::find(cache, name)?,
    };
    // A download that never came to its end leaves no model.
    if models.is_empty() && unfinished(repo).is_empty() {
        contents::find(cache, name)?;
    }
    let mut names: Vec<String> = models.iter().map(|model| model.name.to_string()).collect();
    if names.is_empty() {
        names.push(format!("the unfinished download of {}", name.id()));
    }
    names.dedup();
    Ok((names, models.into_iter().flat_map(|model| model.paths).collect()))
}

fn unfinished(repo: &Repo) -> Vec<String> {
    let mut names = names_in(&repo.blobs()).unwrap_or_default();
    names.retain(|name| name.ends_with(".incomplete"));
    names
}

impl Removal {
    /// Removes it.
    ///
    /// # Errors
    ///
    /// The system's, with the path. What is left can be removed by another call.
    pub(crate) fn apply(self) -> anyhow::Result<()> {
        // Links first: one without its content would look like a damaged model.
        for path in self.links.iter().chain(&self.blobs) {
            remove(path)?;
        }
        for link in &self.links {
            remove_empty_above(link, &self.repo.folder.join("snapshots"));
        }
        drop(self.locks);
        if self.whole {
            for folder in [&self.repo.folder, &self.repo.locks] {
                if folder.exists() {
                    fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
                }
            }
        } else {
            forget_refs(&self.repo, &self.repo.folder.join("refs"));
        }
        Ok(())
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the folders that a file leaves empty.
fn remove_empty_above(path: &Path, top: &Path) {
    let inside = path.ancestors().skip(1).take_while(|folder| *folder != top);
    for folder in inside {
        // A folder with something in it is not removed, and neither are those above it.
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Removes branches whose snapshot is gone.
fn forget_refs(repo: &Repo, folder: &Path) {
    for name in names_in(folder).unwrap_or_default() {
        let gone = repo.commit_of(&name).is_some_and(|commit| !repo.snapshot(&commit).exists());
        if gone {
            // It does no harm if it stays.
            let _ = fs::remove_file(folder.join(name));
        }
    }
}
