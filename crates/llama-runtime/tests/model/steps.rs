//! A cancel aborts the step that computes its request, and no other.

use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::check;
use crate::mailbox::{Canceller, Listener, Receiver, Sender, mailbox};
use crate::stage::Stage;

/// An abort holds for what the context does now, up to the next time it is cleared.
#[derive(Debug, Default)]
struct Backend {
    current: AtomicU64,
    /// One more than what `current` was at the last abort.
    aborted: AtomicU64,
}

impl Backend {
    fn abort(&self) {
        self.aborted.store(self.current.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    }

    fn clear_abort(&self) {
        self.current.fetch_add(1, Ordering::SeqCst);
    }

    fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::SeqCst) == self.current.load(Ordering::SeqCst) + 1
    }
}

type Abort = Box<dyn Fn() + Send + Sync>;

/// Passes a cancel on to the step that computes its request.
struct Caller {
    id: u64,
    stage: Arc<Stage<Abort>>,
}

impl Listener for Caller {
    fn cancelled(&self) {
        self.stage.abort_if_running(self.id);
    }

    fn room(&self) {}
}

struct Request {
    id: u64,
    sender: Sender<(), (), Caller>,
    /// `cancel` has returned: from now on nobody has an excuse.
    returned: Arc<AtomicBool>,
}

/// What the caller of a request has.
struct Call {
    canceller: Canceller<(), (), Caller>,
    /// Dropping it would cancel.
    receiver: Receiver<(), (), Caller>,
    returned: Arc<AtomicBool>,
}

struct Engine {
    backend: Arc<Backend>,
    stage: Arc<Stage<Abort>>,
    requests: Vec<Request>,
}

impl Engine {
    fn start() -> Self {
        let backend = Arc::new(Backend::default());
        let aborts = Arc::clone(&backend);
        let stage = Arc::new(Stage::new(Box::new(move || aborts.abort()) as Abort));
        Self { backend, stage, requests: Vec::new() }
    }

    fn submit(&mut self) -> Call {
        let id = self.requests.len() as u64;
        let (sender, receiver) = mailbox(1, || (), Arc::new(Caller { id, stage: Arc::clone(&self.stage) }));
        let returned = Arc::new(AtomicBool::new(false));
        self.requests.push(Request { id, sender, returned: Arc::clone(&returned) });
        Call { canceller: receiver.canceller(), receiver, returned }
    }

    /// Computes those of `ids` that are not cancelled, as one step.
    fn step(&self, ids: &[usize]) {
        let requests: Vec<&Request> = ids.iter().map(|&id| &self.requests[id]).collect();
        self.backend.clear_abort();
        let on_stage = self.stage.begin(requests.iter().map(|request| request.id));
        if requests.iter().any(|request| request.sender.is_cancelled()) {
            return;
        }
        for _ in 0..3 {
            let returned = requests.iter().any(|request| request.returned.load(Ordering::SeqCst));
            if self.backend.is_aborted() {
                break;
            }
            assert!(!returned, "a cancel of a request of this step was lost");
        }
        drop(on_stage);
        // In this order: nothing can abort this step any more, and what did was cancelled before.
        let aborted = self.backend.is_aborted();
        let cancelled = requests.iter().any(|request| request.sender.is_cancelled());
        assert!(cancelled || !aborted, "a cancel hit a step without its request");
    }
}

#[test]
fn a_cancel_stops_its_step_and_only_that() {
    check(|| {
        let mut engine = Engine::start();
        let cancelled: Vec<_> = (0..2).map(|_| engine.submit()).collect();
        let spared = engine.submit();
        let threads: Vec<_> = cancelled
            .into_iter()
            .map(|call| {
                thread::spawn(move || {
                    call.canceller.cancel();
                    call.returned.store(true, Ordering::SeqCst);
                    drop(call.receiver);
                })
            })
            .collect();
        let engine = thread::spawn(move || {
            for ids in [&[0][..], &[2], &[0, 1], &[2], &[1]] {
                engine.step(ids);
            }
            assert!(!engine.requests[2].sender.is_cancelled());
            engine
        });
        for thread in threads {
            thread.join().unwrap();
        }
        let engine = engine.join().unwrap();
        for id in [0, 1] {
            assert!(engine.requests[id].sender.is_cancelled());
        }
        drop(spared);
    });
}

#[test]
fn an_abort_is_asked_for_while_its_step_runs() {
    check(|| {
        let running = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (running_at_abort, seen_at_abort) = (Arc::clone(&running), Arc::clone(&seen));
        let stage = Arc::new(Stage::new(move || {
            let running = running_at_abort.load(Ordering::SeqCst);
            seen_at_abort.lock().unwrap().push(running);
        }));
        let on_stage = Arc::clone(&stage);
        let canceller = thread::spawn(move || on_stage.abort_if_running(7));
        running.store(true, Ordering::SeqCst);
        drop(stage.begin([7]));
        running.store(false, Ordering::SeqCst);
        let aborted = canceller.join().unwrap();
        assert_eq!(*seen.lock().unwrap(), if aborted { vec![true] } else { vec![] });
    });
}
