//! Models from the hub: the cache that other tools share, and downloads into it.

use std::path::PathBuf;

use anyhow::{anyhow, bail};

use crate::settings::ModelSource;
use crate::ui;

pub(crate) use self::access::cache_folder;
use self::access::{Endpoint, Token};
use self::cache::{Cache, Repo};
use self::http::Client;
use self::name::Name;
use self::remote::{Listing, is_commit};

mod access;
pub(crate) mod cache;
pub(crate) mod choose;
pub(crate) mod contents;
mod download;
mod http;
pub(crate) mod name;
pub(crate) mod progress;
mod remote;
pub(crate) mod remove;
mod trouble;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: Name,
    /// A file in the repository, in place of the one that the quant names.
    pub(crate) file: Option<&'a str>,
    /// A branch, a tag or a commit, in place of the main branch.
    pub(crate) revision: Option<&'a str>,
}

/// The file of a model that is named by its repository: from the cache, or downloaded into it with a progress bar. Of a
/// split model it is the first.
///
/// # Errors
///
/// Why there is none, and what to try.
pub(crate) fn locate(source: &ModelSource, repo: &str) -> anyhow::Result<PathBuf> {
    let wanted = Wanted { name: Name::parse(repo)?, file: source.hf_file.as_deref(), revision: None };
    let cache = Cache::from_env()?;
    let repo = cache.repo(&wanted.name);
    if source.offline {
        return first(cached(&cache, &repo, &wanted)?);
    }
    let client = client()?;
    match remote::list(&client, &wanted.name, None) {
        Ok(listing) => first(fetch(&client, &repo, &wanted, &listing)?),
        // A model that is here is of use without the hub.
        Err(problem) => match cached(&cache, &repo, &wanted) {
            Ok(paths) => {
                ui::note(&format!("warning: {problem:#}; using what was downloaded before."));
                first(paths)
            }
            Err(_) => Err(problem),
        },
    }
}

/// All files of a model, downloaded if they are not there.
///
/// # Errors
///
/// Why not, and what to try.
pub(crate) fn pull(wanted: &Wanted<'_>, offline: bool) -> anyhow::Result<Vec<PathBuf>> {
    let cache = Cache::from_env()?;
    let repo = cache.repo(&wanted.name);
    if offline {
        return cached(&cache, &repo, wanted);
    }
    let client = client()?;
    let listing = remote::list(&client, &wanted.name, wanted.revision)?;
    fetch(&client, &repo, wanted, &listing)
}

fn client() -> anyhow::Result<Client> {
    Ok(Client::new(Endpoint::from_env()?, Token::from_env()?))
}

fn first(paths: Vec<PathBuf>) -> anyhow::Result<PathBuf> {
    paths.into_iter().next().ok_or_else(|| anyhow!("the model has no files"))
}

/// Downloads what is missing of a model.
fn fetch(client: &Client, repo: &Repo, wanted: &Wanted<'_>, listing: &Listing) -> anyhow::Result<Vec<PathBuf>> {
    let paths: Vec<String> = listing.files.iter().map(|file| file.path.clone()).collect();
    let chosen = choose::choose(&paths, wanted.name.quant.as_deref(), wanted.file)
        .map_err(|problem| anyhow!("{} {problem}", repo.name))?;
    let found: Vec<_> = listing.files.iter().filter(|file| chosen.contains(&file.path)).collect();
    found.iter().try_for_each(|file| file.check(&repo.name.id()))?;
    for path in &chosen {
        let file = found.iter().find(|file| file.path == *path);
        let file = file.ok_or_else(|| anyhow!("{} has no file {path}", repo.name))?;
        download::fetch(client, repo, &listing.commit, file)?;
    }
    // Last, so that a branch never stands for a snapshot that is not there.
    if let Some(revision) = &listing.revision {
        repo.set_commit(revision, &listing.commit)?;
    }
    Ok(chosen.iter().map(|path| repo.file(&listing.commit, path)).collect())
}

/// The files of a model that are in the cache.
fn cached(cache: &Cache, repo: &Repo, wanted: &Wanted<'_>) -> anyhow::Result<Vec<PathBuf>> {
    let commits = match wanted.revision {
        Some(commit) if is_commit(commit) => vec![commit.to_owned()],
        Some(revision) => repo.commit_of(revision).into_iter().collect(),
        None => repo.commits(),
    };
    let mut problem = None;
    for commit in &commits {
        let there = repo.files(commit).into_iter().filter(|file| file.size.is_some()).map(|file| file.path);
        let there: Vec<String> = there.collect();
        match choose::choose(&there, wanted.name.quant.as_deref(), wanted.file) {
            Ok(chosen) => return Ok(chosen.iter().map(|path| repo.file(commit, path)).collect()),
            Err(error) if problem.is_none() && !there.is_empty() => problem = Some(error),
            Err(_) => {}
        }
    }
    if let Some(problem) = problem {
        bail!("{} {problem} (offline: only the cache in {} counts)", repo.name, cache.root.display());
    }
    let names: Vec<String> = contents::scan(cache)?.models.iter().map(|model| model.name.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    bail!(
        "{} is not in the cache in {}, which has: {}; without --offline it is downloaded",
        wanted.name,
        cache.root.display(),
        choose::listed(&names)
    )
}
