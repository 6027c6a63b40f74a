//! The memory that all models of a runtime may take together: [`Budget`].
//!
//! Whoever loads a model asks for its share first. If there is not enough, models that have nothing to do are asked to go,
//! the one that was used longest ago first, and the load waits until they have given their memory back.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::shared::Shared;

/// See the module.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Option<u64>,
    max_models: usize,
    state: Mutex<Vec<Holder>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Holder {
    engine: Weak<Shared>,
    bytes: u64,
    used: Instant,
}

/// A model has its share until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    engine: Weak<Shared>,
}

/// Why there is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoShare {
    /// More than all there is.
    #[error("the model needs about {needed} bytes, and all models together may take {limit}; see `memory_budget`")]
    TooLarge {
        /// Bytes of the model and its context.
        needed: u64,
        /// The budget.
        limit: u64,
    },
    /// Nobody waits for the model any more.
    #[error("nobody waits for the model any more")]
    GivenUp,
}

impl Budget {
    pub(crate) fn new(limit: Option<u64>, max_models: usize) -> Arc<Self> {
        Arc::new(Self { limit, max_models, state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Holder>> {
        // Every critical section leaves the list whole, so a panic of another thread has not damaged it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a limit, so that it matters what a model takes.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Waits until `bytes` can be had for `engine`, evicting idle models. `wanted` tells whether somebody still waits; it is
    /// asked whenever [`Budget::look_again`] is called.
    pub(crate) fn take(
        self: &Arc<Self>,
        engine: &Arc<Shared>,
        bytes: u64,
        wanted: impl Fn() -> bool,
    ) -> Result<Share, NoShare> {
        let limit = self.limit.unwrap_or(u64::MAX);
        if bytes > limit {
            return Err(NoShare::TooLarge { needed: bytes, limit });
        }
        let mut holders = self.lock();
        loop {
            let used: u64 = holders.iter().map(|holder| holder.bytes).sum();
            if used.saturating_add(bytes) <= limit && holders.len() < self.max_models {
                break;
            }
            if !wanted() {
                return Err(NoShare::GivenUp);
            }
            let mut idle: Vec<_> = holders
                .iter()
                .filter_map(|holder| Some((holder.used, holder.engine.upgrade()?)))
                .filter(|(_, engine)| engine.is_idle())
                .collect();
            idle.sort_by_key(|(used, _)| *used);
            if let Some((_, engine)) = idle.first() {
                engine.evict();
            }
            holders = self.changed.wait(holders).unwrap_or_else(PoisonError::into_inner);
        }
        let engine = Arc::downgrade(engine);
        holders.push(Holder { engine: Weak::clone(&engine), bytes, used: Instant::now() });
        Ok(Share { budget: Arc::clone(self), engine })
    }

    /// Something that a waiting load depends on has changed: a model went idle, or nobody waits any more.
    pub(crate) fn look_again(&self) {
        // Taken, so that a load that has just looked is waiting by now.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Bytes of all models that are loaded or being loaded.
    pub(crate) fn used(&self) -> u64 {
        self.lock().iter().map(|holder| holder.bytes).sum()
    }
}

impl Share {
    /// What the model really takes, now that it is there.
    pub(crate) fn measured(&self, bytes: u64) {
        for holder in self.budget.lock().iter_mut().filter(|holder| Weak::ptr_eq(&holder.engine, &self.engine)) {
            holder.bytes = bytes;
        }
    }

    /// The model has just been used.
    pub(crate) fn touch(&self) {
        for holder in self.budget.lock().iter_mut().filter(|holder| Weak::ptr_eq(&holder.engine, &self.engine)) {
            holder.used = Instant::now();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.lock().retain(|holder| !Weak::ptr_eq(&holder.engine, &self.engine));
        self.budget.changed.notify_all();
    }
}
