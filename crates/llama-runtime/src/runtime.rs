//! The handle of everything: [`Runtime`].

mod builder;
mod embeddings;
mod saved;
mod shutdown;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use llama_core::chat::ChatRequest;
use tokio::sync::Notify;

pub use builder::RuntimeBuilder;
pub use embeddings::{EmbedError, Embeddings, PendingEmbeddings};
pub use shutdown::Drained;

use crate::config::{Defaults, OverloadPolicy};
use crate::conversation::{self, Conversation, FitError, Fitted};
use crate::event::Deadline;
use crate::generation::Generation;
use crate::host::Host;
use crate::ids::RequestId;
use crate::job::{Asked, Body, Job};
use crate::loaded::ModelInfo;
use crate::memory::Budget;
use crate::priority::Priority;
use crate::queue::Entry;
use crate::rejected::Rejected;
use crate::request::{Deadlines, EmbedRequest, Prompt, Request};
use crate::shared::Phase;
use crate::start::StartError;
use crate::stats::{ModelState, ModelStats, Stats};
use crate::ticket::{Ticket, ends};
use crate::watch::WatchThread;

/// Models, each with an engine thread of its own when it is loaded. `Send` and `Sync`: requests may come from any thread
/// or task, of any executor.
///
/// Dropping it ends everything at once, see [`Runtime::shutdown`] for a friendlier way.
#[derive(Debug)]
pub struct Runtime {
    models: Vec<Model>,
    budget: Arc<Budget>,
    next: AtomicU64,
    /// Last, since engines use it to their end.
    timer: WatchThread,
}

/// A request on its way into the queue.
#[derive(Debug)]
struct Submission {
    ticket: Arc<Ticket>,
    asked: Asked,
    deadlines: Deadlines,
    /// Answers to write.
    choices: usize,
}

