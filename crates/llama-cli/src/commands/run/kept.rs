//! `--prompt-cache`: the computed prompt in a file, so that the next run that begins with it need not compute it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use llama_runtime::blocking::block_on;
use llama_runtime::{Prompt, Runtime};

use crate::{replace, ui};

/// Bytes that a file may have: more than the cache of any context that a machine of today can hold.
const MAX_FILE: u64 = 256 << 30;

/// The file of the computed prompt.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prompt cache")]
pub(crate) struct KeepArgs {
    /// Keep the computed prompt in a file, and take from it what the next prompt begins with; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    prompt_cache: Option<PathBuf>,

    /// Only read the file of --prompt-cache
    #[arg(long, requires = "prompt_cache", conflicts_with = "prompt_cache_all")]
    prompt_cache_ro: bool,

    /// Keep the answer in --prompt-cache too
    #[arg(long, requires = "prompt_cache")]
    prompt_cache_all: bool,
}

impl KeepArgs {
    /// Whether there is a file.
    pub(super) fn is_given(&self) -> bool {
        self.prompt_cache.is_some()
    }

    /// Whether the answer is kept too.
    pub(super) fn keeps_answer(&self) -> bool {
        self.prompt_cache_all
    }

    /// Puts what the file has into the cache of `runtime`.
    ///
    /// # Errors
    ///
    /// A file that is there and cannot be used.
    pub(super) fn restore(&self, runtime: &Runtime) -> anyhow::Result<()> {
        let Some(path) = &self.prompt_cache else { return Ok(()) };
        let bytes = read(path)?;
        if bytes.is_empty() {
            return Ok(());
        }
        block_on(runtime.restore_prefix(None, &bytes)).map(drop).with_context(|| {
            format!(
                "--prompt-cache {}: the file cannot be used; delete it to have it made anew, or name another one",
                path.display()
            )
        })
    }

    /// Writes what the cache of `runtime` has of `prompt`. The file has what it had, or all of it.
    ///
    /// # Errors
    ///
    /// Those of the runtime and of the file.
    pub(super) fn save(&self, runtime: &Runtime, prompt: impl FnOnce() -> Prompt) -> anyhow::Result<()> {
        let Some(path) = self.prompt_cache.as_ref().filter(|_| !self.prompt_cache_ro) else { return Ok(()) };
        let failed = || format!("--prompt-cache {}: the prompt was not kept", path.display());
        match block_on(runtime.save_prefix(None, prompt())).with_context(failed)? {
            Some(prefix) => replace::with_bytes(path, &prefix.bytes).with_context(failed),
            None => {
                ui::note(&format!("{}: nothing of it can be kept for this model", failed()));
                Ok(())
            }
        }
    }
}

/// Empty where there is no file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("--prompt-cache {}: cannot be read", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.with_context(failed)?,
    };
    let meta = file.metadata().with_context(failed)?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        bail!("--prompt-cache {}: this is no file of a prompt; name another one", path.display());
    }
    let mut bytes = Vec::new();
    file.take(meta.len()).read_to_end(&mut bytes).with_context(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_empty_and_a_folder_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join("none")).unwrap().is_empty());
        assert!(read(folder.path()).is_err());
    }
}
