//! What models are in the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::bail;

use super::cache::{Cache, Linked, Repo, names_in};
use super::choose::{Shard, choose, is_model, label, listed, stem};
use super::name::Name;

/// The cache as a list.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// By name.
    pub(crate) models: Vec<Model>,
    /// What downloads left behind that did not come to their end.
    pub(crate) unfinished: Vec<Unfinished>,
}

/// A model at one commit.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// With the quant or another part of its name, so that it names this one.
    pub(crate) name: Name,
    pub(crate) repo: Repo,
    pub(crate) commit: String,
    /// Its paths in the snapshot, first shard first.
    pub(crate) paths: Vec<String>,
    /// Bytes that are there.
    pub(crate) size: u64,
    /// Files of it that are not.
    pub(crate) missing: Vec<String>,
    pub(crate) modified: Option<SystemTime>,
}

/// A download that did not come to its end.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) name: Name,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

impl Model {
    /// Where it is: its first file.
    pub(crate) fn path(&self) -> PathBuf {
        self.repo.file(&self.commit, self.paths.first().map_or("", String::as_str))
    }
}

/// Looks at the whole cache.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn scan(cache: &Cache) -> anyhow::Result<Contents> {
    let mut contents = Contents::default();
    for repo in cache.repos()? {
        contents.models.extend(models(&repo));
        contents.unfinished.extend(unfinished(&repo));
    }
    Ok(contents)
}

/// The models of one repository. What several snapshots share is there once, with the first of them.
pub(crate) fn models(repo: &Repo) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    let mut seen = BTreeSet::new();
    for commit in repo.commits() {
        let mut groups: BTreeMap<String, Vec<Linked>> = BTreeMap::new();
        for file in repo.files(&commit).into_iter().filter(|file| file.path.to_ascii_lowercase().ends_with(".gguf")) {
            let first = Shard::of(&file.path).and_then(|shard| shard.all().next()).unwrap_or_else(|| file.path.clone());
            groups.entry(first).or_default().push(file);
        }
        for (first, files) in groups {
            let content: Vec<String> = files
                .iter()
                .map(|file| repo.target(&commit, &file.path).unwrap_or_else(|| format!("{commit}/{}", file.path)))
                .collect();
            if seen.insert((first.clone(), content)) {
                models.push(model(repo, &commit, &first, &files));
            }
        }
    }
    name_apart(&mut models);
    models.sort_by(|a, b| a.name.quant.cmp(&b.name.quant));
    models
}

fn model(repo: &Repo, commit: &str, first: &str, files: &[Linked]) -> Model {
    let paths: Vec<String> = Shard::of(first).map_or_else(|| vec![first.to_owned()], |shard| shard.all().collect());
    let has = |path: &String| files.iter().any(|file| file.path == *path && file.size.is_some());
    let missing = paths.iter().filter(|path| !has(path)).cloned().collect();
    let modified = files
        .iter()
        .filter_map(|file| std::fs::metadata(repo.file(commit, &file.path)).and_then(|meta| meta.modified()).ok())
        .max();
    let quant = if is_model(first) { label(first) } else { stem(first).to_owned() };
    Model {
        name: Name { quant: Some(quant), ..repo.name.clone() },
        repo: repo.clone(),
        commit: commit.to_owned(),
        size: files.iter().filter_map(|file| file.size).sum(),
        paths,
        missing,
        modified,
    }
}

/// Two files of one quant are named by their whole names.
fn name_apart(models: &mut [Model]) {
    let quants: Vec<(Option<String>, String)> =
        models.iter().map(|model| (model.name.quant.clone(), model.paths[0].clone())).collect();
    for model in models {
        let others = quants.iter().any(|(quant, path)| *quant == model.name.quant && *path != model.paths[0]);
        if others {
            model.name.quant = Some(stem(&model.paths[0]).to_owned());
        }
    }
}

fn unfinished(repo: &Repo) -> Vec<Unfinished> {
    let mut names = names_in(&repo.blobs()).unwrap_or_default();
    names.retain(|name| name.ends_with(".incomplete"));
    names.sort_unstable();
    let found = names.into_iter().map(|name| {
        let path = repo.blobs().join(name);
        let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        Unfinished { name: repo.name.clone(), path, size }
    });
    found.collect()
}

/// The models of the cache that a name stands for: as the list has it, or as `pull` would take it. Without a quant that is
/// one by the rules of `pull`; the same model at several commits counts as one, the one of the main branch first.
///
/// # Errors
///
/// What the cache has instead.
pub(crate) fn find(cache: &Cache, name: &Name) -> anyhow::Result<Vec<Model>> {
    let here = models(&cache.repo(name));
    if here.is_empty() {
        let all: Vec<String> = scan(cache)?.models.iter().map(|model| model.name.to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        bail!(
            "{} is not in the cache in {}, which has: {}; `llama-cli models pull {name}` downloads it",
            name.id(),
            cache.root.display(),
            listed(&all)
        );
    }
    if let Some(quant) = &name.quant {
        let same = |model: &&Model| model.name.quant.as_ref().is_some_and(|found| found.eq_ignore_ascii_case(quant));
        let exact: Vec<Model> = here.iter().filter(same).cloned().collect();
        if !exact.is_empty() {
            return Ok(exact);
        }
    }
    let paths: Vec<String> = here.iter().flat_map(|model| model.paths.iter().cloned()).collect();
    match choose(&paths, name.quant.as_deref(), None) {
        Ok(chosen) => Ok(here.into_iter().filter(|model| model.paths == chosen).collect()),
        Err(problem) => bail!("{} in the cache {problem}", name.id()),
    }
}
