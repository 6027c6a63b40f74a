//! What the threads around one model share: [`Shared`], with the queue, and the requests that are open.
//!
//! Submitters put requests in, the engine thread takes them out, and whoever cancels one that waits takes it out at once,
//! also while the engine computes. Everything is behind one lock that is held for a few operations on plain data.

mod errands;
mod outside;
mod serve;
mod submit;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::config::{Limits, OverloadPolicy};
use crate::error::GenerateError;
use crate::event::{FinishReason, Finished};
use crate::ids::RequestId;
use crate::job::Job;
use crate::loaded::Loaded;
use crate::memory::Budget;
use crate::queue::WaitQueue;
use crate::stage::Stage;
use crate::start::StartError;
use crate::stats::{Counters, Departures, Pace, Snapshot};
use crate::ticket::Open;
use crate::watch::{TimerKey, Watch};

pub(crate) use errands::Task;
pub(crate) use serve::{Admit, Woken};

/// What an engine does for its model.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// No thread, no memory. The next request starts it.
    Unloaded,
    /// This share of the model is loaded.
    Loading(f32),
    /// Requests are computed.
    Ready(Arc<Loaded>),
    /// It could not be started; the next request tries again.
    Failed(Arc<StartError>),
}

/// Whether new requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    /// What was accepted is finished, and nothing new is taken.
    Draining,
    /// Everything ends now.
    Closed,
}

/// Stops the running step of the engine that is there now; a model's engine comes and goes.
pub(crate) type Abort = Box<dyn Fn() + Send + Sync>;

/// See the module.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    state: Mutex<State>,
    /// Wakes the engine thread.
    wake: Condvar,
    phase: watch::Sender<Phase>,
    /// Told whenever there is a place in the queue.
    pub(crate) place: Notify,
    /// Told whenever no request is open any more.
    pub(crate) quiet: Notify,
    /// Callers that wait for a place in the queue.
    waiting: AtomicUsize,
    abort: Arc<Mutex<Option<Abort>>>,
    pub(crate) stage: Stage<Abort>,
    pub(crate) counters: Counters,
    pub(crate) watch: Arc<Watch>,
    budget: Arc<Budget>,
    policy: OverloadPolicy,
    /// Callers that wait for the model itself.
    awaited: AtomicUsize,
    /// What the engine said of itself last.
    snapshot: Mutex<Snapshot>,
}

#[derive(Debug)]
struct State {
    queue: WaitQueue<Job>,
    /// Places of the queue that belong to requests which are out of it for a moment.
    reserved: usize,
    open: BTreeMap<RequestId, (Open, Vec<TimerKey>)>,
    /// At most [`errands::MAX_ERRANDS`].
    errands: VecDeque<errands::Errand>,
    next_errand: u64,
    door: Door,
    /// The engine has something to look at.
    poked: bool,
    /// Asked to give its memory back when it has nothing to do.
    evict: bool,
    /// When the running step began.
    step: Option<Instant>,
    /// Whether a timer looks after the steps.
    watched: bool,
    /// A step did not come back in time, and has not yet.
    stalled: bool,
    pace: Pace,
    departures: Departures,
}

impl State {
    /// Whether nobody waits for anything.
    fn is_idle(&self) -> bool {
        self.open.is_empty() && self.errands.is_empty()
    }
}

