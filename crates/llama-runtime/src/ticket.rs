//! One accepted request as all threads see it: [`Ticket`], and [`Open`], which can end it.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use llama_core::Usage;
use llama_core::chat::{AssistantMessage, ChatParser};

use crate::error::GenerateError;
use crate::event::{Choice, FinishReason, Finished, Logprob, Timings};
use crate::ids::RequestId;
use crate::mailbox::{self, Listener};
use crate::priority::Priority;
use crate::shared::Shared;
use crate::writer::Written;

/// What goes through the mailbox of a request. Its reader makes [`Event`](crate::Event)s of it, on its own thread.
#[derive(Debug)]
pub(crate) enum Part {
    /// This share of the model is loaded.
    Loading(f32),
    /// What takes the answers apart; before any text, and only for a chat.
    Format(ChatParser),
    Text {
        choice: usize,
        text: String,
        logprobs: Vec<Logprob>,
    },
    ChoiceFinished {
        choice: usize,
        reason: FinishReason,
    },
    Embedding {
        input: usize,
        vector: Vec<f32>,
    },
}

pub(crate) type Receiver = mailbox::Receiver<Part, Box<Finished>, Ticket>;
pub(crate) type Finisher = mailbox::Finisher<Part, Box<Finished>, Ticket>;
pub(crate) type Canceller = mailbox::Canceller<Part, Box<Finished>, Ticket>;
pub(crate) type Item = mailbox::Item<Part, Box<Finished>>;

/// The engine's end of a request. If it is dropped before the request has ended, which only a panic does, the request ends
/// as crashed, with all that it was.
#[derive(Debug)]
pub(crate) struct Sender {
    inner: mailbox::Sender<Part, Box<Finished>, Ticket>,
    ticket: Arc<Ticket>,
}

/// One accepted request. Shared by its reader, the engine and the timer.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) id: RequestId,
    pub(crate) priority: Priority,
    pub(crate) submitted: Instant,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) span: tracing::Span,
    engine: Weak<Shared>,
    model: Arc<str>,
    record: Mutex<Record>,
}

/// What has happened to a request so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) usage: Usage,
    pub(crate) admitted: Option<Instant>,
    pub(crate) first_token: Option<Instant>,
    pub(crate) paused: Duration,
    /// Once the request is admitted.
    pub(crate) choices: Vec<ChoiceRecord>,
}

/// How far a choice is.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChoiceRecord {
    pub(crate) end: Option<FinishReason>,
    /// Text that is held back since it could begin a stop string. Whoever ends the request from outside hands it out, so
    /// that nothing that was written is lost.
    pub(crate) held: Written,
}

impl Ticket {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        id: RequestId,
        (priority, submitted): (Priority, Instant),
        tags: Vec<(String, String)>,
    ) -> Self {
        let model = Arc::clone(&shared.name);
        let span = tracing::info_span!(
            target: "llama_runtime::request",
            "request",
            id = id.0,
            "gen_ai.request.model" = &*model,
            priority = ?priority,
            tags = ?tags,
        );
        Self { id, priority, submitted, tags, span, engine: Arc::downgrade(shared), model, record: Mutex::default() }
    }

    /// The engine of its model, unless the runtime is gone.
    pub(crate) fn engine(&self) -> Option<Arc<Shared>> {
        self.engine.upgrade()
    }

    /// Tells the log where the request is on its way.
    pub(crate) fn note(&self, stage: &'static str) {
        self.span.in_scope(|| tracing::debug!(target: "llama_runtime::request", "{stage}"));
    }

    /// Held for a few assignments only.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        // Every critical section leaves the record whole, so a panic of another thread has not damaged it.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The final account.
    fn finished(&self, reason: FinishReason, now: Instant) -> Box<Finished> {
        let record = self.record().clone();
        let admitted = record.admitted.unwrap_or(now);
        let begun = record.first_token.unwrap_or(now);
        let choices = record.choices.into_iter().map(|choice| choice.finished(&reason)).collect();
        Box::new(Finished {
            id: self.id.0,
            model: self.model.to_string(),
            reason,
            choices,
            usage: record.usage,
            timings: Timings {
                queued: admitted.saturating_duration_since(self.submitted),
                prompt: begun.saturating_duration_since(admitted),
                generation: now.saturating_duration_since(begun),
                first_token: record.first_token.map(|at| at.saturating_duration_since(self.submitted)),
                paused: record.paused,
                total: now.saturating_duration_since(self.submitted),
            },
            tags: self.tags.clone(),
        })
    }
}

impl Sender {
    pub(crate) fn open(&self) -> Open {
        Open { ticket: Arc::clone(&self.ticket), finisher: self.inner.finisher().clone() }
    }
}

impl Deref for Sender {
    type Target = mailbox::Sender<Part, Box<Finished>, Ticket>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // A request that was refused has no reader, and nothing to be told.
        let accepted = || self.ticket.engine().is_some_and(|engine| engine.is_open(self.ticket.id));
        if !self.inner.finisher().is_finished() && accepted() {
            self.open().end(FinishReason::Error(GenerateError::Crashed));
        }
    }
}

/// Makes both ends of a request with room for `capacity` unread events.
pub(crate) fn ends(capacity: usize, ticket: &Arc<Ticket>) -> (Sender, Receiver) {
    let (inner, receiver) = mailbox::mailbox(capacity, abandoned, Arc::clone(ticket));
    (Sender { inner, ticket: Arc::clone(ticket) }, receiver)
}

impl Listener for Ticket {
    fn cancelled(&self) {
        if let Some(engine) = self.engine() {
            engine.cancel(self.id);
        }
    }

    fn room(&self) {
        if let Some(engine) = self.engine() {
            engine.poke();
        }
    }
}

impl ChoiceRecord {
    /// As the reader gets it, who puts the text before that was told.
    fn finished(self, reason: &FinishReason) -> Choice {
        let reason = self.end.unwrap_or_else(|| reason.clone());
        Choice {
            reason,
            text: self.held.text,
            logprobs: self.held.logprobs,
            message: AssistantMessage::default(),
            malformed: None,
        }
    }
}

/// What a reader gets whose runtime was lost without a word, or whose end has been read before.
pub(crate) fn abandoned() -> Box<Finished> {
    Box::new(Finished {
        id: 0,
        model: String::new(),
        reason: FinishReason::Error(GenerateError::Crashed),
        choices: Vec::new(),
        usage: Usage::default(),
        timings: Timings::default(),
        tags: Vec::new(),
    })
}

/// A request that may not have ended yet, and the means to end it. Whoever is first does: the engine, the timer, a cancel
/// in the queue, a shutdown.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) finisher: Finisher,
}

impl Open {
    /// Ends the request, and says so once: to the counters, to the log, and then to its reader. False if it has ended before.
    pub(crate) fn end(&self, reason: FinishReason) -> bool {
        self.finisher.finish_with(|| {
            let finished = self.ticket.finished(reason, Instant::now());
            self.ticket.span.in_scope(|| log(&finished));
            if let Some(engine) = self.ticket.engine() {
                engine.ended(self.ticket.id, &finished);
            }
            finished
        })
    }
}

fn log(finished: &Finished) {
    tracing::info!(
        target: "llama_runtime::request",
        {
            gen_ai.response.finish_reasons = finished.reason.as_str(),
            gen_ai.usage.input_tokens = finished.usage.prompt,
            gen_ai.usage.output_tokens = finished.usage.generated,
            reused = finished.usage.reused,
            queued = ?finished.timings.queued,
            prompt = ?finished.timings.prompt,
            generation = ?finished.timings.generation,
        },
        "finished"
    );
}
