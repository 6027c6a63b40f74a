//! Safe types over llama.cpp.

mod backend;
mod devices;
mod digest;
pub mod gguf;
mod ids;
mod log;
mod model;
mod raw;
pub mod stop;
pub mod text;
mod vocab;

pub use backend::{llama_cpp_build, llama_cpp_source, llama_cpp_version, supports_gpu_offload, system_info};
pub use devices::{Device, DeviceKind, devices};
pub use ids::{Pos, SeqId, Token};
pub use model::{GpuLayers, LoadError, LoadMode, Model, ModelFacts, ModelParams, OverrideValue, Progress, SplitMode};
pub use vocab::{AddSpecial, Specials, TokenizeError, Vocab, VocabKind};
