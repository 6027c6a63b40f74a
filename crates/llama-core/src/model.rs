//! Loaded weights: [`Model`].

mod facts;
mod fingerprint;
mod notes;
mod params;

pub use facts::ModelFacts;
pub use params::{GpuLayers, LoadMode, ModelParams, OverrideValue, SplitMode};

use crate::backend::{self, Backend};
use crate::gguf::{GgufError, GgufFile, ModelFiles};
use crate::log::Capture;
use crate::raw::{self, Failure};
use llama_sys as ffi;
use notes::FileNotes;
use params::ProgressState;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Loaded weights and vocabulary. Cheap to clone; freed after the last clone, context, sampler and adapter.
///
/// `Send` and `Sync`: weights are only read after the load, and the few calls that write to a model (making and freeing
/// contexts and adapters) take a lock inside.
#[doc(alias = "llama_model")]
#[derive(Clone)]
pub struct Model {
    inner: Arc<ModelInner>,
}

struct ModelInner {
    raw: NonNull<ffi::llama_model>,
    facts: ModelFacts,
    notes: FileNotes,
    /// Held while a context or an adapter is made or freed: C writes to the model then.
    setup: Mutex<()>,
    _backend: Backend,
}

// SAFETY: after the load C only reads the model, except in context and adapter creation and destruction, which hold
// `setup` (llama-context.cpp: custom YaRN scaling writes n_ctx_train; llama-adapter.cpp: the model keeps a set of
// adapters). Tokenisation is documented as thread-safe in llama.h.
unsafe impl Send for ModelInner {}
// SAFETY: as for `Send`: concurrent calls only read.
unsafe impl Sync for ModelInner {}

