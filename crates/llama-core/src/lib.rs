//! Safe types over llama.cpp.

mod adapter;
mod backend;
mod batch;
mod context;
mod decode;
mod devices;
mod digest;
pub mod gguf;
mod ids;
mod log;
mod memory;
mod model;
mod outputs;
mod plan;
mod raw;
mod sampler;
mod session;
mod state;
pub mod stop;
pub mod text;
mod vocab;

pub use adapter::{AdapterError, ControlVector, LoraAdapter};
pub use backend::{llama_cpp_build, llama_cpp_source, llama_cpp_version, supports_gpu_offload, system_info};
pub use batch::{Batch, BatchFull, OutputRow, Want};
pub use context::{
    AbortHandle, Attention, CacheType, Context, ContextError, ContextParams, FlashAttention, Pooling, RopeScaling,
    RopeScalingKind,
};
pub use decode::DecodeError;
pub use devices::{Device, DeviceKind, devices};
pub use ids::{Pos, SeqId, Token};
pub use memory::{Memory, MemoryCapabilities, MemoryError};
pub use model::{GpuLayers, LoadError, LoadMode, Model, ModelFacts, ModelParams, OverrideValue, Progress, SplitMode};
pub use outputs::{OutputError, Outputs, Row};
pub use plan::{DeviceUse, MemoryPlan, MemoryUse, PlanError};
pub use sampler::{
    Candidate, Grammar, Lazy, LogitBias, Mirostat, SampleError, Sampler, SamplerError, SamplingParams, Seed, Stage,
    TokenLogprob,
};
pub use session::{
    CancelHandle, Event, EventStream, FinishReason, Finished, GenerateOptions, OnCancel, Overflow, Prefill, Prompt,
    Session, SessionError, TextStream, Usage,
};
pub use state::StateError;
pub use vocab::{AddSpecial, Specials, TokenizeError, Vocab, VocabKind};