/// A model and its engine's thread, if there is one.
#[derive(Debug)]
struct Model {
    host: Arc<Host>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Runtime {
    /// Starts to describe a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    /// Puts a request into the queue of its model, and never waits: rendering and tokenizing happen here, computing does
    /// not. A model that is not loaded is started; the request is checked against it once it is there.
    ///
    /// # Errors
    ///
    /// [`Rejected`]: nothing has been computed, and no stream exists. With [`OverloadPolicy::Wait`] a full queue refuses
    /// here too; [`Runtime::submit_waiting`] waits. What a model that is not loaded would refuse ends the stream as
    /// [`GenerateError::Refused`](crate::GenerateError::Refused).
    pub fn submit(&self, request: Request) -> Result<Generation, Rejected> {
        let model = self.find(request.model.as_deref())?;
        model.counted(self.submit_to(model, request, Instant::now()))
    }

    /// As [`Runtime::submit`], but with [`OverloadPolicy::Wait`] waits for a place in the queue, until the first of the
    /// request's deadlines; they count from this call. No more callers wait than the queue has places; others are refused
    /// at once.
    ///
    /// # Errors
    ///
    /// [`Rejected`].
    pub async fn submit_waiting(&self, request: Request) -> Result<Generation, Rejected> {
        let model = self.find(request.model.as_deref())?;
        if model.host.config.limits.overload != OverloadPolicy::Wait {
            return self.submit(request);
        }
        let submitted = Instant::now();
        let Deadlines { queue, first_token, total } =
            with_defaults(request.deadlines, &model.host.config.defaults, true);
        let patience = [queue, first_token, total].into_iter().flatten().min();
        let _waiting = model.host.shared.wait_for_place(patience)?;
        let expired = Arc::new(Notify::new());
        let _timer = patience
            .and_then(|patience| submitted.checked_add(patience))
            .map(|at| Timer { keys: [self.timer.watch().wake(at, Arc::clone(&expired))], timers: &self.timer });
        loop {
            let mut place = pin!(model.host.shared.place.notified());
            place.as_mut().enable();
            match self.submit_to(model, request.clone(), submitted) {
                Err(full @ Rejected::QueueFull { .. }) => {
                    if !either(place, pin!(expired.notified())).await {
                        return model.counted(Err(full));
                    }
                }
                other => return model.counted(other),
            }
        }
    }

    /// Embeds texts, through the same queue.
    ///
    /// # Errors
    ///
    /// As [`Runtime::submit`].
    pub fn embed(&self, request: EmbedRequest) -> Result<PendingEmbeddings, Rejected> {
        let model = self.find(request.model.as_deref())?;
        let inputs = request.inputs.len();
        let defaults = &model.host.config.defaults;
        let deadlines = with_defaults(request.deadlines, defaults, false);
        let priority = request.priority.unwrap_or(defaults.priority);
        let ticket = self.ticket(model, priority, request.tags.clone(), Instant::now());
        let submission = Submission { ticket, asked: Asked::Embed(request), deadlines, choices: 0 };
        let generation = self.send(model, submission);
        Ok(PendingEmbeddings::new(model.counted(generation)?, inputs))
    }

    fn submit_to(&self, model: &Model, request: Request, submitted: Instant) -> Result<Generation, Rejected> {
        let defaults = &model.host.config.defaults;
        let deadlines = with_defaults(request.deadlines, defaults, true);
        let priority = request.priority.unwrap_or(defaults.priority);
        let ticket = self.ticket(model, priority, request.tags.clone(), submitted);
        let choices = request.choices;
        self.send(model, Submission { ticket, asked: Asked::Generate(Box::new(request)), deadlines, choices })
    }

    fn ticket(
        &self,
        model: &Model,
        priority: Priority,
        tags: Vec<(String, String)>,
        submitted: Instant,
    ) -> Arc<Ticket> {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        Arc::new(Ticket::new(&model.host.shared, id, (priority, submitted), tags))
    }

    /// Checks a request where its model is loaded, and puts it into the queue.
    fn send(&self, model: &Model, submission: Submission) -> Result<Generation, Rejected> {
        let Submission { ticket, asked, deadlines, choices } = submission;
        let shared = &model.host.shared;
        // Texts to embed are computed beside the others, and no estimate is made of them.
        let writes = matches!(asked, Asked::Generate(_));
        let (body, tokens) = match shared.phase() {
            Phase::Ready(loaded) => {
                let ready = loaded.validate(asked)?;
                let tokens = ready.tokens();
                (Body::Ready(Box::new(ready)), tokens)
            }
            _ => (Body::Raw(asked), 0),
        };
        let limits = &model.host.config.limits;
        // A number that makes no sense is told when the request is checked.
        let choices = choices.min(limits.max_choices as usize);
        let (sender, receiver) = ends(limits.event_buffer, &ticket);
        let (id, priority, submitted) = (ticket.id, ticket.priority, ticket.submitted);
        let timers = timers(submitted, deadlines);
        let first_token_within = deadlines.first_token.into_iter().chain(deadlines.total).min().filter(|_| writes);
        let item = Job { ticket, sender, body, first_token_within };
        shared.enqueue(Entry { id, priority, submitted, tokens, item }, timers)?;
        if let Err(error) = self.start(model) {
            shared.fail_to_start(&Arc::new(error));
        }
        Ok(Generation::new(receiver, id.0, choices))
    }

    /// Loads a model that is not loaded, and tells what it is. `None` is the first model. Dropping the future gives the load of
    /// an on-demand model up, if no request waits for it.
    ///
    /// # Errors
    ///
    /// [`StartError`]; the next call, or the next request, tries again.
    pub async fn load(&self, model: Option<&str>) -> Result<ModelInfo, StartError> {
        let model = self.find(model).map_err(|_| self.unknown(model))?;
        let mut phase = model.host.shared.subscribe();
        let _awaiting = model.host.shared.await_model();
        self.start(model)?;
        let mut loading = true;
        loop {
            match &*phase.borrow_and_update() {
                Phase::Ready(loaded) => return Ok(loaded.info.clone()),
                Phase::Loading(_) => loading = true,
                Phase::Failed(error) => {
                    let (model, source) = (model.host.shared.name.to_string(), Arc::clone(error));
                    return Err(StartError::NotStarted { model, source });
                }
                Phase::Unloaded if loading => {
                    return Err(StartError::Crashed { model: model.host.shared.name.to_string() });
                }
                Phase::Unloaded => {}
            }
            if phase.changed().await.is_err() {
                return Err(StartError::Crashed { model: model.host.shared.name.to_string() });
            }
        }
    }

    /// [`load`](Self::load) for a thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load_blocking(&self, model: Option<&str>) -> Result<ModelInfo, StartError> {
        crate::blocking::block_on(self.load(model))
    }

    /// Drops the oldest turns of a conversation, if it has to, until its prompt and `reserve` tokens of an answer fit the
    /// model. The model is loaded for that if it is not.
    ///
    /// # Errors
    ///
    /// [`FitError`]: the last turn alone does not fit, or the conversation cannot be rendered; it is unchanged then.
    pub async fn fit(
        &self,
        model: Option<&str>,
        conversation: &mut Conversation,
        reserve: usize,
    ) -> Result<Fitted, FitError<Rejected>> {
        let info = match self.load(model).await {
            Ok(info) => info,
            Err(error) => return Err(FitError::Count(Rejected::NotStarted(Arc::new(error)))),
        };
        let budget = conversation::Budget::new(info.sequence_limit).reserve(reserve);
        conversation.fit(budget, |messages| {
            let prompt = Prompt::from(ChatRequest::new(messages.iter().cloned()));
            Ok(self.count_tokens(model, prompt)?.unwrap_or(usize::MAX))
        })
    }

    /// What a model can do; `None` while it is not loaded, and for a name that is unknown.
    pub fn info(&self, model: Option<&str>) -> Option<ModelInfo> {
        match self.find(model).ok()?.host.shared.phase() {
            Phase::Ready(loaded) => Some(loaded.info.clone()),
            _ => None,
        }
    }

