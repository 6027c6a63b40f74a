//! Safe types over [llama.cpp](https://github.com/ggml-org/llama.cpp): load a GGUF model, compute with it, write text.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = llama_testkit::golden::demo_model_path();
//! use llama_core::{Batch, Context, ContextParams, Model, ModelParams, Pos, Sampler, SamplingParams, SeqId, Session, Specials, Want};
//!
//! let model = Model::load(path, ModelParams::default())?; // Clone + Send + Sync
//!
//! // A conversation: tokens in, text out, the KV cache kept in step.
//! let context = Context::new(&model, ContextParams::default())?; // Send, keeps the model alive
//! let mut session = Session::new(context, SamplingParams::default())?;
//! for piece in session.generate("Once upon a time")?.take(64) {
//!     print!("{}", piece?);
//! }
//!
//! // Or step by step: a batch of tokens, a row of logits, a choice.
//! let tokens = model.vocab().tokenize("Hello", Specials::Parse)?;
//! let mut context = Context::new(&model, ContextParams::default())?;
//! let mut sampler = Sampler::new(&model, &SamplingParams::greedy())?;
//! let mut batch = Batch::new(tokens.len());
//! let row = batch.push_run(&tokens, Pos(0), SeqId::ZERO)?.expect("there is a token");
//! let outputs = context.decode(&mut batch)?;
//! let next = sampler.sample_and_accept(&outputs.row(row)?)?;
//! println!("{}", model.vocab().detokenize(&[next], Specials::AsText)?);
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | load a model, ask what it is | [`Model`], [`ModelParams`], [`Vocab`] |
//! | look into a file without loading it | [`gguf`] |
//! | know what will fit | [`MemoryPlan`], [`devices`] |
//! | hold a conversation | [`Session`], [`chat`] |
//! | drive the computation yourself | [`Context`], [`Batch`], [`Outputs`], [`Memory`], [`Sampler`] |
//! | embed and rank | [`Context::decode`], [`Outputs::sequence_embedding`], [`Pooling`] |
//! | change a model a little | [`LoraAdapter`], [`ControlVector`] |
//! | keep a computed state | [`Context::save_sequence`], [`Session::save`] |
//! | turn pieces into text | [`text`], [`stop`] |
//!
//! # What holds everywhere
//!
//! - **No argument, order of calls or early drop aborts, leaks or corrupts.** What llama.cpp asserts is checked first; what
//!   it throws becomes an error; handles keep alive what they need.
//! - **One thread at a time.** [`Model`] may be shared between threads; a [`Context`] or [`Session`] may move between them.
//!   Nothing here is async, and nothing waits for anything but the computation.
//! - **Errors are typed**, one enum per operation, one variant per thing a caller can do, with llama.cpp's own log lines of
//!   that call. The whole log goes to `tracing` with the target `llama_cpp`.
//! - **C names find their wrapper**: the search of these pages knows `llama_decode` and its like.

mod adapter;
mod backend;
mod batch;
pub mod chat;
mod context;
mod decode;
mod devices;
mod digest;
pub mod gguf;
mod ids;
mod kernels;
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
pub use backend::{
    KERNELS_VARIABLE, KernelsOff, kernels_in_use, llama_cpp_build, llama_cpp_source, llama_cpp_version, prepare,
    set_kernels, supports_gpu_offload, system_info, why_no_kernels,
};
pub use batch::{Batch, BatchFull, OutputRow, Want};
pub use context::{
    AbortHandle, Attention, CacheType, Context, ContextError, ContextParams, FlashAttention, Pooling, RopeScaling,
    RopeScalingKind,
};
pub use decode::DecodeError;
pub use devices::{Device, DeviceKind, devices};
pub use ids::{Pos, SeqId, Token};
pub use kernels::on_or_off;
pub use memory::{Memory, MemoryCapabilities, MemoryError};
pub use model::{GpuLayers, LoadError, LoadMode, Model, ModelFacts, ModelParams, OverrideValue, Progress, SplitMode};
pub use outputs::{OutputError, Outputs, Row};
pub use plan::{DeviceUse, MemoryPlan, MemoryUse, PlanError};
pub use sampler::{
    Candidate, Grammar, Lazy, LogitBias, Mirostat, SampleError, Sampler, SamplerError, SamplingParams, Seed, Stage,
    SuggestedSampling, TokenLogprob,
};
pub use session::{
    CancelHandle, Event, EventStream, FinishReason, Finished, GenerateOptions, OnCancel, Overflow, Prefill, Prompt,
    Session, SessionError, TextStream, Usage,
};
pub use state::{SavedSequence, StateError};
pub use vocab::{AddSpecial, Specials, TokenizeError, Vocab, VocabKind};
