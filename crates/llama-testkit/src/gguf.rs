//! A writer of GGUF v3 files: metadata, tensors as recipes, 32-byte alignment, one file or a split set.
//!
//! It writes what it is told, sensible or not: whether llama.cpp can use the file is the business of [`crate::models`].
//! Writing streams, so a file may be larger than memory. It is no reader; see [`Layout`] for finding places in a file.

mod dtype;
mod fill;
mod layout;
mod split;
mod value;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use dtype::{DType, f16_bits};
pub use fill::Fill;
pub use layout::{Layout, TensorAt, ValueAt};
pub use split::split_name;
pub use value::{Array, Kind, Value};

use crate::random::fnv1a;
use value::encode_string;

/// Every tensor starts at a multiple of this many bytes from the start of the data section, which is aligned too.
pub const ALIGNMENT: u64 = 32;

/// Part of [`Gguf::recipe_hash`]: goes up when the same recipe gives other bytes.
const WRITER_VERSION: u32 = 1;

/// Values produced, converted and written at a time; a multiple of every block length.
const PIECE: u64 = 16 * 1024;

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Name, at most 63 bytes for llama.cpp.
    pub name: String,
    /// Dimensions, fastest first (`[n_in, n_out]` for a matrix), one to four for llama.cpp.
    pub shape: Vec<u64>,
    /// Element type.
    pub dtype: DType,
    /// Values.
    pub fill: Fill,
}

impl Tensor {
    /// Number of values; saturates.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, n| product.saturating_mul(*n))
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in the file, without padding; saturates.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        (self.len() / self.dtype.block()).saturating_mul(self.dtype.block_bytes())
    }

    fn check(&self) -> io::Result<()> {
        let row = self.shape.first().copied().unwrap_or(1);
        if row % self.dtype.block() != 0 {
            return Err(invalid(format!(
                "tensor {}: rows of {row} are not a multiple of {} as {:?} needs",
                self.name,
                self.dtype.block(),
                self.dtype
            )));
        }
        match self.fill.len() {
            Some(given) if given != self.len() => {
                Err(invalid(format!("tensor {}: {given} values for shape {:?}", self.name, self.shape)))
            }
            _ => Ok(()),
        }
    }

    fn write_data(&self, out: &mut impl Write) -> io::Result<()> {
        let mut stream = self.fill.stream();
        let mut values = vec![0.0; PIECE.min(self.len()) as usize];
        let mut bytes = Vec::with_capacity(values.len() * 4);
        let mut left = self.len();
        while left > 0 {
            let piece = &mut values[..PIECE.min(left) as usize];
            stream.fill(piece);
            bytes.clear();
            self.dtype.encode(piece, &mut bytes);
            out.write_all(&bytes)?;
            left -= piece.len() as u64;
        }
        write_zeros(out, padding(self.byte_len()))
    }
}

/// A GGUF file in the making. Metadata and tensors keep the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gguf {
    metadata: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

impl Gguf {
    /// An empty file with `general.architecture` set.
    #[must_use]
    pub fn new(architecture: &str) -> Self {
        let mut file = Self::default();
        file.set("general.architecture", architecture);
        file
    }

    /// Sets `key`, replacing an earlier value in place.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        let (key, value) = (key.into(), value.into());
        match self.metadata.iter_mut().find(|(known, _)| *known == key) {
            Some(slot) => slot.1 = value,
            None => self.metadata.push((key, value)),
        }
        self
    }

    /// Appends `key` even if it is there already: for bad files.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Removes `key` if it is there.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        self.metadata.retain(|(known, _)| known != key);
        self
    }

    /// Value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Appends a tensor; names are not checked.
    pub fn tensor(&mut self, tensor: Tensor) -> &mut Self {
        self.tensors.push(tensor);
        self
    }

    /// Tensors, in file order.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The same for changing, reordering or removing them.
    pub fn tensors_mut(&mut self) -> &mut Vec<Tensor> {
        &mut self.tensors
    }

    /// Number of values in all tensors.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.tensors.iter().map(Tensor::len).sum()
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        let data: u64 = self.tensors.iter().map(|tensor| aligned(tensor.byte_len())).sum();
        self.header().len() as u64 + data
    }

    /// A hash of everything that decides the bytes, without producing them.
    #[must_use]
    pub fn recipe_hash(&self) -> u64 {
        let mut text = format!("{WRITER_VERSION}").into_bytes();
        text.extend(self.header());
        for tensor in &self.tensors {
            text.extend(format!("{:?}", tensor.fill).into_bytes());
        }
        fnv1a(&text)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if a recipe does not fit its tensor's shape or type, before anything is
    /// written; otherwise what `out` reports.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.tensors.iter().try_for_each(Tensor::check)?;
        out.write_all(&self.header())?;
        self.tensors.iter().try_for_each(|tensor| tensor.write_data(out))
    }

    /// The file as bytes.
    ///
    /// # Errors
    /// As [`Gguf::write_to`], without the I/O.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the file at `path`, replacing what is there.
    ///
    /// # Errors
    /// As [`Gguf::write_to`], and what the file system reports.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
        self.write_to(&mut out)?;
        out.flush()
    }

    /// Magic, counts, metadata, tensor descriptions and padding up to the data section.
    fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            encode_string(key, &mut out);
            out.extend((value.kind() as u32).to_le_bytes());
            value.encode(&mut out);
        }
        let mut offset = 0_u64;
        for tensor in &self.tensors {
            encode_string(&tensor.name, &mut out);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend(tensor.dtype.id().to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += aligned(tensor.byte_len());
        }
        out.resize(aligned(out.len() as u64) as usize, 0);
        out
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn padding(len: u64) -> u64 {
    len.wrapping_neg() % ALIGNMENT
}

fn aligned(len: u64) -> u64 {
    len + padding(len)
}

fn write_zeros(out: &mut impl Write, count: u64) -> io::Result<()> {
    out.write_all(&[0; ALIGNMENT as usize][..count as usize])
}

#[cfg(test)]
mod tests;
