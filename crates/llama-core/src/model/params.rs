//! How a model is loaded.

use crate::devices;
use crate::gguf::{GgufFile, Value};
use crate::model::{LoadError, Progress};
use llama_sys as ffi;
use serde::{Deserialize, Serialize};
use std::ffi::c_void;

/// How many layers go to GPU memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpuLayers {
    /// As many as there are. Without a GPU this means none.
    #[default]
    All,
    /// At most this many, counted from the last layer down; 0 keeps everything in main memory.
    AtMost(u32),
}

/// How a model is spread over several GPUs.
#[doc(alias = "llama_split_mode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitMode {
    /// One GPU, [`ModelParams::main_gpu`], holds everything.
    None,
    /// Whole layers, and their KV cache, on each GPU.
    #[default]
    Layer,
    /// Rows of each matrix on each GPU, where the backend can.
    Row,
    /// Tensor parallelism, where the backend can.
    Tensor,
}

/// How the weights get from the file into memory.
#[doc(alias = "llama_load_mode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadMode {
    /// llama.cpp chooses by what the devices can do.
    #[default]
    Auto,
    /// Read the file into memory.
    Read,
    /// Map the file: shared between processes, paged in on use.
    Mmap,
    /// Read the file and lock the pages in RAM.
    Mlock,
    /// Map the file and lock the pages in RAM.
    MmapMlock,
    /// Read past the page cache, where the system can.
    DirectIo,
}

/// A value that replaces one of the file's metadata.
#[doc(alias = "llama_model_kv_override")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OverrideValue {
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text of at most 127 bytes.
    Str(String),
}

/// How [`Model::load`](crate::Model::load) works. Start from `default()` and assign.
///
/// ```
/// let mut params = llama_core::ModelParams::default();
/// params.gpu_layers = llama_core::GpuLayers::AtMost(20);
/// ```
#[doc(alias = "llama_model_params")]
#[doc(alias = "llama_model_default_params")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelParams {
    /// Layers to keep in GPU memory. Default: all.
    pub gpu_layers: GpuLayers,
    /// The devices to use, by [`Device::name`](crate::Device::name); an empty list means main memory only.
    /// Default: `None`, every device there is.
    pub devices: Option<Vec<String>>,
    /// How to spread the model over several GPUs. Default: by layers.
    pub split_mode: SplitMode,
    /// Index of the GPU for [`SplitMode::None`]. Default: 0.
    pub main_gpu: u32,
    /// Share of the model for each GPU, in any unit. Default: empty, by free memory.
    #[doc(alias = "llama_max_devices")]
    pub tensor_split: Vec<f32>,
    /// How to read the file. Default: automatic.
    pub load_mode: LoadMode,
    /// Read the vocabulary and the metadata only; no context can be made of such a model. Default: no.
    pub vocab_only: bool,
    /// Check every weight for invalid numbers; costs a pass over the file. Default: no.
    pub check_tensors: bool,
    /// Repack weights for the processor's matrix instructions; faster, but the pages are no longer shared. Not done where
    /// this project's own kernels are on ([`set_kernels`](crate::set_kernels)), the processor has AVX-512 VNNI, with which they
    /// are as fast from the file's layout, and they compute with all types that would be repacked. Default: yes.
    pub use_extra_buffers: bool,
    /// Metadata to replace: key (at most 127 bytes) and value. Default: none.
    pub overrides: Vec<(String, OverrideValue)>,
}

impl Default for ModelParams {
    fn default() -> Self {
        Self {
            gpu_layers: GpuLayers::default(),
            devices: None,
            split_mode: SplitMode::default(),
            main_gpu: 0,
            tensor_split: Vec::new(),
            load_mode: LoadMode::default(),
            vocab_only: false,
            check_tensors: false,
            use_extra_buffers: true,
            overrides: Vec::new(),
        }
    }
}

/// `ModelParams` in C's form, with everything C will point into.
pub(super) struct RawParams {
    pub(super) raw: ffi::llama_model_params,
    _devices: Vec<ffi::ggml_backend_dev_t>,
    _tensor_split: Vec<f32>,
    _overrides: Vec<ffi::llama_model_kv_override>,
}

