//! Models large enough to measure: random weights in llama shapes, in every type that our kernels have.
//!
//! Files are made once per target folder, by the testkit and by llama.cpp's own quantizer, and stay there. They answer
//! nonsense, at the speed of real models of their sizes. Like those, they use the token embeddings as the output matrix
//! too, so that a step reads the whole file.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use llama_core::gguf::{GgufFile, TensorInfo};
use llama_sys as ffi;
use llama_testkit::gguf::{DType, Gguf};
use llama_testkit::models::Llama;
use llama_testkit::{fixtures, vocab::Vocab};

use crate::Failure;

/// A type of file to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileType {
    /// As upstream's quantizer calls it, in lower case.
    pub name: &'static str,
    ftype: ffi::llama_ftype,
}

const fn file_type(name: &'static str, ftype: ffi::llama_ftype) -> FileType {
    FileType { name, ftype }
}

/// Every type that the kernels have.
pub const TYPES: [FileType; 7] = [
    file_type("q8_0", ffi::LLAMA_FTYPE_MOSTLY_Q8_0),
    file_type("q4_0", ffi::LLAMA_FTYPE_MOSTLY_Q4_0),
    file_type("q4_k_m", ffi::LLAMA_FTYPE_MOSTLY_Q4_K_M),
    file_type("q5_k_m", ffi::LLAMA_FTYPE_MOSTLY_Q5_K_M),
    file_type("q6_k", ffi::LLAMA_FTYPE_MOSTLY_Q6_K),
    file_type("f16", ffi::LLAMA_FTYPE_MOSTLY_F16),
    file_type("bf16", ffi::LLAMA_FTYPE_MOSTLY_BF16),
];

/// A size of model to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 204 million parameters, 20 layers of width 768, 102 400 tokens.
    Small,
    /// 608 million parameters, 36 layers of width 1024, 151 936 tokens.
    Large,
}

impl Shape {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// How it is called in tables and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "0.2b",
            Self::Large => "0.6b",
        }
    }

    fn recipe(self) -> Gguf {
        let base = Llama { dtype: DType::Q8_0, n_head_kv: 4, head_dim: 64, ..Llama::bench_100m() };
        let llama = match self {
            Self::Small => Llama {
                vocab: Vocab::bpe().padded_to(102_400),
                n_layer: 20,
                n_embd: 768,
                n_head: 12,
                n_ff: 2048,
                ..base
            },
            Self::Large => Llama {
                vocab: Vocab::bpe().padded_to(151_936),
                n_layer: 36,
                n_embd: 1024,
                n_head: 16,
                n_head_kv: 8,
                n_ff: 3072,
                ..base
            },
        };
        let mut file = llama.file();
        file.tensors_mut().retain(|tensor| tensor.name != "output.weight");
        file
    }

    /// The file of a type. The first call for a type takes from seconds to a minute; the files stay in the target folder.
    ///
    /// # Errors
    /// What the file system or the quantizer reports.
    pub fn file(self, file_type: FileType) -> Result<PathBuf, Failure> {
        let path = fixtures::shared(&format!("measured_{}", self.name().replace('.', "_")), &self.recipe())?;
        if file_type.name == "q8_0" {
            return Ok(path);
        }
        let other = path.with_extension(format!("{}.gguf", file_type.name));
        if other.is_file() {
            return Ok(other);
        }
        // It appears under its name only when it is complete.
        let draft = path.with_extension(format!("{}.{}", file_type.name, std::process::id()));
        let written = quantize(&path, &draft, file_type.ftype);
        if let Err(error) = written.and_then(|()| Ok(fs::rename(&draft, &other)?)) {
            let _ = fs::remove_file(&draft);
            return Err(format!("cannot write {}: {error}", other.display()).into());
        }
        Ok(other)
    }
}

fn quantize(from: &Path, to: &Path, ftype: ffi::llama_ftype) -> Result<(), Failure> {
    // Starts llama.cpp, whose many lines then go where all logs go.
    llama_core::system_info();
    let as_c = |path: &Path| CString::new(path.to_str().ok_or("the path is no UTF-8")?).map_err(Failure::from);
    let (from, to) = (as_c(from)?, as_c(to)?);
    // SAFETY: a plain struct by value; then paths that are NUL-terminated, and parameters that point to nothing.
    let status = unsafe {
        let mut params = ffi::llama_model_quantize_default_params();
        params.ftype = ftype;
        params.allow_requantize = true;
        ffi::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const params)
    };
    if status == 0 { Ok(()) } else { Err(format!("llama.cpp's quantizer says {status}").into()) }
}

/// Bytes of weights that a decoding step reads: all of the file's tensors, if the embeddings are the output matrix too;
/// else all but the embeddings, of which it reads a row.
///
/// # Errors
/// A file that cannot be read.
pub fn bytes_of_a_step(path: &Path) -> Result<u64, Failure> {
    let file = GgufFile::open(path)?;
    let size = |name| file.tensor(name).map(TensorInfo::byte_len);
    let unread = size("output.weight").and_then(|_| size("token_embd.weight")).unwrap_or(0);
    Ok(file.tensor_bytes() - unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_as_documented() {
        let counts = Shape::ALL.map(|shape| shape.recipe().parameter_count() / 1_000_000);
        assert_eq!(counts, [204, 608]);
    }

    #[test]
    fn embeddings_that_are_no_output_matrix_are_not_read_in_a_step() {
        let folder = fixtures::TempModels::new().expect("a folder");
        let mut recipe = Llama::tiny().file();
        let apart = folder.write("apart.gguf", &recipe).expect("a file");
        recipe.tensors_mut().retain(|tensor| tensor.name != "output.weight");
        let tied = folder.write("tied.gguf", &recipe).expect("a file");
        let [apart, tied] = [apart, tied].map(|path| bytes_of_a_step(&path).expect("a model"));
        assert_eq!(apart, tied);
    }
}
