//! Files on disk: ready-made models shared by all tests, and folders of one's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::adapters::{self, Lora};
use crate::gguf::Gguf;
use crate::models::{self, Bert, Hybrid, Llama, Mamba};
use crate::vocab::Vocab;

/// A folder of its own, removed with everything in it when dropped.
#[derive(Debug)]
pub struct TempModels {
    folder: PathBuf,
}

impl TempModels {
    /// Makes an empty folder, under the build's target folder where there is one, else where the system keeps temporary
    /// files. Its name holds the process id and a counter, so neither threads nor processes meet.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = base_folder().join(format!("run-{}-{count}", process::id()));
        // A process of the same id may have died here without cleaning up.
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&folder)?,
        }
        Ok(Self { folder })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes a model and returns its path.
    ///
    /// # Errors
    /// As [`Gguf::save`].
    pub fn write(&self, name: &str, file: &Gguf) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        file.save(&path)?;
        Ok(path)
    }

    /// Writes bytes as they are and returns the path.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, bytes)?;
        Ok(path)
    }
}

impl Drop for TempModels {
    fn drop(&mut self) {
        // A file still open on Windows stays; the build's clean-up takes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Path of `file` in a folder shared by all test processes, written unless it is there already.
///
/// The recipe's hash is part of the name, so a changed recipe gets a new file; and a file appears under its name only when
/// complete, so processes may race. Shared files stay until the target folder is cleaned: do not change them.
///
/// # Errors
/// As [`Gguf::save`].
pub fn shared(name: &str, file: &Gguf) -> io::Result<PathBuf> {
    let folder = base_folder().join("shared");
    let path = folder.join(format!("{name}-{:016x}.gguf", file.recipe_hash()));
    if fs::metadata(&path).is_ok_and(|found| found.len() == file.byte_len()) {
        return Ok(path);
    }
    fs::create_dir_all(&folder)?;
    let draft = TempModels::new()?;
    let complete = draft.write("draft.gguf", file)?;
    match fs::rename(complete, &path) {
        // Another process was faster and, on Windows, already has the file open.
        Err(_) if path.is_file() => Ok(path),
        result => result.map(|()| path),
    }
}

/// `target/tmp/llama-testkit` of the running test, or a folder of that name among the system's temporary files.
fn base_folder() -> PathBuf {
    let target = env::current_exe().ok().and_then(|exe| {
        // Cargo marks the root of every target folder with this file.
        exe.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(|folder| folder.join("tmp"))
    });
    target.unwrap_or_else(env::temp_dir).join("llama-testkit")
}

macro_rules! shared_fixtures {
    ($($(#[doc = $doc:literal])* $name:ident => $file:expr;)*) => {$(
        $(#[doc = $doc])*
        ///
        /// # Panics
        /// If the file cannot be written: without it no test can go on.
        #[must_use]
        pub fn $name() -> &'static Path {
            static PATH: OnceLock<PathBuf> = OnceLock::new();
            PATH.get_or_init(|| match shared(stringify!($name), &$file) {
                Ok(path) => path,
                Err(error) => panic!("cannot write the fixture {}: {error}", stringify!($name)),
            })
        }
    )*};
}

shared_fixtures! {
    /// [`Llama::tiny`]: the model to use when nothing special is wanted.
    tiny_llama => Llama::tiny().file();
    /// [`Llama::tiny_spm`]: adds a BOS token, has byte tokens.
    tiny_llama_spm => Llama::tiny_spm().file();
    /// [`Llama::tiny_tools`]: has a chat template with tools.
    tiny_tools => Llama::tiny_tools().file();
    /// [`Mamba::tiny`]: recurrent.
    tiny_mamba => Mamba::tiny().file();
    /// [`Hybrid::tiny`]: recurrent and attention layers.
    tiny_hybrid => Hybrid::tiny().file();
    /// [`Bert::embedding`]: mean-pooled embeddings of width 32.
    tiny_embedding => Bert::embedding().file();
    /// [`Bert::reranker`]: two scores per sequence.
    tiny_reranker => Bert::reranker().file();
    /// [`Llama::bench_100m`]: 107 MB; the first call takes seconds.
    bench_100m => Llama::bench_100m().file();
    /// [`models::vocab_only`] with [`Vocab::bpe`].
    vocab_bpe => models::vocab_only(&Vocab::bpe());
    /// [`models::vocab_only`] with [`Vocab::spm`].
    vocab_spm => models::vocab_only(&Vocab::spm());
    /// [`models::vocab_only`] with [`Vocab::wpm`].
    vocab_wpm => models::vocab_only(&Vocab::wpm());
    /// [`Lora::for_model`] of [`Llama::tiny`].
    lora => Lora::for_model(&Llama::tiny()).file();
    /// [`Lora::misfit`]: loading it into [`tiny_llama`] must fail.
    lora_misfit => Lora::misfit().file();
    /// [`adapters::control_vector`] for [`tiny_llama`]: `direction.1`, 32 values.
    control_vector => adapters::control_vector(2, 32, 21);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    #[test]
    fn a_folder_is_removed_with_its_files_when_dropped() {
        let folder = TempModels::new().unwrap();
        let path = folder.write_bytes("x.gguf", b"x").unwrap();
        assert!(path.is_file());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn folders_are_distinct() {
        let (one, two) = (TempModels::new().unwrap(), TempModels::new().unwrap());
        assert_ne!(one.path(), two.path());
    }

    #[test]
    fn a_shared_file_is_complete_and_stays_the_same() {
        let first = fs::read(tiny_llama()).unwrap();
        assert_eq!(first, Llama::tiny().file().to_bytes().unwrap());
        let again = shared("tiny_llama", &Llama::tiny().file()).unwrap();
        assert_eq!(again, tiny_llama());
    }

    #[test]
    fn a_damaged_shared_file_is_replaced() {
        let file = models::vocab_only(&Vocab::bpe());
        let path = shared("damaged", &file).unwrap();
        fs::write(&path, b"short").unwrap();
        assert_eq!(shared("damaged", &file).unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), file.to_bytes().unwrap());
    }
}