impl ModelParams {
    /// Builds C's parameters. `progress` must outlive the load.
    pub(super) fn to_raw(&self, progress: &mut ProgressState<'_>) -> Result<RawParams, LoadError> {
        // SAFETY: returns a plain struct by value.
        let mut raw = unsafe { ffi::llama_model_default_params() };
        raw.n_gpu_layers = match self.gpu_layers {
            GpuLayers::All => -1,
            GpuLayers::AtMost(n) => i32::try_from(n).unwrap_or(i32::MAX),
        };
        raw.split_mode = match self.split_mode {
            SplitMode::None => ffi::LLAMA_SPLIT_MODE_NONE,
            SplitMode::Layer => ffi::LLAMA_SPLIT_MODE_LAYER,
            SplitMode::Row => ffi::LLAMA_SPLIT_MODE_ROW,
            SplitMode::Tensor => ffi::LLAMA_SPLIT_MODE_TENSOR,
        };
        raw.load_mode = match self.load_mode {
            LoadMode::Auto => ffi::LLAMA_LOAD_MODE_AUTO,
            LoadMode::Read => ffi::LLAMA_LOAD_MODE_NONE,
            LoadMode::Mmap => ffi::LLAMA_LOAD_MODE_MMAP,
            LoadMode::Mlock => ffi::LLAMA_LOAD_MODE_MLOCK,
            LoadMode::MmapMlock => ffi::LLAMA_LOAD_MODE_MMAP_MLOCK,
            LoadMode::DirectIo => ffi::LLAMA_LOAD_MODE_DIRECT_IO,
        };
        raw.main_gpu = i32::try_from(self.main_gpu).map_err(|_| invalid("main_gpu", "is not the index of a GPU"))?;
        raw.vocab_only = self.vocab_only;
        raw.check_tensors = self.check_tensors;
        raw.use_extra_bufts = self.use_extra_buffers;

        let mut devices = self.devices()?;
        if !devices.is_empty() {
            raw.devices = devices.as_mut_ptr();
        }
        let tensor_split = self.tensor_split()?;
        if !tensor_split.is_empty() {
            raw.tensor_split = tensor_split.as_ptr();
        }
        let overrides = self.overrides()?;
        if !overrides.is_empty() {
            raw.kv_overrides = overrides.as_ptr();
        }
        raw.progress_callback = Some(on_progress);
        raw.progress_callback_user_data = std::ptr::from_mut(progress).cast();
        // Moving the vectors moves no element, so the pointers above stay good.
        Ok(RawParams { raw, _devices: devices, _tensor_split: tensor_split, _overrides: overrides })
    }

    /// The chosen devices with the null that ends C's list; empty for "all".
    fn devices(&self) -> Result<Vec<ffi::ggml_backend_dev_t>, LoadError> {
        let Some(names) = &self.devices else { return Ok(Vec::new()) };
        let mut handles = Vec::with_capacity(names.len() + 1);
        for name in names {
            let device = devices::by_name(name).ok_or_else(|| LoadError::UnknownDevice {
                name: name.clone(),
                known: devices::devices().into_iter().map(|d| d.name).collect(),
            })?;
            handles.push(device);
        }
        handles.push(std::ptr::null_mut());
        Ok(handles)
    }

    /// The shares, padded to the length C reads.
    fn tensor_split(&self) -> Result<Vec<f32>, LoadError> {
        if self.tensor_split.is_empty() {
            return Ok(Vec::new());
        }
        if self.tensor_split.iter().any(|share| !share.is_finite() || *share < 0.0) {
            return Err(invalid("tensor_split", "has a share that is negative or not a number"));
        }
        // SAFETY: returns a constant.
        let len = unsafe { ffi::llama_max_devices() };
        if self.tensor_split.len() > len {
            return Err(invalid("tensor_split", "has more shares than this build supports devices"));
        }
        let mut shares = self.tensor_split.clone();
        shares.resize(len, 0.0);
        Ok(shares)
    }

