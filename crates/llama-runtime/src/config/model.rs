//! How the weights are loaded: [`ModelConfig`].

use std::collections::BTreeMap;

use llama_core::{GpuLayers, LoadMode, ModelParams, OverrideValue, SplitMode};
use serde::{Deserialize, Serialize};

use super::range::{ConfigError, within};

/// How the weights of a model are loaded. The file itself is named by [`ModelSpec`](crate::ModelSpec).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelConfig {
    /// Layers to keep in GPU memory, counted from the last: `"all"` or a number; 0 keeps everything in main memory.
    /// Without a GPU it has no effect. Default: `"all"`.
    #[serde(with = "gpu_layers")]
    pub gpu_layers: GpuLayers,
    /// Names of the devices to use; an empty list means main memory only. Default: `None`, every device there is.
    pub devices: Option<Vec<String>>,
    /// How to spread the model over several GPUs: `"none"`, `"layer"`, `"row"` or `"tensor"`. Default: `"layer"`.
    pub split_mode: SplitMode,
    /// Index of the GPU that holds everything where `split_mode` is `"none"`, 0 to 255. Default: 0.
    pub main_gpu: u32,
    /// Share of the model for each GPU, in any unit, from 0; at least one above 0. Default: empty, by free memory.
    pub tensor_split: Vec<f32>,
    /// How the file gets into memory: `"auto"`, `"read"`, `"mmap"`, `"mlock"`, `"mmap_mlock"` or `"direct_io"`.
    /// Default: `"auto"`.
    pub load_mode: LoadMode,
    /// Check every weight for invalid numbers; costs a pass over the file at each load. Default: false.
    pub check_tensors: bool,
    /// Repack weights for the processor's matrix instructions: faster, but the pages are no longer shared with other
    /// processes. Default: true.
    pub use_extra_buffers: bool,
    /// Metadata of the file to replace: key (1 to 127 bytes) and integer, float, boolean or text (at most 127 bytes).
    /// Default: none.
    pub overrides: BTreeMap<String, OverrideValue>,
    /// A chat template in place of the one in the file: its Jinja source, 1 byte to 1 MiB, or the word `chatml` for plain
    /// ChatML. One that is broken fails the load. Default: `None`, the one in the file.
    pub chat_template: Option<String>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            gpu_layers: GpuLayers::All,
            devices: None,
            split_mode: SplitMode::default(),
            main_gpu: 0,
            tensor_split: Vec::new(),
            load_mode: LoadMode::default(),
            check_tensors: false,
            use_extra_buffers: true,
            overrides: BTreeMap::new(),
            chat_template: None,
        }
    }
}

/// The word for the template that llama.cpp has built in.
pub(crate) const CHATML: &str = "chatml";

/// Longest source of a chat template, in bytes.
const MAX_TEMPLATE: usize = 1 << 20;

/// Upstream's room for keys and texts of overrides, without the NUL.
const MAX_OVERRIDE: usize = 127;

impl ModelConfig {
    /// The parameters that load a model so.
    pub fn to_params(&self) -> ModelParams {
        let mut params = ModelParams::default();
        params.gpu_layers = self.gpu_layers;
        params.devices.clone_from(&self.devices);
        params.split_mode = self.split_mode;
        params.main_gpu = self.main_gpu;
        params.tensor_split.clone_from(&self.tensor_split);
        params.load_mode = self.load_mode;
        params.check_tensors = self.check_tensors;
        params.use_extra_buffers = self.use_extra_buffers;
        params.overrides = self.overrides.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        params
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut names = self.devices.iter().flatten();
        if let Some(name) = names.find(|name| name.is_empty() || name.contains('\0')) {
            return Err(ConfigError::out_of_range("devices", format!("{name:?}"), "names of devices, without NUL"));
        }
        within("main_gpu", self.main_gpu, 0..=255)?;
        if let Some(share) = self.tensor_split.iter().find(|share| !share.is_finite() || **share < 0.0) {
            return Err(ConfigError::out_of_range("tensor_split", share, "a positive number or 0"));
        }
        if !self.tensor_split.is_empty() && self.tensor_split.iter().all(|share| *share == 0.0) {
            return Err(ConfigError::out_of_range("tensor_split", "0 for all", "above 0 for at least one GPU"));
        }
        for (key, value) in &self.overrides {
            check_override(key, value)?;
        }
        check_template(self.chat_template.as_deref())
    }
}

fn check_template(source: Option<&str>) -> Result<(), ConfigError> {
    let Some(source) = source else { return Ok(()) };
    let wrong = |value| Err(ConfigError::out_of_range("chat_template", value, "1 byte to 1 MiB of Jinja, without NUL"));
    match source.len() {
        _ if source.trim().is_empty() => wrong("empty".to_owned()),
        _ if source.contains('\0') => wrong("a text with NUL".to_owned()),
        bytes if bytes > MAX_TEMPLATE => wrong(format!("{bytes} bytes long")),
        _ => Ok(()),
    }
}

fn check_override(key: &str, value: &OverrideValue) -> Result<(), ConfigError> {
    if key.is_empty() || key.len() > MAX_OVERRIDE || key.contains('\0') {
        return Err(ConfigError::out_of_range("overrides", format!("{key:?}"), "keys of 1 to 127 bytes without NUL"));
    }
    match value {
        OverrideValue::Str(text) if text.len() > MAX_OVERRIDE || text.contains('\0') => {
            let allowed = "at most 127 bytes without NUL";
            Err(ConfigError::out_of_range(format!("overrides.{key:?}"), format!("{text:?}"), allowed))
        }
        _ => Ok(()),
    }
}

/// `"all"` or a number.
mod gpu_layers {
    use super::{Deserialize, GpuLayers, Serialize};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged, expecting = "the layers on the GPU are \"all\" or a number")]
    enum Written {
        AtMost(u32),
        Word(Word),
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        All,
    }

    pub(super) fn serialize<S: Serializer>(layers: &GpuLayers, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match layers {
            GpuLayers::All => Written::Word(Word::All),
            GpuLayers::AtMost(count) => Written::AtMost(*count),
        };
        written.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GpuLayers, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Word(Word::All) => GpuLayers::All,
            Written::AtMost(count) => GpuLayers::AtMost(count),
        })
    }
}
