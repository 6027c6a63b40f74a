//! A thread that cancels requests of others: [`Canceller`].

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;

use llama_runtime::CancelHandle;

/// When a request was cancelled.
pub(crate) type Moment = Arc<OnceLock<Instant>>;

/// Cancels each request when its time comes.
pub(crate) struct Canceller {
    inner: Arc<Inner>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Inner {
    due: Mutex<Due>,
    changed: Condvar,
}

#[derive(Default)]
struct Due {
    handles: BTreeMap<(Instant, u64), (CancelHandle, Moment)>,
    next: u64,
    closed: bool,
}

impl Canceller {
    pub(crate) fn start() -> Self {
        let inner = Arc::<Inner>::default();
        let run = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("canceller".to_owned()).spawn(move || run.run()).unwrap();
        Self { inner, thread: Some(thread) }
    }

    /// Cancels at `at`. The moment is set just before.
    pub(crate) fn at(&self, at: Instant, handle: CancelHandle) -> Moment {
        let moment = Moment::default();
        let mut due = self.inner.lock();
        let key = (at, due.next);
        due.next += 1;
        due.handles.insert(key, (handle, Arc::clone(&moment)));
        drop(due);
        self.inner.changed.notify_all();
        moment
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        self.inner.lock().closed = true;
        self.inner.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap()
    }

    fn run(&self) {
        let mut due = self.lock();
        while !due.closed {
            let now = Instant::now();
            let Some((&key, _)) = due.handles.first_key_value() else {
                due = self.changed.wait(due).unwrap();
                continue;
            };
            if key.0 > now {
                due = self.changed.wait_timeout(due, key.0 - now).unwrap().0;
                continue;
            }
            let (handle, moment) = due.handles.remove(&key).unwrap();
            drop(due);
            let _ = moment.set(Instant::now());
            handle.cancel();
            due = self.lock();
        }
    }
}
