//! Many requests over llama.cpp models: computed together, each with its own stream of events, and nothing unbounded.
//!
//! A [`Runtime`] has one or several models. Each that is loaded has an engine, a thread that owns its context and computes the
//! requests of all callers in shared steps (continuous batching). Requests may come from any thread and any async executor.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = llama_testkit::golden::demo_model_path();
//! # let mut engine = llama_runtime::EngineConfig::default();
//! # engine.context.threads = Some(1);
//! use llama_runtime::{Event, Message, ModelSpec, Request, Runtime};
//!
//! # llama_runtime::blocking::block_on(async {
//! # let spec = ModelSpec::path(path).config(engine);
//! # /*
//! let spec = ModelSpec::path("model.gguf");
//! # */
//! let runtime = Runtime::builder().model("default", spec).build().await?;
//! let mut answer = runtime.submit(Request::chat([Message::user("Hi")]).max_tokens(32))?;
//! while let Some(event) = answer.next().await {
//!     match event {
//!         Event::Text(text) => print!("{text}"),
//!         Event::Finished(finished) => println!("\n{:?} {:?}", finished.reason, finished.timings),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! The same for threads, with a request that is stopped from elsewhere:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = llama_testkit::fixtures::tiny_llama();
//! # let mut engine = llama_runtime::EngineConfig::default();
//! # engine.context.threads = Some(1);
//! # let spec = llama_runtime::ModelSpec::path(path).config(engine);
//! use llama_runtime::{Event, Request, Runtime};
//! use std::time::Duration;
//!
//! let runtime = Runtime::builder().model("default", spec).build_blocking()?;
//! let answer = runtime.submit(Request::text("Once upon a time").max_tokens(100).deadline(Duration::from_secs(60)))?;
//! let cancel = answer.cancel_handle();
//! for event in answer.blocking() {
//!     match event {
//!         // From here or any other thread.
//!         Event::Text(text) if text.contains('.') => cancel.cancel(),
//!         Event::Finished(finished) => println!("{} after {} tokens", finished.reason, finished.usage.generated),
//!         _ => {}
//!     }
//! }
//! runtime.shutdown_blocking(Duration::from_secs(5));
//! # Ok(())
//! # }
//! ```
//!
//! # The life of a request
//!
//! 1. **Submit.** On the caller's thread the chat template is rendered, the prompt tokenized, a structure compiled. What the
//!    model cannot do, what could never fit, and what cannot be in time is [`Rejected`]; so is everything while the queue is
//!    full, unless [`OverloadPolicy`] says otherwise. From here on there is a [`Generation`], and it will end.
//! 2. **Wait**, in the order of [`Priority`] and age. If the model is not loaded, this request has it loaded, and hears
//!    [`Event::Loading`].
//! 3. **Admission**, when a sequence is free for each choice and cells of the KV cache for the prompt and
//!    [`max_tokens`](Request::max_tokens). What an earlier request has computed of the same prompt is taken from the cache.
//! 4. **Steps.** Each computes one token of every answer, and prompts with what is left of its budget. Whoever has to give way
//!    to a higher priority is parked, and goes on later from where it was.
//! 5. **Text.** Bytes become whole characters, stop strings are cut out, chat answers are taken apart on the reader's thread.
//!    A reader that leaves no room pauses its own request.
//! 6. **End.** Exactly one [`Event::Finished`] with reason, usage and timings. What was computed stays in the cache until
//!    others need the room.
//!
//! # To do X, use Y
//!
//! | to | use |
//! |---|---|
//! | describe a runtime and start it | [`Runtime::builder`], [`ModelSpec`] |
//! | ask for an answer | [`Request`], [`Runtime::submit`]; [`Runtime::submit_waiting`] to wait for a place |
//! | read it | [`Generation`]: [`next`](Generation::next) or a `Stream` in async code, [`blocking`](Generation::blocking) in a thread, [`finish`](Generation::finish) for all at once |
//! | stop it | [`CancelHandle`], or drop the [`Generation`] |
//! | hold a conversation | [`Conversation`], and [`Runtime::fit`] when it gets longer than the context |
//! | have answers follow a JSON schema, a grammar or a pattern | [`Structure`] |
//! | offer tools | `tools` of [`ChatRequest`], as [`Prompt::Chat`]; they come back as [`Event::ToolCall`] |
//! | embed texts | [`EmbedRequest`], [`Runtime::embed`] |
//! | use adapters | [`ModelSpec::adapter`], [`Request::adapter`] |
//! | have several models in limited memory | [`ModelSpec::on_demand`], [`RuntimeConfig`] |
//! | configure all of it, also from a file | [`EngineConfig`], [`RuntimeConfig`] |
//! | see what it does | [`Runtime::stats`], spans and events of `tracing` (target `llama_runtime`), the feature `metrics` |
//! | stop | [`Runtime::shutdown`]; dropping it ends everything at once |
//! | wait without an async executor | [`blocking::block_on`], and the methods that end in `_blocking` |
//!
//! # What holds
//!
//! 1. Every queue, buffer and cache has a bound, and a full queue is a typed refusal at once, a wait, or sheds the lowest
//!    priority.
//! 2. Every request has deadlines (queue, first token, total), a way to cancel it, and a priority.
//! 3. Every accepted request ends in exactly one [`Finished`], and what was written before it is delivered.
//! 4. Dropping the stream cancels; a cancel takes effect in the queue at once, between steps, and inside a step.
//! 5. A reader that does not read pauses only its own request, which ends after a while.
//! 6. Memory is accounted: an admitted request has its cells, so none fails for want of room because of another.
//! 7. A panic or a failure of the backend fails the requests on it with a typed error; it hangs nobody, and does not end the
//!    process.
//! 8. The same request with the same seed gets the same tokens whatever else runs, as far as llama.cpp's kernels round alike.
//!
//! # What it does not do
//!
//! It is no server and speaks no protocol; it downloads nothing, reads no configuration file and no environment variable, and
//! prints nothing. One process, one machine. It has no images, no audio, and no drafts by a smaller model.