    /// How many tokens a prompt has, rendered and tokenized on this thread; `None` while the model is not loaded.
    ///
    /// # Errors
    ///
    /// [`Rejected`], if it cannot be rendered or tokenized. A prompt that is too long is none.
    pub fn count_tokens(&self, model: Option<&str>, prompt: Prompt) -> Result<Option<usize>, Rejected> {
        match self.find(model)?.host.shared.phase() {
            Phase::Ready(loaded) => loaded.count(prompt).map(Some),
            _ => Ok(None),
        }
    }

    /// What the runtime has done and is doing. Cheap: it asks no engine thread and waits for none.
    pub fn stats(&self) -> Stats {
        let models = self.models.iter().map(|model| model.stats()).collect();
        Stats { memory: self.budget.used(), timers: self.timer.watch().len(), models }
    }

    fn find(&self, name: Option<&str>) -> Result<&Model, Rejected> {
        let found = match name {
            None => self.models.first(),
            Some(name) => self.models.iter().find(|model| &*model.host.shared.name == name),
        };
        found.ok_or_else(|| Rejected::UnknownModel { name: name.unwrap_or_default().to_owned(), known: self.known() })
    }

    fn unknown(&self, name: Option<&str>) -> StartError {
        StartError::UnknownModel { name: name.unwrap_or_default().to_owned(), known: self.known() }
    }

    fn known(&self) -> String {
        let names: Vec<String> = self.models.iter().map(|model| model.host.shared.name.to_string()).collect();
        crate::validate::list(&names)
    }

    /// Starts the engine thread of a model that has none.
    fn start(&self, model: &Model) -> Result<(), StartError> {
        if !model.host.shared.begin_loading() {
            return Ok(());
        }
        let mut place = model.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = place.take() {
            // It has said that it is done, so this does not wait for long. A panic was told to its requests.
            let _ = ended.join();
        }
        let host = Arc::clone(&model.host);
        let name = format!("llama-{}", model.host.shared.name);
        let spawned = std::thread::Builder::new().name(name).spawn(move || host.run());
        *place = Some(spawned.map_err(|error| {
            model.host.shared.set_phase(Phase::Unloaded);
            StartError::Thread(error)
        })?);
        Ok(())
    }
}

impl Model {
    fn counted<T>(&self, result: Result<T, Rejected>) -> Result<T, Rejected> {
        match &result {
            Ok(_) => {
                self.host.shared.counters.accepted();
                crate::observe::accepted(&self.host.shared.name);
            }
            Err(rejected) => {
                self.host.shared.counters.rejected(rejected);
                crate::observe::rejected(&self.host.shared.name, rejected);
            }
        }
        result
    }

    fn stats(&self) -> ModelStats {
        let shared = &self.host.shared;
        let (queued, queued_tokens, open) = shared.depth();
        let state = match shared.phase() {
            Phase::Unloaded => ModelState::Unloaded,
            Phase::Loading(share) => ModelState::Loading(share),
            Phase::Ready(_) => ModelState::Ready,
            Phase::Failed(error) => ModelState::Failed(error.to_string()),
        };
        ModelStats {
            name: shared.name.to_string(),
            state,
            queued,
            queued_tokens,
            open,
            engine: shared.snapshot(),
            totals: shared.counters.totals(),
        }
    }
}

/// Takes its timer back when it is dropped.
#[derive(Debug)]
struct Timer<'r> {
    keys: [crate::watch::TimerKey; 1],
    timers: &'r WatchThread,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.timers.watch().forget(self.keys);
    }
}

/// Waits for the first of two; true if it is `first`.
async fn either(mut first: impl Future<Output = ()> + Unpin, mut second: impl Future<Output = ()> + Unpin) -> bool {
    poll_fn(|context| {
        if pin!(&mut first).poll(context).is_ready() {
            return Poll::Ready(true);
        }
        if pin!(&mut second).poll(context).is_ready() { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

/// When each deadline is due. One beyond what the clock can count is none.
fn timers(submitted: Instant, deadlines: Deadlines) -> Vec<(Instant, Deadline)> {
    let due = |limit: Option<Duration>| limit.and_then(|limit| submitted.checked_add(limit));
    let all = [
        (due(deadlines.queue), Deadline::Queue),
        (due(deadlines.first_token), Deadline::FirstToken),
        (due(deadlines.total), Deadline::Total),
    ];
    all.into_iter().filter_map(|(at, which)| Some((at?, which))).collect()
}

/// `first_token`: whether there is one.
fn with_defaults(asked: Deadlines, defaults: &Defaults, first_token: bool) -> Deadlines {
    Deadlines {
        queue: asked.queue.or(Some(defaults.queue_deadline)),
        first_token: asked.first_token.or(defaults.first_token_deadline).filter(|_| first_token),
        total: asked.total.or(Some(defaults.total_deadline)),
    }
}
