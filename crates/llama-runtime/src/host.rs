//! The thread of an engine: it loads the model, runs the loop, and leaves nobody waiting when it ends: [`Host`].

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use llama_core::chat::ChatTemplate;
use llama_core::{ContextParams, LoadError, LoraAdapter, MemoryUse, Model, ModelParams, Progress};

use crate::config::{EngineConfig, MAX_THREADS};
use crate::engine::{Engine, Turn};
use crate::error::GenerateError;
use crate::event::FinishReason;
use crate::executor::llama::{ExecutorError, LlamaExecutor};
use crate::executor::{Asked, Executor};
use crate::job::{Body, Job};
use crate::loaded::{Loaded, Setting, given_template, on_gpu};
use crate::memory::{Budget, NoShare, Share};
use crate::queue::Entry;
use crate::shared::{Door, Phase, Shared, Woken};
use crate::spec::ModelSpec;
use crate::start::{OnLoad, StartError};
use crate::template::Template;
use crate::ticket::Part;

/// What an engine thread needs to know. It outlives its threads: a model that was evicted is started from it again.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) spec: ModelSpec,
    pub(crate) config: EngineConfig,
    pub(crate) budget: Arc<Budget>,
    /// Gives the memory back after this long without a request.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) on_load: Option<OnLoad>,
}

impl Host {
    /// The body of the thread. Ends when the model is evicted, the runtime shut down, or something went wrong; all requests
    /// have ended by then, or wait for the next thread.
    pub(crate) fn run(&self) {
        self.run_with(Self::load_and_serve);
    }

    /// [`run`](Self::run), with anything that takes the place of loading and serving.
    fn run_with(&self, body: impl Fn(&Self) -> Result<Share, Stopped>) {
        loop {
            if self.run_once(&body) {
                continue;
            }
            // A request that came while the engine was on its way out found it still there.
            let needed = self.shared.door() != Door::Closed && !self.shared.is_idle();
            if !needed || !self.shared.begin_loading() {
                return;
            }
        }
    }

    /// True if the model is still being loaded: the load was given up, and then somebody came.
    fn run_once(&self, body: impl Fn(&Self) -> Result<Share, Stopped>) -> bool {
        let ended = catch_unwind(AssertUnwindSafe(|| body(self)));
        self.shared.set_abort(None);
        // A step that ended by a panic has ended.
        self.shared.end_step();
        if self.shared.door() == Door::Closed {
            self.shared.end_all(|| FinishReason::Shutdown);
        }
        let mut again = false;
        match ended {
            Ok(Ok(share)) => {
                // The weights go with the phase, and only then may others have their memory.
                self.shared.set_phase(Phase::Unloaded);
                drop(share);
            }
            Ok(Err(Stopped::GivenUp)) => {
                tracing::debug!(model = &*self.shared.name, "nobody waits for the model any more");
                let is_needed =
                    || self.shared.door() != Door::Closed && (!self.shared.is_idle() || self.shared.is_awaited());
                again = !self.shared.give_up_loading(is_needed);
            }
            Ok(Err(Stopped::Failed(error))) => {
                tracing::error!(model = &*self.shared.name, %error, "the model cannot be started");
                let error = Arc::new(error);
                self.shared.set_phase(Phase::Failed(Arc::clone(&error)));
                self.shared.fail_to_start(&error);
            }
            Err(_) => {
                tracing::error!(model = &*self.shared.name, "the engine thread panicked");
                self.shared.set_phase(Phase::Unloaded);
                self.shared.end_all(|| FinishReason::Error(GenerateError::Crashed));
            }
        }
        if self.shared.door() == Door::Closed {
            self.shared.end_all(|| FinishReason::Shutdown);
        }
        self.budget.look_again();
        again
    }

    fn load_and_serve(&self) -> Result<Share, Stopped> {
        let (executor, loaded, share) = self.load()?;
        let mut engine = self.engine(executor);
        let loaded = Arc::new(loaded);
        self.shared.set_phase(Phase::Ready(Arc::clone(&loaded)));
        self.validate_waiting(&loaded);
        self.serve(&mut engine, &share);
        Ok(share)
    }

    /// An engine whose steps a cancel can stop.
    pub(crate) fn engine<E: Executor>(&self, executor: E) -> Engine<E> {
        let aborter = executor.abort_switch();
        self.shared.set_abort(Some(Box::new(move || aborter.abort())));
        Engine::new(executor, &self.config, Arc::clone(&self.shared))
    }

    /// Runs the loop until the engine is to go. Nobody is left in the engine then: whoever is lost with it has crashed.
    fn serve<E: Executor>(&self, engine: &mut Engine<E>, share: &Share) {
        while self.shared.door() != Door::Closed {
            let until = match engine.turn() {
                Turn::Worked => continue,
                Turn::Broken => return self.shared.end_all(|| FinishReason::Error(GenerateError::Crashed)),
                Turn::Idle { until } => until,
            };
            let idle = self.shared.is_idle();
            if idle {
                share.touch();
                self.budget.look_again();
            }
            let leave = self.idle_timeout.filter(|_| idle).and_then(|timeout| Instant::now().checked_add(timeout));
            let first = [until, leave].into_iter().flatten().min();
            match self.shared.wait(first) {
                Woken::Work => {}
                Woken::Evict => return,
                Woken::Closed => break,
                Woken::TimedOut if leave.is_some_and(|leave| Instant::now() >= leave) && self.shared.is_idle() => {
                    return;
                }
                Woken::TimedOut => {}
            }
        }
        self.shared.end_all(|| FinishReason::Shutdown);
    }

