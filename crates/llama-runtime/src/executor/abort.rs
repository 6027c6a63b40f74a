//! Stopping what an executor computes, from another thread: [`AbortSwitch`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llama_core::{AbortHandle, Context};

/// Stops the steps of one executor, from any thread. Cheap to clone; harmless after the executor is gone.
///
/// It outlives the contexts: an executor makes a new one after a failure, and one for embeddings when it is first needed.
/// An abort holds up to the next [`clear_abort`](super::Executor::clear_abort), for contexts made in between as well.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortSwitch {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    aborted: bool,
    handles: Vec<AbortHandle>,
}

impl AbortSwitch {
    /// Asks the executor to stop.
    pub(crate) fn abort(&self) {
        let mut inner = self.lock();
        inner.aborted = true;
        inner.handles.iter().for_each(AbortHandle::abort);
    }

    /// Whether the executor was asked to stop and has not been told to go on since.
    #[cfg(test)]
    pub(crate) fn is_aborted(&self) -> bool {
        self.lock().aborted
    }

    /// Forgets an abort. `contexts` are all there are now: they are told, and from now on they are what is stopped.
    pub(crate) fn clear<'c>(&self, contexts: impl Iterator<Item = &'c mut Context>) {
        let mut inner = self.lock();
        inner.aborted = false;
        inner.handles.clear();
        for context in contexts {
            context.clear_abort();
            inner.handles.push(context.abort_handle());
        }
    }

    /// Stops this context as well, at once if an abort holds.
    pub(super) fn attach(&self, context: &Context) {
        let mut inner = self.lock();
        let handle = context.abort_handle();
        if inner.aborted {
            handle.abort();
        }
        inner.handles.push(handle);
    }

    /// What is in there is right after every line, so a panic elsewhere did not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
