//! Reads what a GGUF model file says of itself, without loading it.
//!
//! [`GgufFile`] reads one file: metadata and tensor descriptions, never tensor data, in milliseconds whatever the size
//! of the model. [`ModelFiles`] opens a model with all parts it was split into. Both trust nothing in the file: a
//! truncated, damaged or hostile one gives a [`GgufError`] within a second and with bounded memory. llama.cpp ends the
//! process on some such files, so [`ModelFiles::open`] and [`ModelFiles::preflight`] are to be asked before it loads one.
//!
//! ```
//! use llama_core::gguf::{GgufError, GgufFile};
//!
//! // The smallest file there is: magic, version 3, no tensors, one entry.
//! let mut bytes = b"GGUF\x03\0\0\0".to_vec();
//! bytes.extend(0_u64.to_le_bytes());
//! bytes.extend(1_u64.to_le_bytes());
//! bytes.extend(20_u64.to_le_bytes());
//! bytes.extend(b"general.architecture");
//! bytes.extend(8_u32.to_le_bytes()); // a string
//! bytes.extend(5_u64.to_le_bytes());
//! bytes.extend(b"llama");
//!
//! let file = GgufFile::from_bytes(&bytes)?;
//! assert_eq!(file.architecture(), Some("llama"));
//!
//! let cut = GgufFile::from_bytes(&bytes[..30]);
//! assert!(matches!(cut, Err(GgufError::Truncated { .. })));
//! # Ok::<(), GgufError>(())
//! ```

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

pub use self::error::{GgufError, Origin};
pub use self::facts::{FileType, SplitInfo, Summary};
pub use self::split::{ModelFiles, splits};
pub use self::tensor::{MAX_DIMS, TensorInfo, TensorType};
pub use self::value::{Array, Strings, Value, ValueType};

mod attention;
mod error;
mod facts;
mod preflight;
mod reader;
mod sniff;
mod split;
mod tensor;
mod value;

/// What llama.cpp's CPU buffers have to be aligned to, in bytes.
#[doc(alias = "TENSOR_ALIGNMENT")]
const MAPPED_ALIGNMENT: u64 = 32;

/// The header of one GGUF file: metadata and tensor descriptions.
///
/// Plain data, `Send` and `Sync`; the file is closed again. Versions 2 and 3 in little-endian order are read. At most
/// 128 MiB of header are read and kept, which is several times what the largest vocabularies take.
#[doc(alias = "gguf_context")]
#[derive(Debug)]
pub struct GgufFile {
    origin: Origin,
    header: reader::Header,
}

impl GgufFile {
    /// Reads the header of a file.
    ///
    /// For a part of a split model this is that part only; see [`ModelFiles::open`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](GgufError::NotFound), [`PermissionDenied`](GgufError::PermissionDenied),
    /// [`IsDirectory`](GgufError::IsDirectory) and [`NotAFile`](GgufError::NotAFile) for the path, and those of
    /// [`from_reader`](Self::from_reader) for what is in it.
    #[doc(alias = "gguf_init_from_file")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GgufError> {
        let path = path.as_ref();
        let origin = Origin::path(path);
        // Asked before opening: opening a pipe would wait for its writer.
        let kind = std::fs::metadata(path).map_err(|error| GgufError::from_io(&origin, 0, error))?.file_type();
        if kind.is_dir() {
            return Err(GgufError::IsDirectory { origin });
        }
        if !kind.is_file() {
            return Err(GgufError::NotAFile { origin });
        }
        let file = File::open(path).map_err(|error| GgufError::from_io(&origin, 0, error))?;
        Self::read(file, origin)
    }

    /// Reads the header from anything that can be read and has an end; it is read from its start.
    ///
    /// # Errors
    ///
    /// [`Empty`](GgufError::Empty), [`NotGguf`](GgufError::NotGguf), [`BigEndian`](GgufError::BigEndian) and
    /// [`UnsupportedVersion`](GgufError::UnsupportedVersion) if it is another kind of file,
    /// [`Truncated`](GgufError::Truncated) if it ends before the last tensor does, [`Absurd`](GgufError::Absurd) and
    /// [`Corrupt`](GgufError::Corrupt) if its content breaks a limit or a rule, [`Io`](GgufError::Io) if reading fails.
    pub fn from_reader(source: impl Read + Seek) -> Result<Self, GgufError> {
        Self::read(source, Origin::default())
    }

    /// Reads the header from a whole file in memory.
    ///
    /// # Errors
    ///
    /// Those of [`from_reader`](Self::from_reader).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GgufError> {
        Self::from_reader(io::Cursor::new(bytes))
    }

    fn read(source: impl Read + Seek, origin: Origin) -> Result<Self, GgufError> {
        let header = reader::read(source, &origin)?;
        Ok(Self { origin, header })
    }

    /// The path the file was opened by; nothing if it was read from memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.origin.as_path()
    }

    /// The version of the format: 2 or 3.
    #[doc(alias = "gguf_get_version")]
    #[must_use]
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.header.file_len
    }

    /// The power of two, in bytes, that tensors are aligned to.
    #[doc(alias = "gguf_get_alignment")]
    #[must_use]
    pub fn alignment(&self) -> u64 {
        self.header.alignment
    }

    /// Bytes from the start of the file to the data section. Tensor offsets count from there.
    #[doc(alias = "gguf_get_data_offset")]
    #[must_use]
    pub fn data_offset(&self) -> u64 {
        self.header.data_offset
    }

    /// Whether the tensors can be used where the file is mapped into memory.
    ///
    /// Files with an alignment below 32 bytes may be well formed and still not fit: llama.cpp ends the process if it is to
    /// map them, and has to read them instead.
    #[must_use]
    pub fn supports_mmap(&self) -> bool {
        let starts = self.header.tensors.iter().map(|tensor| self.header.data_offset + tensor.offset());
        starts.into_iter().all(|start| start.is_multiple_of(MAPPED_ALIGNMENT))
    }

    /// The metadata, in the order of the file.
    pub fn metadata(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.header.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The metadata value of a key.
    #[doc(alias = "gguf_find_key")]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.header.entry_index.get(key).map(|&index| &self.header.entries[index].1)
    }

    /// The metadata value of a key of this architecture: `get_arch("context_length")` is that of `llama.context_length`
    /// in a llama model.
    #[must_use]
    pub fn get_arch(&self, key: &str) -> Option<&Value> {
        self.get(&self.arch_key(key))
    }

    /// The tensors, in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.header.tensors
    }

    /// The tensor of a name. Takes time in proportion to the number of tensors.
    #[doc(alias = "gguf_find_tensor")]
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.header.tensors.iter().find(|tensor| tensor.name() == name)
    }

    /// The full name of a key of this architecture.
    fn arch_key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