    fn load(&self) -> Result<(LlamaExecutor, Loaded, Share), Stopped> {
        let params = self.config.model.to_params();
        // The weights may take minutes, so what cannot be used is told before.
        self.template(None)?;
        let planned = || self.spec.memory(&params, |trained| self.context_params(trained));
        let bytes = if self.budget.is_limited() { planned() } else { 0 };
        let share = self.budget.take(&self.shared, bytes, || self.is_wanted())?;
        let model = self.load_model(params)?;
        let template = self.template(Some(&model))?.map_or_else(|| Template::begin(&model), Template::Given);
        let adapters = self.adapters(&model)?;
        let names = adapters.iter().map(|(name, _)| name.clone()).collect();
        let bounds = self.config.bounds();
        let context = self.context_params(model.facts().n_ctx_train);
        let mut executor = LlamaExecutor::new(model.clone(), &context, bounds.max_sequences, adapters)?;
        let memory = executor.memory();
        if let Some(memory) = &memory {
            share.measured(memory.total());
        }
        let threads = executor.pace(self.asked_threads(memory.as_ref()));
        tracing::info!(model = &*self.shared.name, counts = ?threads.counts, from = ?threads.from, "threads");
        let setting = Setting {
            abilities: executor.abilities(),
            bounds,
            limits: self.config.limits.clone(),
            defaults: self.config.defaults.clone(),
            adapters: names,
            memory,
            threads,
            template,
        };
        Ok((executor, Loaded::new(&self.shared.name, model, setting), share))
    }

    /// What is known of threads, for a model that takes so much memory.
    fn asked_threads(&self, memory: Option<&MemoryUse>) -> Asked {
        let most = std::thread::available_parallelism().map_or(1, NonZero::get);
        Asked {
            decode: self.config.context.threads,
            prefill: self.config.context.threads_batch,
            known: self.spec.threads(),
            weights: memory.map_or(0, |memory| memory.weights().saturating_sub(on_gpu(memory))),
            most: u32::try_from(most).unwrap_or(u32::MAX).min(MAX_THREADS),
        }
    }

    /// The chat template that was given for the model.
    fn template(&self, model: Option<&Model>) -> Result<Option<ChatTemplate>, StartError> {
        let source = self.config.model.chat_template.as_deref();
        source.map(|source| given_template(source, model)).transpose().map_err(StartError::ChatTemplate)
    }

    fn load_model(&self, params: ModelParams) -> Result<Model, Stopped> {
        let (mut told, mut given_up) = (0.0, false);
        let loaded = self.spec.load(params, |part| {
            given_up |= !self.is_wanted();
            if given_up { Progress::Cancel } else { self.report(part, &mut told) }
        });
        match loaded {
            Err(LoadError::Cancelled { .. }) if given_up => Err(Stopped::GivenUp),
            other => Ok(other?),
        }
    }

    fn context_params(&self, trained: u32) -> ContextParams {
        self.config.context.to_params(&self.config.batch, trained)
    }

    fn adapters(&self, model: &Model) -> Result<Vec<(String, LoraAdapter)>, StartError> {
        self.spec.adapters().iter().map(|(name, path)| Ok((name.clone(), LoraAdapter::load(model, path)?))).collect()
    }

    /// Tells how far the load is. Answers what the program says to that.
    fn report(&self, share: f32, told: &mut f32) -> Progress {
        // A few steps, so that they do not take the room of the text.
        if share - *told >= 0.1 || share >= 1.0 {
            *told = share;
            self.shared.set_phase(Phase::Loading(share));
            for open in self.shared.open() {
                open.finisher.offer(Part::Loading(share));
            }
        }
        self.on_load.as_ref().map_or(Progress::Continue, |on_load| on_load.call(&self.shared.name, share))
    }

    /// A load that was asked for by requests is given up with the last of them.
    fn is_wanted(&self) -> bool {
        self.shared.door() != Door::Closed
            && (!self.spec.is_on_demand() || !self.shared.is_idle() || self.shared.is_awaited())
    }

    /// What came before the model was there is checked now.
    fn validate_waiting(&self, loaded: &Loaded) {
        let mut ready = Vec::new();
        for entry in self.shared.take_queue() {
            let Entry { id, priority, submitted, tokens, item } = entry;
            let Job { ticket, sender, body, first_token_within } = item;
            let open = sender.open();
            let (body, tokens) = match body {
                Body::Ready(ready) => (Body::Ready(ready), tokens),
                Body::Raw(asked) => match loaded.validate(asked) {
                    Ok(ready) => {
                        let tokens = ready.tokens();
                        (Body::Ready(Box::new(ready)), tokens)
                    }
                    Err(rejected) => {
                        open.end(FinishReason::Error(GenerateError::Refused(Arc::new(rejected))));
                        continue;
                    }
                },
            };
            let item = Job { ticket, sender, body, first_token_within };
            ready.push(Entry { id, priority, submitted, tokens, item });
        }
        self.shared.put_back(ready);
    }
}

/// Why a thread ended without an engine.
#[derive(Debug)]
enum Stopped {
    /// Nobody waited for the model any more. That is no failure: whoever comes now has it loaded again.
    GivenUp,
    Failed(StartError),
}

impl<E: Into<StartError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NoShare> for Stopped {
    fn from(error: NoShare) -> Self {
        match error {
            NoShare::GivenUp => Self::GivenUp,
            NoShare::TooLarge { .. } => Self::Failed(StartError::Memory { reason: error.to_string() }),
        }
    }
}

impl From<ExecutorError> for StartError {
    fn from(error: ExecutorError) -> Self {
        match error {
            ExecutorError::Context(error) => Self::Context(error),
            ExecutorError::Decode(error) => Self::Decode(error),
        }
    }
}

#[cfg(test)]
mod tests;
