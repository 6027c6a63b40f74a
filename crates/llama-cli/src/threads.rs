//! How many threads were best for a model on this machine, kept from run to run: [`Kept`].
//!
//! The engine measures that when it loads a model; here its result is written to a small file in the user's cache folder and given
//! to the engine the next time, also that a model's steps take too long to be measured, which stands there as 0 threads. It is
//! only a start: the engine goes on from there by what its steps take. A file that cannot be read, or is not ours, is as none;
//! one that cannot be written is let be.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use etcetera::BaseStrategy;
use llama_runtime::{ThreadChoice, ThreadCounts, llama_cpp_build, llama_cpp_version};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::replace;
use crate::settings::Settings;

/// Models that are remembered; the one measured longest ago goes first.
const MOST: usize = 64;
/// Bytes of a file that holds as many.
const LARGEST: u64 = 64 << 10;
/// After so many seconds it is measured again: machines and what they do change.
const STALE: u64 = 7 * 24 * 60 * 60;
/// Most threads there can be.
const MOST_THREADS: u32 = 512;
/// How it is measured, as part of what a result depends on: those of other programs that measured otherwise are not found.
const MANNER: &str = "2";

/// The file as a whole.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    measured: Vec<Entry>,
}

/// One model with one set of settings on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// A digest of all that the result depends on.
    key: String,
    #[serde(flatten)]
    counts: ThreadCounts,
    /// Seconds since 1970.
    time: u64,
}

/// The place of one result in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    file: PathBuf,
    key: String,
}

impl Kept {
    /// For a model's file; `None` where nothing is measured (the numbers are set) or could be kept (there is no such folder).
    pub(crate) fn of(model: &Path, settings: &Settings) -> Option<Self> {
        if settings.context.threads.is_some() {
            return None;
        }
        let folder = etcetera::choose_base_strategy().ok()?.cache_dir();
        Some(Self { file: folder.join("llama-rs").join("threads.json"), key: key(model, settings)? })
    }

    /// What is known; 0 for steps that take too long to be measured.
    pub(crate) fn read(&self) -> Option<ThreadCounts> {
        let now = seconds();
        let entry = content(&self.file).measured.into_iter().find(|entry| entry.key == self.key)?;
        let counts = entry.counts;
        let sane = [counts.decode, counts.prefill].iter().all(|count| (0..=MOST_THREADS).contains(count));
        // A clock that was put back makes old results new ones.
        let fresh = entry.time <= now && now - entry.time < STALE;
        (sane && fresh).then_some(counts)
    }

    /// Keeps what the engine measured, if that says something about other times.
    pub(crate) fn write(&self, choice: &ThreadChoice) {
        let Some(counts) = choice.keep else { return };
        let mut all = content(&self.file).measured;
        all.retain(|entry| entry.key != self.key);
        all.push(Entry { key: self.key.clone(), counts, time: seconds() });
        all.sort_by_key(|entry| entry.time);
        all.drain(..all.len().saturating_sub(MOST));
        let written = serde_json::to_vec(&Content { measured: all }).map_err(std::io::Error::from).and_then(|bytes| {
            if let Some(folder) = self.file.parent() {
                std::fs::create_dir_all(folder)?;
            }
            replace::with_bytes(&self.file, &bytes)
        });
        if let Err(error) = written {
            tracing::debug!(%error, file = %self.file.display(), "how many threads are best could not be kept");
        }
    }
}

fn content(file: &Path) -> Content {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Machine, program, model, and the settings that decide what is computed where. `None` for a file that is not there.
fn key(model: &Path, settings: &Settings) -> Option<String> {
    let facts = std::fs::metadata(model).ok()?;
    let changed = facts.modified().ok()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let path = std::fs::canonicalize(model).ok()?;
    let context = &settings.context;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parts = [
        MANNER.to_owned(),
        processor(),
        cores.to_string(),
        env!("CARGO_PKG_VERSION").to_owned(),
        llama_cpp_version(),
        llama_cpp_build().to_owned(),
        path.to_string_lossy().into_owned(),
        facts.len().to_string(),
        changed.to_string(),
        serde_json::to_string(&settings.hardware).ok()?,
        format!("{:?} {:?} {:?}", context.flash_attention, context.cache_k, context.cache_v),
        // One that is set is in what would be kept.
        format!("{:?}", context.threads_batch),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What the system says of the processor and its instructions; asked without llama.cpp, whose start takes long where there are
/// graphics cards.
fn processor() -> String {
    let mut text = String::new();
    let read = File::open("/proc/cpuinfo").and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    if read.is_err() {
        return format!("{} {} {:?}", std::env::consts::OS, std::env::consts::ARCH, instructions());
    }
    let names = ["model name", "flags", "Features", "CPU implementer", "CPU part"];
    let first = |name: &&str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    names.iter().map(first).collect::<Vec<_>>().join("\n")
}

/// Those that make a difference to kernels.
fn instructions() -> Vec<bool> {
    #[cfg(target_arch = "x86_64")]
    return vec![is_x86_feature_detected!("avx2"), is_x86_feature_detected!("avx512vnni")];
    #[cfg(target_arch = "aarch64")]
    return vec![std::arch::is_aarch64_feature_detected!("dotprod"), std::arch::is_aarch64_feature_detected!("i8mm")];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    Vec::new()
}

#[cfg(test)]
mod tests;
