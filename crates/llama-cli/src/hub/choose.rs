//! Which files of a repository are the model that was asked for. Pure: names in, names out.
//!
//! The rules are upstream's: with a quant the first path that has it before a `.` or `-`, whatever the case; without one
//! `Q4_K_M`, then `Q8_0`, then the first. Paths are in the order of their bytes, so the answer is the same each time.

use anyhow::{anyhow, bail};

/// Tried in this order where no quant is named.
const DEFAULTS: [&str; 2] = ["Q4_K_M", "Q8_0"];

/// Files that go with a model and are none.
const COMPANION_PARTS: [&str; 2] = ["mmproj", "imatrix"];

/// The same, at the start of the name.
const COMPANION_PREFIXES: [&str; 4] = ["mtp-", "eagle3-", "dflash-", "dspark-"];

/// Names in an error: enough to choose from, and no flood.
const MAX_SHOWN: usize = 40;

/// The paths of a model, first shard first.
///
/// # Errors
///
/// What there is instead.
pub(crate) fn choose(paths: &[String], quant: Option<&str>, exact: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut sorted: Vec<&str> = paths.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    if let Some(exact) = exact {
        if !sorted.contains(&exact) {
            let all: Vec<&str> = sorted.iter().copied().filter(|path| has_gguf_name(path)).collect();
            bail!("has no file {exact}; it has: {}", listed(&all));
        }
        return shards(exact, &sorted);
    }
    let models: Vec<&str> = sorted.iter().copied().filter(|path| is_model(path)).collect();
    if models.is_empty() {
        let gguf: Vec<&str> = sorted.iter().copied().filter(|path| has_gguf_name(path)).collect();
        if gguf.is_empty() {
            bail!("has no GGUF file, so there is nothing here to run; look for a repository with GGUF in its name");
        }
        bail!("has no model, only files that go with one: {}", listed(&gguf));
    }
    let found = match quant {
        Some(quant) => with_tag(&models, quant),
        None => DEFAULTS.iter().find_map(|quant| with_tag(&models, quant)).or(models.first().copied()),
    };
    let found = found.ok_or_else(|| {
        let mut labels: Vec<String> = models.iter().map(|path| label(path)).collect();
        labels.sort_unstable();
        labels.dedup();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        anyhow!("has no {}; it has: {}", quant.unwrap_or_default(), listed(&labels))
    })?;
    shards(found, &sorted)
}

/// Whether a path is a model's, and not that of a projector, a draft or the like.
pub(crate) fn is_model(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    has_gguf_name(path)
        && !COMPANION_PARTS.iter().any(|part| name.contains(part))
        && !COMPANION_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn has_gguf_name(path: &str) -> bool {
    file_name(path).to_ascii_lowercase().ends_with(".gguf")
}

/// What names a model among others of its repository: its quantization, or its file's name.
pub(crate) fn label(path: &str) -> String {
    let stem = stem(path);
    let parts = stem.rsplit(['-', '.']);
    parts.map(str::to_ascii_uppercase).find(|part| is_quant(part)).unwrap_or_else(|| stem.to_owned())
}

/// The name of a file without its end and without the number of its shard.
pub(crate) fn stem(path: &str) -> &str {
    let name = file_name(path);
    Shard::of(name).map_or_else(|| &name[..name.len() - ".gguf".len().min(name.len())], |shard| shard.prefix)
}

fn is_quant(part: &str) -> bool {
    if ["F16", "F32", "BF16"].contains(&part) || part.starts_with("MXFP") {
        return true;
    }
    let digits = part.strip_prefix("IQ").or_else(|| part.strip_prefix("TQ")).or_else(|| part.strip_prefix('Q'));
    digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The first path with `tag` before a `.` or `-`. One where the tag begins a word goes first: `F16` is in `BF16` too.
fn with_tag<'p>(sorted: &[&'p str], tag: &str) -> Option<&'p str> {
    let tag = tag.to_ascii_lowercase();
    let has = |path: &str, word: bool| {
        let path = path.to_ascii_lowercase();
        path.match_indices(tag.as_str()).any(|(at, _)| {
            let ends = path[at + tag.len()..].starts_with(['.', '-']);
            ends && (!word || !path[..at].ends_with(|c: char| c.is_alphanumeric()))
        })
    };
    let first = |word| sorted.iter().copied().find(|path| has(path, word));
    first(true).or_else(|| first(false))
}

/// All files of the model that `path` belongs to.
fn shards(path: &str, sorted: &[&str]) -> anyhow::Result<Vec<String>> {
    let Some(shard) = Shard::of(path) else { return Ok(vec![path.to_owned()]) };
    let all: Vec<String> = shard.all().collect();
    let missing: Vec<&str> =
        all.iter().map(String::as_str).filter(|part| sorted.binary_search(part).is_err()).collect();
    if !missing.is_empty() {
        bail!("lacks {} of the {} parts of {path}: {}", missing.len(), shard.count, listed(&missing));
    }
    Ok(all)
}

/// One file of a model that was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard<'p> {
    prefix: &'p str,
    pub(crate) number: u32,
    pub(crate) count: u32,
}

impl<'p> Shard<'p> {
    /// Takes `PREFIX-NNNNN-of-NNNNN.gguf` apart.
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        let digits = |text: &str| {
            (text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
        };
        let (rest, count) = path.strip_suffix(".gguf")?.rsplit_once("-of-")?;
        let (prefix, number) = rest.rsplit_once('-')?;
        let shard = Self { prefix, number: digits(number)?, count: digits(count)? };
        (shard.number >= 1 && shard.number <= shard.count).then_some(shard)
    }

    /// The paths of all of them, in order.
    pub(crate) fn all(self) -> impl Iterator<Item = String> + use<'p> {
        (1..=self.count).map(move |number| format!("{}-{number:05}-of-{:05}.gguf", self.prefix, self.count))
    }
}

/// The last part of a path, which has `/` on every system.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Names for an error.
pub(crate) fn listed(names: &[&str]) -> String {
    match names.len() {
        0 => "nothing".to_owned(),
        n if n > MAX_SHOWN => format!("{} and {} more", names[..MAX_SHOWN].join(", "), n - MAX_SHOWN),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests;
