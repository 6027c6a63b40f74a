//! Requests over a llama.cpp model: an engine thread, a bounded queue, streams of events.
//!
//! A [`Runtime`] has one engine thread, which loads the model, owns its context, and serves requests **one after
//! another**: this is the first cut, and batching requests together comes behind the same interface. The life of a
//! request:
//!
//! 1. [`Runtime::submit`] renders the chat template and tokenises, on the caller's thread, and refuses what cannot fit.
//! 2. The queue takes it, or refuses at once with [`Rejected::QueueFull`]. No queue or channel here is without a bound.
//! 3. The engine computes the part of the prompt that the request before did not leave in the KV cache, and answers.
//! 4. The caller reads [`Event`]s from its [`Generation`]. A reader that leaves no room makes the engine wait, at most for
//!    [`EngineOptions::slow_consumer_timeout`].
//! 5. Exactly one [`Finished`] ends every accepted request, also after an error, a crash of the engine or a shutdown.
//!
//! Dropping a [`Generation`] cancels it, and so does its [`CancelHandle`], inside a running decode too. A request that is
//! cancelled while it waits leaves the queue when its turn comes.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = llama_testkit::fixtures::tiny_llama();
//! use llama_runtime::{EngineOptions, Event, ModelSpec, Request, Runtime};
//!
//! let runtime = Runtime::start(ModelSpec::path(path), EngineOptions::default())?;
//! let mut request = Request::text("Once upon a time");
//! request.max_tokens = Some(16);
//! for event in runtime.submit(request)? {
//!     match event {
//!         Event::Text(text) => print!("{text}"),
//!         Event::Finished(finished) => println!("\n{:?}", finished.reason),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![allow(dead_code, unused_imports, unreachable_pub, reason = "used when the parts are joined")]

pub mod blocking;
mod mailbox;
mod stage;
mod sync;
mod ids;
mod prefix;
mod priority;
mod queue;
mod conversation;
mod structure;
mod engine;
mod loaded;
mod options;
mod request;
mod runtime;
mod stream;

pub use conversation::{Budget, Conversation, ConversationError, FitError, Fitted, WhenFull};
pub use engine::StartError;
pub use priority::Priority;
pub use options::{EngineOptions, ModelSpec};
pub use request::{Prompt, Rejected, Request};
pub use runtime::Runtime;
pub use structure::{GuideError, Structure, StructureError};
pub use stream::{CancelHandle, Event, FinishReason, Finished, GenerateError, Generation, Timings};

// What callers need of the layer below, so that they need not depend on it.
pub use llama_core::chat::{ChatRequest, Content, Message, Role};
pub use llama_core::{
    ContextParams, GpuLayers, ModelFacts, ModelParams, Progress, SamplingParams, Seed, Token, Usage, llama_cpp_build,
    llama_cpp_source, llama_cpp_version,
};
