//! The handle of an engine: [`Runtime`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use llama_core::{ModelFacts, Progress};

use crate::engine::{self, Command, Job, Shared, StartError};
use crate::loaded::Loaded;
use crate::options::{EngineOptions, ModelSpec};
use crate::request::{Prompt, Rejected, Request};
use crate::stream::{self, Generation};

/// The channel takes the memory for all its places at once.
const MAX_QUEUE: usize = 1 << 16;

/// One model on one engine thread. `Send` and `Sync`: requests may come from any thread.
///
/// Dropping it shuts the engine down, see [`Runtime::shutdown`].
#[derive(Debug)]
pub struct Runtime {
    loaded: Loaded,
    shared: Arc<Shared>,
    queue: usize,
    event_buffer: usize,
    /// Both are `Some` until the shutdown.
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts an engine, and returns when its model is loaded.
    ///
    /// # Errors
    ///
    /// [`StartError`]; no thread stays behind.
    pub fn start(spec: ModelSpec, options: EngineOptions) -> Result<Self, StartError> {
        Self::start_with(spec, options, |_| Progress::Continue)
    }

    /// As [`Runtime::start`], telling `progress` the share of the model that is loaded, from 0.0 to 1.0, on the engine
    /// thread. [`Progress::Cancel`] gives up the load.
    ///
    /// # Errors
    ///
    /// [`StartError`]; no thread stays behind.
    pub fn start_with(
        spec: ModelSpec,
        options: EngineOptions,
        progress: impl FnMut(f32) -> Progress + Send + 'static,
    ) -> Result<Self, StartError> {
        let queue = options.queue.clamp(1, MAX_QUEUE);
        let event_buffer = options.event_buffer;
        let shared = Arc::new(Shared::default());
        let (commands, receive_commands) = sync_channel(queue);
        let (tell_ready, ready) = sync_channel(1);
        let engine_shared = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("llama-engine".to_owned())
            .spawn(move || {
                engine::run(&spec, options, engine_shared, (receive_commands, tell_ready), progress);
            })
            .map_err(StartError::Thread)?;
        match ready.recv().unwrap_or(Err(StartError::Crashed)) {
            Ok(loaded) => {
                let (commands, thread) = (Some(commands), Some(thread));
                Ok(Self { loaded, shared, queue, event_buffer, commands, thread })
            }
            Err(error) => {
                // It has nothing left to do; a panic is told by the error already.
                let _ = thread.join();
                Err(error)
            }
        }
    }

    /// Puts a request into the queue. Rendering and tokenising happen here, on the caller's thread.
    ///
    /// # Errors
    ///
    /// [`Rejected`]. [`Rejected::QueueFull`] comes at once, nothing waits.
    pub fn submit(&self, request: Request) -> Result<Generation, Rejected> {
        let request = request.validate(&self.loaded)?;
        let (writer, generation) = stream::channel(self.event_buffer, &self.shared.stage);
        self.send(Command::Generate(Box::new(Job { request, writer, submitted: Instant::now() })))?;
        Ok(generation)
    }

    fn send(&self, command: Command) -> Result<(), Rejected> {
        let commands = self.commands.as_ref().ok_or(Rejected::Stopped)?;
        commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Rejected::QueueFull { capacity: self.queue },
            TrySendError::Disconnected(_) => Rejected::Stopped,
        })
    }

    /// How many tokens a prompt has.
    ///
    /// # Errors
    ///
    /// [`Rejected`], if it cannot be rendered or tokenised. A prompt that is too long is none.
    pub fn count_tokens(&self, prompt: Prompt) -> Result<usize, Rejected> {
        Ok(prompt.into_tokens(&self.loaded)?.0.len())
    }

    /// Most tokens the context holds, prompt and answer together.
    pub fn capacity(&self) -> usize {
        self.loaded.capacity
    }

    /// Sizes and kinds of the model.
    pub fn facts(&self) -> &ModelFacts {
        self.loaded.model.facts()
    }

    /// Whether the model brings a chat template of its own. Without, a conversation is rendered as ChatML.
    pub fn has_chat_template(&self) -> bool {
        self.loaded.has_template
    }

    /// Stops the engine and waits for its thread. The running request and the waiting ones end with
    /// [`FinishReason::Shutdown`](crate::FinishReason::Shutdown); what was written before is delivered.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.stage.cancel_running();
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // The requests of a thread that panicked were told by their writers.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{FinishReason, GenerateError};
    use llama_testkit::fixtures;

    #[test]
    fn a_panic_of_the_engine_ends_every_stream_with_an_error_and_refuses_the_next_request() {
        let mut options = EngineOptions::default();
        options.context.n_threads = Some(1);
        options.event_buffer = 1;
        let runtime = Runtime::start(ModelSpec::path(fixtures::tiny_llama()), options).unwrap();
        let mut running = runtime.submit(Request::text("Once")).unwrap();
        assert!(running.next().is_some());
        runtime.send(Command::Panic).unwrap();
        let waiting = runtime.submit(Request::text("Once")).unwrap();
        drop(running);
        let (text, finished) = waiting.collect_text();
        assert_eq!(text, "");
        assert!(matches!(finished.reason, FinishReason::Error(GenerateError::Crashed)), "{:?}", finished.reason);
        assert!(matches!(runtime.submit(Request::text("Once")), Err(Rejected::Stopped)));
    }
}