#![forbid(unsafe_code)]

#[cfg(any(feature = "testing", test))]
#[doc(hidden)]
pub mod bench;
pub mod blocking;
mod bounds;
mod cells;
mod config;
mod conversation;
mod engine;
mod error;
mod estimate;
mod event;
mod executor;
mod generation;
mod host;
mod ids;
mod job;
mod loaded;
mod mailbox;
mod memory;
#[cfg(feature = "metrics")]
pub mod metrics;
mod observe;
mod plan;
mod prefix;
mod priority;
mod queue;
mod rejected;
mod request;
mod runtime;
mod saved;
mod scheduler;
mod sequence;
mod shared;
mod spec;
mod stage;
mod start;
mod stats;
mod structure;
mod sync;
mod template;
#[cfg(test)]
mod testing;
mod threads;
mod ticket;
mod validate;
mod watch;
mod writer;

pub use config::{
    BatchConfig, Bytes, CacheConfig, ConfigError, ContextConfig, Defaults, EngineConfig, Limits, ModelConfig,
    OverloadPolicy, ParseBytesError, RuntimeConfig,
};
pub use conversation::{Budget, Conversation, ConversationError, FitError, Fitted, WhenFull};
pub use error::GenerateError;
pub use event::{Choice, Deadline, Delta, Event, FinishReason, Finished, Logprob, Timings, ToolCallDelta};
pub use generation::{Blocking, CancelHandle, Generation};
pub use loaded::ModelInfo;
pub use priority::Priority;
pub use rejected::Rejected;
pub use request::{Deadlines, EmbedRequest, Prompt, Request};
pub use runtime::{Drained, EmbedError, Embeddings, PendingEmbeddings, Runtime, RuntimeBuilder};
pub use saved::{PrefixError, SavedPrefix};
pub use spec::ModelSpec;
pub use start::StartError;
pub use stats::{ModelState, ModelStats, Snapshot, Stats, Totals};
pub use structure::{GuideError, Structure, StructureError};
pub use threads::{ThreadChoice, ThreadCounts, ThreadsFrom};

// What callers need of the layer below, so that they need not depend on it.
pub use llama_core::chat::{
    AssistantMessage, ChatError, ChatRequest, Content, Message, Reasoning, ResponseFormat, Role, Tool, ToolCall,
    ToolChoice,
};
pub use llama_core::{
    CacheType, FlashAttention, GpuLayers, Grammar, KERNELS_VARIABLE, LoadMode, LogitBias, Mirostat, ModelFacts,
    OverrideValue, Pooling, Progress, RopeScaling, RopeScalingKind, SamplingParams, Seed, SplitMode, Stage,
    SuggestedSampling, Token, Usage, kernels_in_use, llama_cpp_build, llama_cpp_source, llama_cpp_version, on_or_off,
    set_kernels,
};
