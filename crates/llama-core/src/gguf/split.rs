//! Models that were split into several files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::{GgufError, Origin, shown};
use super::{GgufFile, Value};

/// The longest number of parts: llama.cpp counts them in 16 bits.
const MAX_PARTS: u32 = u16::MAX as u32;

/// The paths of all parts of a split model, from the path of any part, in order.
///
/// Parts are recognised by their names, `NAME-00001-of-00003.gguf`, as llama.cpp writes them; a file with any other name
/// is a model by itself, and the answer is its own path. No file is opened.
///
/// # Errors
///
/// [`MissingSplit`](GgufError::MissingSplit) with the path of the first part that is not there.
///
/// ```
/// use llama_core::gguf::{GgufError, splits};
///
/// assert_eq!(splits("model.gguf")?, ["model.gguf".as_ref() as &std::path::Path]);
/// let error = splits("big-00002-of-00003.gguf").unwrap_err();
/// assert!(error.to_string().contains("big-00001-of-00003.gguf"));
/// # Ok::<(), GgufError>(())
/// ```
#[doc(alias = "llama_split_path")]
#[doc(alias = "llama_split_prefix")]
pub fn splits(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, GgufError> {
    let path = path.as_ref();
    let Some(name) = PartName::parse(path) else {
        return Ok(vec![path.to_owned()]);
    };
    let mut paths = Vec::new();
    for number in 1..=name.count {
        let part = name.path(path, number);
        if !part.exists() {
            return Err(GgufError::MissingSplit {
                origin: Origin::path(path),
                missing: part,
                number,
                count: name.count,
            });
        }
        paths.push(part);
    }
    Ok(paths)
}

/// The name of one part, taken apart.
struct PartName<'p> {
    prefix: &'p str,
    number: u32,
    count: u32,
}

impl<'p> PartName<'p> {
    fn parse(path: &'p Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (prefix, number) = rest.rsplit_once('-')?;
        let parse = |digits: &str| {
            let plain = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let name = Self { prefix, number: parse(number)?, count: parse(count)? };
        ((1..=name.count).contains(&name.number) && name.count <= MAX_PARTS && !prefix.is_empty()).then_some(name)
    }

    fn path(&self, given: &Path, number: u32) -> PathBuf {
        given.with_file_name(format!("{}-{number:05}-of-{:05}.gguf", self.prefix, self.count))
    }
}

/// A whole model: one file, or all parts of a split one.
///
/// Plain data, `Send` and `Sync`; all files are closed again.
#[derive(Debug)]
pub struct ModelFiles {
    /// Never empty.
    files: Vec<GgufFile>,
    paths: Vec<PathBuf>,
}

impl ModelFiles {
    /// Reads the headers of a model. Of a split model any part can be given; the others are found by their names.
    ///
    /// # Errors
    ///
    /// Those of [`GgufFile::open`] for each part; [`MissingSplit`](GgufError::MissingSplit) if a part is not there;
    /// [`Unloadable`](GgufError::Unloadable) if the parts are not all parts of one model, or if a part was renamed so
    /// that the others cannot be found.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GgufError> {
        let path = path.as_ref();
        let given = GgufFile::open(path)?;
        // A wrong type here makes llama.cpp refuse the first part, but end the process on a later one.
        let Some(count) = split_number(&given, "split.count")?.filter(|&count| count > 1) else {
            return Ok(Self { files: vec![given], paths: vec![path.to_owned()] });
        };
        let Some(name) = PartName::parse(path).filter(|name| name.count == u32::from(count)) else {
            let problem = format!(
                "says that this is one of {count} files, but its name does not end in -00001-of-{count:05}.gguf or the like, \
                 so the others cannot be found; give the parts their original names"
            );
            return Err(unloadable(&given, "split.count", problem));
        };
        let paths = splits(path)?;
        let mut files = Vec::with_capacity(paths.len());
        let mut given = Some(given);
        for (part, number) in paths.iter().zip(1_u32..) {
            // The given file was read already.
            let reuse = if number == name.number { given.take() } else { None };
            let file = reuse.map_or_else(|| GgufFile::open(part), Ok)?;
            check_part(&file, number)?;
            files.push(file);
        }
        let model = Self { files, paths };
        model.check_tensors()?;
        Ok(model)
    }

    /// The paths, in order. llama.cpp is given the first and finds the others, or is given all.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The files, in order; the first has the metadata.
    #[must_use]
    pub fn files(&self) -> &[GgufFile] {
        &self.files
    }

    /// The file with the metadata of the model.
    #[must_use]
    pub fn metadata(&self) -> &GgufFile {
        &self.files[0]
    }

    /// The number of parameters of the whole model.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.parameter_count()))
    }

    /// Bytes of all tensors of the whole model.
    #[must_use]
    pub fn tensor_bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.tensor_bytes()))
    }

    /// Checks that llama.cpp can be asked to load the model: see [`GgufFile::preflight`].
    ///
    /// # Errors
    ///
    /// [`Unloadable`](GgufError::Unloadable) with the key or the tensor at fault.
    pub fn preflight(&self) -> Result<(), GgufError> {
        self.metadata().preflight()?;
        self.files[1..].iter().try_for_each(GgufFile::preflight_tensors)
    }

    /// Like [`preflight`](Self::preflight), for loading the vocabulary only.
    pub(crate) fn preflight_vocab(&self) -> Result<(), GgufError> {
        self.metadata().preflight_vocab()
    }

    /// The file with the metadata, for [`GgufFile::override_value`].
    pub(crate) fn metadata_mut(&mut self) -> &mut GgufFile {
        &mut self.files[0]
    }

    fn check_tensors(&self) -> Result<(), GgufError> {
        let mut names = HashSet::new();
        for file in &self.files {
            for tensor in file.tensors() {
                if !names.insert(tensor.name()) {
                    let problem = "is in two parts; the parts do not belong to one model".to_owned();
                    return Err(unloadable(file, tensor.name(), problem));
                }
            }
        }
        let expected = self.metadata().get("split.tensors.count").and_then(Value::as_u64);
        match expected {
            Some(expected) if expected != names.len() as u64 => {
                let problem =
                    format!("is {expected}, but the parts have {} tensors; they do not belong together", names.len());
                Err(unloadable(self.metadata(), "split.tensors.count", problem))
            }
            _ => Ok(()),
        }
    }
}

fn check_part(file: &GgufFile, number: u32) -> Result<(), GgufError> {
    match split_number(file, "split.no")? {
        Some(found) if u32::from(found) + 1 == number => Ok(()),
        found => {
            let found = found.map_or_else(|| "missing".to_owned(), |found| found.to_string());
            let problem =
                format!("is {found}, but by its name the file is part {number} (counted from 0: {})", number - 1);
            Err(unloadable(file, "split.no", problem))
        }
    }
}

fn split_number(file: &GgufFile, key: &str) -> Result<Option<u16>, GgufError> {
    match file.get(key) {
        None => Ok(None),
        Some(&Value::U16(number)) => Ok(Some(number)),
        Some(other) => Err(unloadable(file, key, format!("is of type {}, but must be u16", other.value_type()))),
    }
}

pub(super) fn unloadable(file: &GgufFile, key: &str, problem: String) -> GgufError {
    GgufError::Unloadable { origin: file.origin.clone(), key: shown(key), problem }
}
