//! Masks off the engine's thread: [`MaskWorker`].
//!
//! After a token is accepted its guide goes to the worker, which computes the next mask while llama.cpp decodes; when the
//! engine samples it takes the guide back. If the worker has not come to it yet the engine takes it and computes the
//! mask itself, so it never waits behind the masks of other sequences.
//!
//! Whether that pays depends on the structure. Measured over 150 000 tokens (`tests/speed`, one busy core): under an object
//! with strings and numbers half of the masks take less than 8 us and 99 of 100 less than 60 us; under a pattern with a
//! length half take 0.6 ms and one in a hundred 13 ms, which is as much as a decode. To hand a guide over and take it
//! back costs 5 to 20 us, mostly to wake the thread. So a guide whose last mask took less than [`INLINE`] stays where it
//! is, and its next mask is computed when it is asked for; neighbouring masks cost alike. After its first token, when
//! nothing is known of it, a guide is handed over.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::mask::{Guide, GuideError, what_panicked};

/// A guide whose last mask took less is not handed over.
const INLINE: Duration = Duration::from_micros(50);

/// What the worker does with a guide; another function only in tests.
type Work = fn(&mut Guide);

/// One thread that computes masks, and a queue to it that never holds more than its bound. Dropping it ends the thread
/// after the mask that it is at; guides still in the queue are computed by those that take them.
#[derive(Debug)]
pub(crate) struct MaskWorker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    bound: usize,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Arc<Job>>,
    closed: bool,
}

#[derive(Debug)]
struct Job {
    state: Mutex<State>,
    done: Condvar,
    work: Work,
}

#[derive(Debug)]
enum State {
    Waiting(Box<Guide>),
    Working,
    Done(Result<Box<Guide>, GuideError>),
    /// Given back, or no longer wanted.
    Gone,
}

impl MaskWorker {
    /// Starts the thread. `bound` is the number of sequences: each has at most one guide here.
    ///
    /// # Errors
    ///
    /// The system's, if there is no thread to be had.
    pub(crate) fn start(bound: usize) -> std::io::Result<Self> {
        let queue = Mutex::new(Queue::default());
        let shared = Arc::new(Shared { queue, wake: Condvar::new(), bound });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("llama-masks".to_owned()).spawn(move || theirs.serve())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Sees to it that the guide's mask is there when the guide is taken back, as far as that pays. Never blocks: a guide
    /// that finds the queue full stays, and its mask is computed when it is asked for.
    pub(crate) fn prepare(&self, guide: Box<Guide>) -> Prepared {
        let slow = guide.last_mask_took().is_none_or(|took| took >= INLINE);
        if slow && !guide.has_mask() && !guide.is_error() && !guide.must_end() {
            self.hand_over(guide, |guide| drop(guide.mask().map(|_| ())))
        } else {
            Prepared { place: Place::Here(guide) }
        }
    }

    fn hand_over(&self, guide: Box<Guide>, work: Work) -> Prepared {
        let mut queue = lock(&self.shared.queue);
        if queue.closed || queue.jobs.len() >= self.shared.bound {
            return Prepared { place: Place::Here(guide) };
        }
        let job = Arc::new(Job { state: Mutex::new(State::Waiting(guide)), done: Condvar::new(), work });
        queue.jobs.push_back(Arc::clone(&job));
        drop(queue);
        self.shared.wake.notify_one();
        Prepared { place: Place::Away(job) }
    }
}

impl Drop for MaskWorker {
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // The worker's panics are answered per job; there is nobody here to tell of one outside.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self) {
        while let Some(job) = self.next() {
            job.run();
        }
    }

    fn next(&self) -> Option<Arc<Job>> {
        let queue = lock(&self.queue);
        let idle = |queue: &mut Queue| queue.jobs.is_empty() && !queue.closed;
        let mut queue = self.wake.wait_while(queue, idle).unwrap_or_else(PoisonError::into_inner);
        if queue.closed { None } else { queue.jobs.pop_front() }
    }
}

impl Job {
    fn run(&self) {
        let mut state = lock(&self.state);
        let mut guide = match std::mem::replace(&mut *state, State::Working) {
            State::Waiting(guide) => guide,
            other => {
                *state = other;
                return;
            }
        };
        drop(state);
        let work = self.work;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            work(&mut guide);
            guide
        }));
        let result = result.map_err(|panic| GuideError::Broken { reason: what_panicked(&*panic) });
        *lock(&self.state) = State::Done(result);
        self.done.notify_one();
    }
}

/// A guide on its way to its next mask. Dropping it takes it out of the queue.
#[derive(Debug)]
pub(crate) struct Prepared {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Here(Box<Guide>),
    Away(Arc<Job>),
    Taken,
}

