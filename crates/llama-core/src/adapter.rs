//! Small changes to a model at run time: [`LoraAdapter`] and [`ControlVector`].

use crate::gguf::{GgufError, GgufFile, TensorType};
use crate::log::Capture;
use crate::model::Model;
use crate::raw;
use llama_sys as ffi;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

/// Why an adapter was not loaded or not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// The file is missing, unreadable, damaged or no GGUF.
    #[error(transparent)]
    File(#[from] GgufError),
    /// The path cannot be given to C.
    #[error("the path {path} contains a NUL byte or is not valid UTF-8; rename the file or its folder", path = path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// The file is a GGUF, but no adapter of the kind asked for.
    #[error("{path} is no {wanted}: {why}", path = path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What was expected.
        wanted: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The adapter does not fit this model; the reason is what llama.cpp logged.
    #[error("{path} does not fit this model: {reason}", path = path.display())]
    Rejected {
        /// The file.
        path: PathBuf,
        /// llama.cpp's own words.
        reason: String,
    },
    /// The adapter was loaded for another model.
    #[error("this adapter was loaded for another model; load it for the context's own model")]
    OtherModel,
    /// A strength that is not a finite number, or a layer range that is empty or outside the model.
    #[error("adapter parameter `{name}` {why}")]
    InvalidParam {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// llama.cpp failed; its own words.
    #[error("llama.cpp failed to apply the adapter: {reason}")]
    Internal {
        /// The exception's text, or the log.
        reason: String,
    },
}

/// A LoRA adapter for one model. Cheap to clone; freed after the last clone and the last context that uses it.
///
/// `Send` and `Sync`, like the model it belongs to.
#[doc(alias = "llama_adapter_lora")]
#[derive(Clone)]
pub struct LoraAdapter {
    inner: Arc<LoraInner>,
}

struct LoraInner {
    raw: NonNull<ffi::llama_adapter_lora>,
    path: PathBuf,
    model: Model,
}

// SAFETY: after loading C only reads the adapter; loading and freeing hold the model's setup lock.
unsafe impl Send for LoraInner {}
// SAFETY: as for `Send`.
unsafe impl Sync for LoraInner {}

impl LoraAdapter {
    /// Loads a LoRA adapter in GGUF for this model.
    ///
    /// # Errors
    ///
    /// [`AdapterError`]; [`AdapterError::Rejected`] if it was made for another architecture or shape.
    #[doc(alias = "llama_adapter_lora_init")]
    #[doc(alias = "llama_adapter_lora_free")]
    pub fn load(model: &Model, path: impl AsRef<Path>) -> Result<Self, AdapterError> {
        let path = path.as_ref();
        check_lora(&GgufFile::open(path)?, path)?;
        let name = raw::c_path(path).ok_or_else(|| AdapterError::BadPath { path: path.to_owned() })?;
        let mut adapter = std::ptr::null_mut();
        let capture = Capture::start();
        let result = {
            let _setup = model.lock_setup();
            // SAFETY: the model is live and locked against other writers; the name is NUL-terminated.
            raw::check(unsafe { ffi::lrs_adapter_lora_load(model.as_ptr(), name.as_ptr(), &raw mut adapter) })
        };
        let log = capture.finish();
        match (result, NonNull::new(adapter)) {
            (Ok(()), Some(raw)) => {
                Ok(Self { inner: Arc::new(LoraInner { raw, path: path.to_owned(), model: model.clone() }) })
            }
            (result, _) => Err(AdapterError::Rejected { path: path.to_owned(), reason: raw::explain(result, &log) }),
        }
    }

    /// The C adapter, live as long as this handle.
    pub(crate) fn as_ptr(&self) -> *mut ffi::llama_adapter_lora {
        self.inner.raw.as_ptr()
    }

    /// The model it was loaded for.
    pub fn model(&self) -> &Model {
        &self.inner.model
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

impl std::fmt::Debug for LoraAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoraAdapter").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Drop for LoraInner {
    fn drop(&mut self) {
        let _setup = self.model.lock_setup();
        // SAFETY: contexts that use the adapter hold an `Arc` of this, so none does any more; the model is live.
        unsafe { ffi::llama_adapter_lora_free(self.raw.as_ptr()) };
    }
}

/// C asserts the types of these keys; everything else it throws about.
fn check_lora(file: &GgufFile, path: &Path) -> Result<(), AdapterError> {
    let wrong = |why: String| AdapterError::WrongKind { path: path.to_owned(), wanted: "LoRA adapter", why };
    for (key, value) in [("general.type", "adapter"), ("adapter.type", "lora")] {
        if file.get(key).and_then(|v| v.as_str()) != Some(value) {
            return Err(wrong(format!("its {key} is not \"{value}\"")));
        }
    }
    if file.get("general.architecture").is_none_or(|v| v.as_str().is_none()) {
        return Err(wrong("its general.architecture is missing or no text".to_owned()));
    }
    if file.get("adapter.lora.alpha").is_some_and(|v| v.value_type() != crate::gguf::ValueType::F32) {
        return Err(wrong("its adapter.lora.alpha is no 32-bit float".to_owned()));
    }
    check_lora_tensors(file).map_err(wrong)
}

/// C compares two sides of the products that an adapter makes with the model; the rest it asserts when it computes.
fn check_lora_tensors(file: &GgufFile) -> Result<(), String> {
    for tensor in file.tensors() {
        let name = tensor.name();
        if tensor.elements() == 0 {
            return Err(format!("its tensor {name:?} has no elements"));
        }
        if !matches!(tensor.tensor_type(), TensorType::F32 | TensorType::F16 | TensorType::BF16 | TensorType::Q8_0) {
            return Err(format!("its tensor {name:?} is of type {}, not f32, f16, bf16 or q8_0", tensor.tensor_type()));
        }
        let Some(target) = name.strip_suffix(".lora_a") else { continue };
        let Some(b) = file.tensor(&format!("{target}.lora_b")) else { continue };
        let dims = |shape: &[u64]| [0, 1, 2, 3].map(|i| shape.get(i).copied().unwrap_or(1));
        let (a, b) = (dims(tensor.shape()), dims(b.shape()));
        let rank_fits = if target.ends_with("token_embd.weight") { a[0] == b[0] } else { a[1] == b[0] };
        // Only experts come in stacks.
        let stack_fits = a[2..] == b[2..] && (target.contains("_exps.") || a[2..] == [1, 1]);
        if !rank_fits || !stack_fits {
            return Err(format!("the two parts of {target:?} do not fit together: {a:?} and {b:?}"));
        }
    }
    Ok(())
}

/// Directions to add to the residual stream, one per layer, in any number of layers.
///
/// The file has one tensor `direction.N` of F32 per layer, as upstream's generator writes it.
#[doc(alias = "llama_set_adapter_cvec")]
#[derive(Debug, Clone, PartialEq)]
pub struct ControlVector {
    n_embd: usize,
    /// `n_embd` numbers for layer 1, then layer 2, and so on.
    data: Vec<f32>,
}

impl ControlVector {
    /// Most layers a file may have directions for, and most numbers of all of them; more is a damaged file.
    const MAX_LAYERS: usize = 512;
    const MAX_NUMBERS: usize = 1 << 26;

    /// Reads a control vector file and multiplies it with `strength`.
    ///
    /// # Errors
    ///
    /// [`AdapterError::File`], [`AdapterError::WrongKind`], [`AdapterError::InvalidParam`] for a strength that is not
    /// finite.
    pub fn load(path: impl AsRef<Path>, strength: f32) -> Result<Self, AdapterError> {
        let path = path.as_ref();
        if !strength.is_finite() {
            let why = format!("is {strength}, must be a finite number");
            return Err(AdapterError::InvalidParam { name: "strength", why });
        }
        let wrong = |why: String| AdapterError::WrongKind { path: path.to_owned(), wanted: "control vector", why };
        let gguf = GgufFile::open(path)?;
        let mut file = File::open(path).map_err(|e| wrong(e.to_string()))?;
        let mut vector = Self { n_embd: 0, data: Vec::new() };
        for tensor in gguf.tensors() {
            let name = tensor.name();
            let layer = name.strip_prefix("direction.").and_then(|n| n.parse::<usize>().ok());
            let layer = layer
                .filter(|&n| (1..=Self::MAX_LAYERS).contains(&n))
                .ok_or_else(|| wrong(format!("tensor {name:?} is not direction.N with N from 1")))?;
            let &[width] = tensor.shape() else { return Err(wrong(format!("tensor {name:?} has not one dimension"))) };
            if tensor.tensor_type() != TensorType::F32 {
                return Err(wrong(format!("tensor {name:?} is not F32")));
            }
            let width = usize::try_from(width).map_err(|_| wrong(format!("tensor {name:?} is too long")))?;
            if vector.n_embd != 0 && vector.n_embd != width {
                return Err(wrong(format!("tensor {name:?} has {width} numbers, the others {}", vector.n_embd)));
            }
            if width > Self::MAX_NUMBERS / layer {
                return Err(wrong(format!("tensor {name:?} has {width} numbers, which no model has")));
            }
            vector.n_embd = width;
            let len = vector.data.len().max(width * layer);
            vector.data.resize(len, 0.0);
            let mut bytes = vec![0; width * 4];
            file.seek(SeekFrom::Start(gguf.data_offset() + tensor.offset()))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| wrong(format!("tensor {name:?} cannot be read: {e}")))?;
            let row = &mut vector.data[width * (layer - 1)..width * layer];
            for (to, from) in row.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *to += f32::from_le_bytes(*from) * strength;
            }
        }
        if vector.data.is_empty() {
            return Err(wrong("it has no direction tensors".to_owned()));
        }
        Ok(vector)
    }

    /// Adds another control vector to this one, layer by layer.
    ///
    /// # Errors
    ///
    /// [`AdapterError::InvalidParam`] if the widths differ; nothing is changed.
    pub fn add(&mut self, other: &Self) -> Result<(), AdapterError> {
        if self.n_embd != other.n_embd {
            let why = format!("has width {}, this one {}", other.n_embd, self.n_embd);
            return Err(AdapterError::InvalidParam { name: "other", why });
        }
        self.data.resize(self.data.len().max(other.data.len()), 0.0);
        for (to, from) in self.data.iter_mut().zip(&other.data) {
            *to += from;
        }
        Ok(())
    }

    /// Width of a direction; the [`n_embd`](crate::ModelFacts::n_embd) of the models it fits.
    pub fn n_embd(&self) -> usize {
        self.n_embd
    }

    pub(crate) fn data(&self) -> &[f32] {
        &self.data
    }

    /// The last layer it has a direction for.
    pub fn last_layer(&self) -> usize {
        self.data.len() / self.n_embd.max(1)
    }
}
