//! An engine over a [`FakeExecutor`](super::FakeExecutor), with everything around it but a model: [`Bench`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use llama_core::stop::StopSet;
use llama_core::{SamplingParams, Token};

use super::{FakeExecutor, FakeModel, Script};
use crate::config::EngineConfig;
use crate::engine::{Engine, Turn};
use crate::event::{Deadline, Event, Finished};
use crate::executor::{Abilities, Work};
use crate::generation::Generation;
use crate::host::Host;
use crate::ids::RequestId;
use crate::job::{Body, Generate, Job, Ready};
use crate::memory::Budget;
use crate::plan::AdapterKey;
use crate::priority::Priority;
use crate::queue::Entry;
use crate::rejected::Rejected;
use crate::shared::Shared;
use crate::spec::ModelSpec;
use crate::ticket::{Ticket, ends};
use crate::watch::WatchThread;
use crate::writer::Room;

/// Never ends an answer by itself.
pub(crate) const MODEL: FakeModel = FakeModel { vocabulary: 500, end_every: 0 };

/// See the module.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) host: Arc<Host>,
    pub(crate) abilities: Abilities,
    /// What goes wrong.
    pub(crate) script: Script,
    next: AtomicU64,
    /// Last: requests tell it that they have ended.
    _timer: WatchThread,
}

/// What a request of a bench asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) prompt: Vec<i32>,
    pub(crate) most: usize,
    pub(crate) choices: u32,
    pub(crate) stop: Vec<String>,
    pub(crate) priority: Priority,
    pub(crate) total: Option<Duration>,
}

impl Wish {
    /// `most` tokens after a prompt of `len` that begins with `first`.
    pub(crate) fn new(first: i32, len: i32, most: usize) -> Self {
        let prompt = (0..len).map(|place| (first + place * 7) % MODEL.vocabulary).collect();
        Self { prompt, most, choices: 1, stop: Vec::new(), priority: Priority::Normal, total: None }
    }

    fn tokens(&self) -> Vec<Token> {
        self.prompt.iter().copied().map(Token).collect()
    }

    /// What it gets when nothing goes wrong, whatever else runs.
    pub(crate) fn answer(&self) -> String {
        let tokens = MODEL.alone(&self.tokens(), AdapterKey::default(), self.most);
        tokens.into_iter().map(|token| char::from(b'a' + u8::try_from(token.0 % 26).unwrap())).collect()
    }
}

impl Bench {
    pub(crate) fn new(config: EngineConfig) -> Self {
        let timer = WatchThread::start().unwrap();
        let budget = Budget::new(None, 1);
        let shared = Shared::new("fake".into(), &config.limits, Arc::clone(timer.watch()), Arc::clone(&budget));
        let host =
            Host { shared, spec: ModelSpec::path("none.gguf"), config, budget, idle_timeout: None, on_load: None };
        Self {
            host: Arc::new(host),
            abilities: FakeExecutor::small(),
            script: Script::default(),
            next: AtomicU64::new(1),
            _timer: timer,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.host.shared
    }

    /// An engine to be driven by hand.
    pub(crate) fn engine(&self) -> Engine<FakeExecutor> {
        let executor = FakeExecutor::new(self.abilities, MODEL, self.script.clone());
        self.host.engine(executor)
    }

    pub(crate) fn submit(&self, wish: &Wish) -> Result<Generation, Rejected> {
        let shared = self.shared();
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let ticket = Arc::new(Ticket::new(shared, id, (wish.priority, Instant::now()), Vec::new()));
        let work = Work {
            prompt: wish.tokens().into(),
            sampling: SamplingParams::greedy(),
            structure: None,
            grammar_prefix: Vec::new(),
            logprobs: None,
            preserved: Vec::new(),
            specials: false,
            thinking: None,
            adapters: Vec::new(),
        };
        let generate = Generate {
            work: Arc::new(work),
            max_tokens: Some(wish.most),
            choices: wish.choices,
            adapters: AdapterKey::default(),
            stops: StopSet::new(wish.stop.iter().cloned()).unwrap(),
            room: Room { tokens: wish.most, asked_for: true },
            parser: None,
        };
        let capacity = self.host.config.limits.event_buffer;
        let (sender, receiver) = ends(capacity, &ticket);
        let submitted = ticket.submitted;
        let body = Body::Ready(Box::new(Ready::Generate(generate)));
        let item = Job { ticket, sender, body, first_token_within: None };
        let timers = wish.total.map(|total| (submitted + total, Deadline::Total)).into_iter().collect();
        let tokens = wish.prompt.len();
        shared.enqueue(Entry { id, priority: wish.priority, submitted, tokens, item }, timers)?;
        Ok(Generation::new(receiver, id.0, wish.choices as usize))
    }
}

/// Turns until there is nothing to do; says before what time.
pub(crate) fn run(engine: &mut Engine<FakeExecutor>) -> Option<Instant> {
    loop {
        if let Turn::Idle { until } = engine.turn() {
            return until;
        }
    }
}

/// All text, and the one end.
pub(crate) fn read(generation: Generation) -> (String, Finished) {
    let mut text = String::new();
    let mut ends = Vec::new();
    for event in generation.blocking() {
        match event {
            Event::Text(more) => text.push_str(&more),
            Event::Finished(finished) => ends.push(*finished),
            _ => {}
        }
    }
    assert_eq!(ends.len(), 1, "exactly one Finished");
    (text, ends.remove(0))
}