impl Prepared {
    /// The guide, with its mask if the worker had it. Waits only for a mask that is being computed right now, which the
    /// limits of a structure keep to tens of milliseconds.
    ///
    /// # Errors
    ///
    /// [`GuideError::Broken`] if computing the mask panicked.
    pub(crate) fn take(mut self) -> Result<Box<Guide>, GuideError> {
        match std::mem::replace(&mut self.place, Place::Taken) {
            Place::Here(guide) => Ok(guide),
            Place::Taken => Err(GuideError::WorkerEnded),
            Place::Away(job) => {
                let state = lock(&job.state);
                let working = |state: &mut State| matches!(state, State::Working);
                let mut state = job.done.wait_while(state, working).unwrap_or_else(PoisonError::into_inner);
                match std::mem::replace(&mut *state, State::Gone) {
                    State::Waiting(guide) => Ok(guide),
                    State::Done(result) => result,
                    State::Working | State::Gone => Err(GuideError::WorkerEnded),
                }
            }
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Place::Away(job) = &self.place {
            let mut state = lock(&job.state);
            if matches!(*state, State::Waiting(_)) {
                *state = State::Gone;
            }
        }
    }
}

/// What a panic left is whole: nothing that can panic runs while a lock is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use llama_core::Token;

    use super::*;
    use crate::structure::tests::{bytes, guide};

    fn compute(guide: &mut Guide) {
        assert!(guide.mask().is_ok());
    }

    #[test]
    fn a_guide_comes_back_with_its_mask() {
        let worker = MaskWorker::start(4).unwrap();
        let (mut near, mut far) = (guide(&bytes(), "[ab]{3}"), guide(&bytes(), "[ab]{3}"));
        for guide in [&mut near, &mut far] {
            guide.accept(Token(12 + i32::from(b'a'))).unwrap();
            assert!(!guide.has_mask());
        }
        let expected = near.mask().unwrap().clone();
        let mut back = worker.prepare(Box::new(far)).take().unwrap();
        assert_eq!(back.mask().unwrap(), &expected);
    }

    #[test]
    fn the_queue_never_holds_more_than_its_bound() {
        let (worker, release) = blocked_worker(1);
        let first = worker.hand_over(Box::new(guide(&bytes(), "a")), compute);
        let second = worker.hand_over(Box::new(guide(&bytes(), "b")), compute);
        assert!(matches!(first.place, Place::Away(_)));
        assert!(matches!(second.place, Place::Here(_)));
        // Neither waits, though the worker is stuck.
        assert!(first.take().is_ok() && second.take().is_ok());
        drop(release);
    }

    #[test]
    fn a_dropped_guide_is_not_computed() {
        let (worker, release) = blocked_worker(2);
        let unwanted = worker.hand_over(Box::new(guide(&bytes(), "a")), |_| unreachable!("it was dropped"));
        drop(unwanted);
        let wanted = worker.hand_over(Box::new(guide(&bytes(), "a")), compute);
        drop(release);
        assert!(wanted.take().is_ok());
        assert!(worker.thread.as_ref().is_some_and(|thread| !thread.is_finished()));
    }

    #[test]
    fn a_panic_is_that_guides_error_and_the_worker_goes_on() {
        let worker = MaskWorker::start(2).unwrap();
        let broken = worker.hand_over(Box::new(guide(&bytes(), "a")), |_| panic!("as the test wants"));
        // Taken back before the worker came to it, it would be whole.
        let state = lock(away(&broken));
        let working = |state: &mut State| matches!(state, State::Waiting(_) | State::Working);
        drop(done(&broken).wait_while(state, working).unwrap());
        let error = broken.take().unwrap_err();
        assert_eq!(error, GuideError::Broken { reason: "as the test wants".into() });
        assert!(worker.prepare(Box::new(guide(&bytes(), "a"))).take().unwrap().mask().is_ok());
    }

    #[test]
    fn the_end_of_the_worker_loses_no_guide() {
        let (worker, release) = blocked_worker(2);
        let waiting = worker.hand_over(Box::new(guide(&bytes(), "a")), compute);
        drop(release);
        drop(worker);
        assert!(waiting.take().unwrap().mask().is_ok());
    }

    fn away(prepared: &Prepared) -> &Mutex<State> {
        match &prepared.place {
            Place::Away(job) => &job.state,
            _ => unreachable!("it was handed over"),
        }
    }

    fn done(prepared: &Prepared) -> &Condvar {
        match &prepared.place {
            Place::Away(job) => &job.done,
            _ => unreachable!("it was handed over"),
        }
    }

    /// A worker that is held up until the returned value is dropped.
    fn blocked_worker(bound: usize) -> (MaskWorker, std::sync::mpsc::SyncSender<()>) {
        use std::sync::mpsc::Receiver;
        static NEXT: Mutex<Option<(std::sync::mpsc::SyncSender<()>, Receiver<()>)>> = Mutex::new(None);
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = lock(&ONE_AT_A_TIME);
        let (started, has_started) = sync_channel(1);
        let (release, held) = sync_channel(1);
        *lock(&NEXT) = Some((started, held));
        let worker = MaskWorker::start(bound).unwrap();
        let blocker = worker.hand_over(Box::new(guide(&bytes(), "a")), |_| {
            let taken = lock(&NEXT).take();
            let Some((started, held)) = taken else { return };
            started.send(()).unwrap();
            // Ends when the other side is dropped.
            assert!(held.recv().is_err());
        });
        has_started.recv().unwrap();
        drop(blocker);
        (worker, release)
    }
}
