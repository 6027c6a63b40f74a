//! The engine thread: loads the model, says so, and serves requests one after another.
//!
//! It owns the session; nothing else touches it. Everything it is asked comes through one bounded queue, and everything
//! it says goes into the [`Writer`] of a request. It ends when the queue's sender is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use llama_core::{
    Context, ContextError, Event, FinishReason as CoreReason, GenerateOptions, LoadError, Model, OnCancel, Progress,
    Prompt, SamplingParams, Session, SessionError, Usage,
};

use crate::loaded::Loaded;
use crate::options::{EngineOptions, ModelSpec};
use crate::request::ValidRequest;
use crate::stream::{FinishReason, Finished, GenerateError, Stage, Timings, TooSlow, Writer};

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The model could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The context could not be made, e.g. because it is too large for the machine.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The model cannot write text, e.g. because it is one for embeddings.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The system refused a thread.
    #[error("cannot start the engine thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The engine thread panicked while it started.
    #[error("the engine crashed while it started; this is a bug, and its message went to the panic hook")]
    Crashed,
}

/// A request on its way to the engine.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: ValidRequest,
    pub(crate) writer: Writer,
    pub(crate) submitted: Instant,
}

#[derive(Debug)]
pub(crate) enum Command {
    Generate(Box<Job>),
    #[cfg(test)]
    Panic,
}

/// What the engine shares with its handle.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) stage: Arc<Stage>,
    pub(crate) stopping: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Engine {
    session: Session,
    options: EngineOptions,
    shared: Arc<Shared>,
}

/// The body of the engine thread. Says once through `ready` whether it started.
pub(crate) fn run(
    spec: &ModelSpec,
    options: EngineOptions,
    shared: Arc<Shared>,
    (commands, ready): (Receiver<Command>, SyncSender<Result<Loaded, StartError>>),
    progress: impl FnMut(f32) -> Progress,
) {
    let mut engine = match Engine::start(spec, options, shared, progress) {
        Ok((engine, loaded)) => {
            // A caller that went away drops the queue too, which ends the loop below.
            let _ = ready.send(Ok(loaded));
            engine
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    while let Ok(command) = commands.recv() {
        match command {
            Command::Generate(job) => {
                if let Err(error) = engine.serve(*job) {
                    tracing::error!(%error, "the engine cannot go on");
                    return abandon(&commands);
                }
            }
            #[cfg(test)]
            Command::Panic => panic!("as the test wants"),
        }
    }
}

/// Fails the requests that wait for an engine that is gone.
fn abandon(commands: &Receiver<Command>) {
    while let Ok(command) = commands.try_recv() {
        match command {
            Command::Generate(job) => job.writer.finish(Finished::new(FinishReason::Error(GenerateError::Crashed))),
            #[cfg(test)]
            Command::Panic => {}
        }
    }
}

impl Engine {
    fn start(
        spec: &ModelSpec,
        options: EngineOptions,
        shared: Arc<Shared>,
        progress: impl FnMut(f32) -> Progress,
    ) -> Result<(Self, Loaded), StartError> {
        let model = spec.load(options.model.clone(), progress)?;
        let session = new_session(&model, &options)?;
        let loaded = Loaded::new(model, session.capacity());
        Ok((Self { session, options, shared }, loaded))
    }

    /// Serves one request to its end. An error means that no other can be served.
    fn serve(&mut self, job: Job) -> Result<(), StartError> {
        let Job { request, writer, submitted } = job;
        let shared = Arc::clone(&self.shared);
        let on_stage = shared.stage.enter(&writer, self.session.cancel_handle());
        let mut finished = Finished::new(FinishReason::Cancelled);
        finished.timings.queued = submitted.elapsed();
        let result = self.answer(&request, &writer, &mut finished.usage, &mut finished.timings);
        drop(on_stage);
        let stopping = shared.stopping.load(Ordering::SeqCst);
        let failed = result.is_err();
        finished.reason = match result {
            Ok(FinishReason::Cancelled) if stopping => FinishReason::Shutdown,
            Ok(reason) => reason,
            Err(error) => FinishReason::Error(error.into()),
        };
        tracing::debug!(reason = ?finished.reason, usage = ?finished.usage, timings = ?finished.timings, "finished");
        // The next request must not inherit what a failure left behind.
        let recovered = if failed { self.recover() } else { Ok(()) };
        writer.finish(finished);
        recovered
    }

    fn answer(
        &mut self,
        request: &ValidRequest,
        writer: &Writer,
        usage: &mut Usage,
        timings: &mut Timings,
    ) -> Result<FinishReason, SessionError> {
        // In this order: a cancel before the first line is seen by the second, one after it stops the decode.
        self.session.resume(OnCancel::Keep)?;
        if writer.is_cancelled() || self.shared.stopping.load(Ordering::SeqCst) {
            return Ok(FinishReason::Cancelled);
        }
        usage.prompt = request.tokens.len();
        self.session.set_sampling(&request.sampling)?;
        let started = Instant::now();
        let prefill = self.session.prefill(&request.tokens);
        timings.prompt = started.elapsed();
        match prefill {
            Ok(prefill) => usage.reused = prefill.reused,
            Err(SessionError::Cancelled) => return Ok(FinishReason::Cancelled),
            Err(error) => return Err(error),
        }
        let started = Instant::now();
        let reason = self.generate(request, writer, usage);
        timings.generation = started.elapsed();
        reason
    }

    fn generate(
        &mut self,
        request: &ValidRequest,
        writer: &Writer,
        usage: &mut Usage,
    ) -> Result<FinishReason, SessionError> {
        let mut options = GenerateOptions::default();
        options.max_tokens = request.max_tokens;
        options.stop = request.stop.clone();
        let patience = self.options.slow_consumer_timeout;
        let mut stream = self.session.stream(Prompt::Tokens(&[]), options)?;
        // Making the stream cleared what was asked of the context, so the writer has the last word.
        if writer.is_cancelled() {
            return Ok(FinishReason::Cancelled);
        }
        while let Some(event) = stream.next() {
            usage.generated = stream.usage().generated;
            match event? {
                Event::Text(text) => {
                    if let Err(TooSlow) = writer.push(text, patience) {
                        return Ok(FinishReason::SlowConsumer);
                    }
                }
                Event::Finished(finished) => {
                    usage.generated = finished.usage.generated;
                    return Ok(reason(finished.reason));
                }
                _ => {}
            }
        }
        Ok(FinishReason::Cancelled)
    }

    /// Empties the session, or makes another if it cannot be emptied.
    fn recover(&mut self) -> Result<(), StartError> {
        if self.session.resume(OnCancel::Keep).and_then(|()| self.session.clear()).is_err() {
            let model = self.session.model().clone();
            self.session = new_session(&model, &self.options)?;
        }
        Ok(())
    }
}

fn new_session(model: &Model, options: &EngineOptions) -> Result<Session, StartError> {
    let mut params = options.context.clone();
    params.n_ctx.get_or_insert(model.facts().n_ctx_train.clamp(1, options.auto_ctx_limit.max(1)));
    Ok(Session::new(Context::new(model, params)?, SamplingParams::default())?)
}

fn reason(reason: CoreReason) -> FinishReason {
    match reason {
        CoreReason::StopString(text) => FinishReason::StopString(text),
        CoreReason::Length => FinishReason::Length,
        CoreReason::ContextFull => FinishReason::ContextFull,
        CoreReason::Cancelled => FinishReason::Cancelled,
        // A reason added later is an end of the answer until it is told apart here.
        CoreReason::EndOfGeneration(_) | _ => FinishReason::EndOfAnswer,
    }
}