impl Shared {
    pub(crate) fn new(name: Arc<str>, limits: &Limits, watch: Arc<Watch>, budget: Arc<Budget>) -> Arc<Self> {
        let abort: Arc<Mutex<Option<Abort>>> = Arc::default();
        let abort_now = Arc::clone(&abort);
        let stage = Stage::new(Box::new(move || {
            if let Some(abort) = &*abort_now.lock().unwrap_or_else(PoisonError::into_inner) {
                abort();
            }
        }) as Abort);
        Arc::new(Self {
            name,
            state: Mutex::new(State {
                queue: WaitQueue::new(limits.queue, limits.aging),
                reserved: 0,
                open: BTreeMap::new(),
                errands: VecDeque::new(),
                next_errand: 0,
                door: Door::Open,
                poked: false,
                evict: false,
                step: None,
                watched: false,
                stalled: false,
                pace: Pace::default(),
                departures: Departures::default(),
            }),
            wake: Condvar::new(),
            phase: watch::Sender::new(Phase::Unloaded),
            place: Notify::new(),
            quiet: Notify::new(),
            waiting: AtomicUsize::new(0),
            abort,
            stage,
            counters: Counters::default(),
            watch,
            budget,
            policy: limits.overload,
            awaited: AtomicUsize::new(0),
            snapshot: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every critical section leaves the state whole, so a panic of another thread has not damaged it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Moves from a phase without a thread to loading; true for the one caller who has to start it.
    pub(crate) fn begin_loading(&self) -> bool {
        self.phase.send_if_modified(|phase| {
            let idle = matches!(phase, Phase::Unloaded | Phase::Failed(_));
            if idle {
                *phase = Phase::Loading(0.0);
            }
            idle
        })
    }

    /// Moves from loading to a phase without a thread, unless the model is `needed` after all; true if it is not. Whoever needs
    /// it says so before [`begin_loading`](Self::begin_loading), so that it is either seen here or starts a thread itself.
    pub(crate) fn give_up_loading(&self, needed: impl Fn() -> bool) -> bool {
        self.phase.send_if_modified(|phase| {
            let give_up = !needed();
            if give_up {
                *phase = Phase::Unloaded;
            }
            give_up
        })
    }

    /// Stops the running step, whoever is in it: the engine is to end.
    pub(crate) fn abort(&self) {
        if let Some(abort) = &*self.abort.lock().unwrap_or_else(PoisonError::into_inner) {
            abort();
        }
    }

    /// The engine could not be started at all.
    pub(crate) fn fail_to_start(&self, error: &Arc<StartError>) {
        let failed = || GenerateError::NotStarted { model: self.name.to_string(), source: Arc::clone(error) };
        self.end_all(|| FinishReason::Error(failed()));
    }

    /// A request has ended: its timers go, and it is counted.
    pub(crate) fn ended(&self, id: RequestId, finished: &Finished) {
        let (gone, quiet) = {
            let mut state = self.lock();
            state.departures.note(Instant::now());
            (state.open.remove(&id), state.is_idle())
        };
        if quiet {
            self.quiet.notify_waiters();
            // A load may wait for this model to go, or for somebody who wanted the model it loads.
            self.budget.look_again();
        }
        if let Some((_, timers)) = gone {
            self.watch.forget(timers);
        }
        self.counters.finished(finished);
        crate::observe::finished(finished);
    }

    /// Ends every open request, waiting or running, and what waits beside them.
    pub(crate) fn end_all(&self, reason: impl Fn() -> FinishReason) {
        let (open, queued) = {
            let mut state = self.lock();
            let open: Vec<Open> = state.open.values().map(|(open, _)| open.clone()).collect();
            (open, state.queue.drain())
        };
        for open in open {
            open.end(reason());
        }
        self.fail_errands(|| reason().into());
        // Their mailboxes are closed by now.
        drop(queued);
        self.place.notify_waiters();
        self.poke();
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A caller waits for the model until the guard is dropped.
    pub(crate) fn await_model(self: &Arc<Self>) -> Awaiting {
        self.awaited.fetch_add(1, Ordering::SeqCst);
        Awaiting(Arc::clone(self))
    }

    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) > 0
    }

    /// Asks the engine to go when it has nothing to do.
    pub(crate) fn evict(&self) {
        self.lock().evict = true;
        self.wake.notify_all();
    }

    /// Whether a request was accepted and has not ended.
    pub(crate) fn is_open(&self, id: RequestId) -> bool {
        self.lock().open.contains_key(&id)
    }

    /// Whether no request waits or runs, and there is no errand.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    pub(crate) fn shut(&self, door: Door) {
        self.lock().door = door;
        self.wake.notify_all();
        self.place.notify_waiters();
    }

    pub(crate) fn door(&self) -> Door {
        self.lock().door
    }

    /// Waiting requests, their tokens, and all open requests.
    pub(crate) fn depth(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.queue.len(), state.queue.tokens(), state.open.len())
    }
}

/// See [`Shared::await_model`].
#[derive(Debug)]
pub(crate) struct Awaiting(Arc<Shared>);

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::SeqCst);
        // A load that waits for memory may be wanted by nobody now.
        self.0.budget.look_again();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}