/// What a progress callback wants to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Go on loading.
    Continue,
    /// Give up: the load ends with [`LoadError::Cancelled`].
    Cancel,
}

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is missing, unreadable, damaged or no GGUF. Nothing of it was given to llama.cpp.
    #[error(transparent)]
    File(#[from] GgufError),
    /// llama.cpp read the file and refused it; the reason is what it logged.
    #[error("cannot load {path}: {reason}", path = path.display())]
    Rejected {
        /// The file.
        path: PathBuf,
        /// llama.cpp's own words.
        reason: String,
    },
    /// The progress callback asked to stop.
    #[error("loading {path} was cancelled", path = path.display())]
    Cancelled {
        /// The file.
        path: PathBuf,
    },
    /// The progress callback panicked; the load was stopped.
    #[error("loading {path} was stopped: the progress callback panicked: {message}", path = path.display())]
    CallbackPanicked {
        /// The file.
        path: PathBuf,
        /// The panic's message.
        message: String,
    },
    /// The path cannot be given to C.
    #[error("the path {path} contains a NUL byte or is not valid UTF-8; rename the file or its folder", path = path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// [`ModelParams::devices`](field@ModelParams::devices) names a device that is not there.
    #[error("there is no device {name:?}; this machine has {}", known.join(", "))]
    UnknownDevice {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A field of [`ModelParams`] makes no sense.
    #[error("model parameter `{name}` {why}")]
    InvalidParam {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Model {
    /// Loads a GGUF file. Of a split model, any of its files may be named.
    ///
    /// The file's structure is checked before llama.cpp sees it: a damaged file costs milliseconds and no memory.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; nothing stays allocated.
    #[doc(alias = "llama_model_load_from_file")]
    #[doc(alias = "llama_model_load_from_splits")]
    pub fn load(path: impl AsRef<Path>, params: ModelParams) -> Result<Self, LoadError> {
        Self::load_with(path, params, |_| Progress::Continue)
    }

    /// As [`Model::load`], telling `report` the share that is loaded, from 0.0 to 1.0, on this thread.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; also [`LoadError::Cancelled`] and [`LoadError::CallbackPanicked`].
    #[doc(alias = "llama_progress_callback")]
    pub fn load_with(
        path: impl AsRef<Path>,
        params: ModelParams,
        mut report: impl FnMut(f32) -> Progress,
    ) -> Result<Self, LoadError> {
        Self::load_files(path.as_ref(), params, &mut report, false).inspect(|_| told(path.as_ref()))
    }

    /// As [`Model::load`], but the weights are neither read nor given memory. Nothing can be computed with it; it is for
    /// [`MemoryPlan`](crate::MemoryPlan).
    pub(crate) fn load_dry(path: &Path, mut params: ModelParams) -> Result<Self, LoadError> {
        // The only load mode that allocates nothing; the places of the tensors do not depend on it.
        params.load_mode = LoadMode::Read;
        params.check_tensors = false;
        Self::load_files(path, params, &mut |_| Progress::Continue, true)
    }

    fn load_files(
        path: &Path,
        params: ModelParams,
        report: &mut dyn FnMut(f32) -> Progress,
        no_alloc: bool,
    ) -> Result<Self, LoadError> {
        let mut files = ModelFiles::open(path)?;
        let fingerprint = fingerprint::of_files(&files, &params);
        params.override_header(files.metadata_mut());
        if params.vocab_only {
            files.preflight_vocab()?;
        } else {
            files.preflight()?;
        }
        let notes = FileNotes { fingerprint, ..FileNotes::of(files.metadata(), files.files().iter()) };
        let bad_path = |part: &Path| LoadError::BadPath { path: part.to_owned() };
        let names = files.paths().iter().map(|part| raw::c_path(part).ok_or_else(|| bad_path(part)));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        Self::finish_load(path, &params, notes, report, |mut raw, out| {
            raw.no_alloc = no_alloc;
            // SAFETY: the names are NUL-terminated and outlive the call, as does all `raw` points to.
            unsafe { ffi::lrs_model_load(pointers.as_mut_ptr(), pointers.len(), raw, out) }
        })
    }

    /// Loads a GGUF image that is already in memory, such as one embedded in the program.
    ///
    /// The weights are copied, whatever [`ModelParams::load_mode`](field@ModelParams::load_mode) says, and locked in RAM if it says
    /// that. llama.cpp reads models from files only, so where the system cannot read memory as a file (it can on Linux) the image
    /// is written to a temporary one first.
    ///
    /// # Errors
    ///
    /// [`LoadError`], with `<memory>` for the path.
    #[doc(alias = "llama_model_load_from_file_ptr")]
    pub fn from_bytes(image: &[u8], params: ModelParams) -> Result<Self, LoadError> {
        let mut file = GgufFile::from_bytes(image)?;
        let fingerprint = fingerprint::of_image(&file, image, &params);
        params.override_header(&mut file);
        if params.vocab_only {
            file.preflight_vocab()?;
        } else {
            file.preflight()?;
        }
        let notes = FileNotes { fingerprint, ..FileNotes::of(&file, std::iter::once(&file)) };
        let mut params = params;
        // It is no file that C could map, and its tensors need not be aligned.
        params.load_mode = match params.load_mode {
            LoadMode::Mlock | LoadMode::MmapMlock => LoadMode::Mlock,
            LoadMode::Auto | LoadMode::Read | LoadMode::Mmap | LoadMode::DirectIo => LoadMode::Read,
        };
        Self::finish_load(Path::new("<memory>"), &params, notes, &mut |_| Progress::Continue, |raw, out| {
            // SAFETY: `image` is readable for its length; all that `raw` points to outlives the call.
            unsafe { ffi::lrs_model_load_bytes(image.as_ptr().cast(), image.len(), raw, out) }
        })
        .inspect(|_| told(Path::new("<memory>")))
    }

    fn finish_load(
        path: &Path,
        params: &ModelParams,
        notes: FileNotes,
        report: &mut dyn FnMut(f32) -> Progress,
        load: impl FnOnce(ffi::llama_model_params, *mut *mut ffi::llama_model) -> i32,
    ) -> Result<Self, LoadError> {
        let backend = Backend::start();
        let mut progress = ProgressState { report, cancelled: false, panicked: None };
        let mut raw_params = params.to_raw(&mut progress)?;
        raw_params.raw.use_extra_bufts &= notes.gains_by_repacking || !backend::kernels_want_file_layout();
        let mut model = std::ptr::null_mut();
        let capture = Capture::start();
        let result = raw::check(load(raw_params.raw, &raw mut model));
        let log = capture.finish();
        let path = path.to_owned();
        if let Some(message) = progress.panicked {
            free(model);
            return Err(LoadError::CallbackPanicked { path, message });
        }
        if progress.cancelled {
            free(model);
            return Err(LoadError::Cancelled { path });
        }
        match (result, NonNull::new(model)) {
            (Ok(()), Some(raw)) => {
                // SAFETY: `raw` was just loaded and is not shared yet.
                let facts = unsafe { facts::read(raw, params.vocab_only, notes) };
                let inner = ModelInner { raw, facts, notes, setup: Mutex::new(()), _backend: backend };
                Ok(Self { inner: Arc::new(inner) })
            }
            (Err(Failure::Status(ffi::LRS_IO)), _) => {
                let reason = format!("cannot make a temporary copy: {}", std::io::Error::last_os_error());
                Err(LoadError::Rejected { path, reason })
            }
            (result, _) => Err(LoadError::Rejected { path, reason: raw::explain(result, &log) }),
        }
    }

    /// Sizes and kinds, copied at load.
    pub fn facts(&self) -> &ModelFacts {
        &self.inner.facts
    }

    /// A scalar value of the file's metadata, as text. `None` if there is none of that name, or it is an array.
    #[doc(alias = "llama_model_meta_val_str")]
    pub fn metadata(&self, key: &str) -> Option<String> {
        let key = raw::c_string(key).ok()?;
        // SAFETY: the key is NUL-terminated, the buffer is as long as said, the model is live.
        text(|buffer, len| unsafe { ffi::llama_model_meta_val_str(self.as_ptr(), key.as_ptr(), buffer, len) })
    }

    /// All scalar metadata as text, in the file's order. Arrays are left out; [`GgufFile`] reads them.
    #[doc(alias = "llama_model_meta_count")]
    #[doc(alias = "llama_model_meta_key_by_index")]
    #[doc(alias = "llama_model_meta_val_str_by_index")]
    pub fn all_metadata(&self) -> Vec<(String, String)> {
        // SAFETY: reads a count of the live model.
        let n = unsafe { ffi::llama_model_meta_count(self.as_ptr()) };
        (0..n)
            .filter_map(|i| {
                // SAFETY: `i` is below the count, the buffer is as long as said, the model is live.
                let key =
                    text(|buffer, len| unsafe { ffi::llama_model_meta_key_by_index(self.as_ptr(), i, buffer, len) })?;
                // SAFETY: as above.
                let value = text(|buffer, len| unsafe {
                    ffi::llama_model_meta_val_str_by_index(self.as_ptr(), i, buffer, len)
                })?;
                Some((key, value))
            })
            .collect()
    }

    /// The chat template in the file (Jinja), or the one called `name` if the file has several.
    #[doc(alias = "llama_model_chat_template")]
    pub fn chat_template(&self, name: Option<&str>) -> Option<String> {
        let name = name.map(raw::c_string).transpose().ok()?;
        let name = name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        // SAFETY: `name` is null or NUL-terminated; the model is live.
        let template = unsafe { ffi::llama_model_chat_template(self.as_ptr(), name) };
        if template.is_null() {
            return None;
        }
        // SAFETY: not null; the text belongs to the live model and is NUL-terminated.
        Some(unsafe { raw::string(template) })
    }

    /// Positions there are learned embeddings for, in models that have such (BERT, GPT-2): no sequence can be longer. `None`
    /// for models that compute positions.
    pub fn learned_positions(&self) -> Option<u64> {
        self.inner.notes.learned_positions
    }

    /// Width of the keys and of the values of one attention head.
    pub(crate) fn head_widths(&self) -> (u32, u32) {
        let FileNotes { key_width, value_width, .. } = self.inner.notes;
        let even = self.inner.facts.n_embd / self.inner.facts.n_head.max(1);
        (key_width.unwrap_or(even), value_width.unwrap_or(even))
    }

    /// Whether the KV cache has no values of its own (MLA).
    pub(crate) fn has_compressed_cache(&self) -> bool {
        self.inner.notes.compressed_cache
    }

    /// The C model, for calls of this crate; never handed out.
    pub(crate) fn as_ptr(&self) -> *mut ffi::llama_model {
        self.inner.raw.as_ptr()
    }

    /// Held while C writes to the model.
    pub(crate) fn lock_setup(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data of ours that a panic could have left half-written.
        self.inner.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for models that compute the same numbers, wherever they were loaded from. Not secure against forgery.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.inner.notes.fingerprint
    }

    /// Whether both handles mean the same loaded model.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("description", &self.facts().description).finish_non_exhaustive()
    }
}

impl Drop for ModelInner {
    fn drop(&mut self) {
        // SAFETY: contexts, samplers and adapters hold an `Arc` of this, so nothing else uses the model any more.
        unsafe { ffi::llama_model_free(self.raw.as_ptr()) };
    }
}

/// Logs a load. A model that is read for a plan is none.
fn told(path: &Path) {
    let kernels = backend::kernels_told();
    tracing::info!(path = %path.display(), kernels, "the model is loaded");
}

fn free(model: *mut ffi::llama_model) {
    if !model.is_null() {
        // SAFETY: the load returned this model and nobody else has it.
        unsafe { ffi::llama_model_free(model) };
    }
}

/// Runs one of C's "write at most `len` bytes, return the true length" functions.
fn text(fill: impl Fn(*mut std::ffi::c_char, usize) -> i32) -> Option<String> {
    let mut buffer = vec![0_u8; 256];
    loop {
        let n = usize::try_from(fill(buffer.as_mut_ptr().cast(), buffer.len())).ok()?;
        if n < buffer.len() {
            buffer.truncate(n);
            return Some(String::from_utf8_lossy(&buffer).into_owned());
        }
        buffer.resize(n + 1, 0);
    }
}