    /// Applies the overrides to the header that is checked before the load, by C's rules: the first of a key counts, one
    /// of another type than the value, or of an array, has no effect.
    pub(super) fn override_header(&self, file: &mut GgufFile) {
        for (key, value) in self.overrides.iter().rev() {
            let found = file.get(key);
            let new = match (value, found) {
                // C casts to the type that it reads, which nearly always is this one.
                (OverrideValue::Int(v), None | Some(Value::U32(_))) => Value::U32(*v as u32),
                (OverrideValue::Float(v), None | Some(Value::F32(_))) => Value::F32(*v as f32),
                (OverrideValue::Bool(v), None | Some(Value::Bool(_))) => Value::Bool(*v),
                (OverrideValue::Str(v), None | Some(Value::String(_))) => Value::String(v.clone()),
                _ => continue,
            };
            file.override_value(key, new);
        }
    }

    /// The overrides with the empty key that ends C's list.
    fn overrides(&self) -> Result<Vec<ffi::llama_model_kv_override>, LoadError> {
        if self.overrides.is_empty() {
            return Ok(Vec::new());
        }
        // SAFETY: plain C data for which all zeroes is a valid value.
        let end: ffi::llama_model_kv_override = unsafe { std::mem::zeroed() };
        let mut list = Vec::with_capacity(self.overrides.len() + 1);
        for (key, value) in &self.overrides {
            let mut entry = end;
            copy_text(key, &mut entry.key).ok_or_else(|| {
                invalid("overrides", "has a key that is empty, longer than 127 bytes or contains a NUL")
            })?;
            match value {
                OverrideValue::Int(v) => {
                    entry.tag = ffi::LLAMA_KV_OVERRIDE_TYPE_INT;
                    entry.__bindgen_anon_1.val_i64 = *v;
                }
                OverrideValue::Float(v) => {
                    entry.tag = ffi::LLAMA_KV_OVERRIDE_TYPE_FLOAT;
                    entry.__bindgen_anon_1.val_f64 = *v;
                }
                OverrideValue::Bool(v) => {
                    entry.tag = ffi::LLAMA_KV_OVERRIDE_TYPE_BOOL;
                    entry.__bindgen_anon_1.val_bool = *v;
                }
                OverrideValue::Str(v) => {
                    entry.tag = ffi::LLAMA_KV_OVERRIDE_TYPE_STR;
                    let mut text = [0; 128];
                    copy_text(v, &mut text).ok_or_else(|| {
                        invalid("overrides", "has a text that is empty, longer than 127 bytes or contains a NUL")
                    })?;
                    entry.__bindgen_anon_1.val_str = text;
                }
            }
            list.push(entry);
        }
        list.push(end);
        Ok(list)
    }
}

fn invalid(name: &'static str, why: &'static str) -> LoadError {
    LoadError::InvalidParam { name, why }
}

/// Copies non-empty text without NUL into a C array, leaving room for the final NUL.
fn copy_text(text: &str, into: &mut [std::ffi::c_char; 128]) -> Option<()> {
    if text.is_empty() || text.len() >= into.len() || text.contains('\0') {
        return None;
    }
    for (to, from) in into.iter_mut().zip(text.bytes()) {
        *to = from as std::ffi::c_char;
    }
    Some(())
}

/// What the progress callback works on; lives on the loading thread's stack.
pub(super) struct ProgressState<'a> {
    pub(super) report: &'a mut dyn FnMut(f32) -> Progress,
    pub(super) cancelled: bool,
    pub(super) panicked: Option<String>,
}

extern "C" fn on_progress(progress: f32, data: *mut c_void) -> bool {
    // SAFETY: `data` is the `ProgressState` of `Model::load_with`, which outlives the load; upstream calls back on the
    // loading thread only, one call at a time.
    let state = unsafe { &mut *data.cast::<ProgressState<'_>>() };
    if state.panicked.is_some() {
        return false;
    }
    match crate::raw::contain(|| (state.report)(progress.clamp(0.0, 1.0))) {
        Ok(Progress::Continue) => true,
        Ok(Progress::Cancel) => {
            state.cancelled = true;
            false
        }
        Err(message) => {
            state.panicked = Some(message);
            false
        }
    }
}
