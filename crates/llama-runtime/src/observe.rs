//! Where something is counted: the module `metrics` if that feature is on, and nowhere if not.

#[cfg(feature = "metrics")]
pub(crate) use crate::metrics::{accepted, engine, finished, rejected, step};
#[cfg(not(feature = "metrics"))]
pub(crate) use nowhere::{accepted, engine, finished, rejected, step};

#[cfg(not(feature = "metrics"))]
mod nowhere {
    use std::time::Duration;

    use crate::event::Finished;
    use crate::rejected::Rejected;
    use crate::stats::Snapshot;

    pub(crate) fn accepted(_: &str) {}
    pub(crate) fn rejected(_: &str, _: &Rejected) {}
    pub(crate) fn finished(_: &Finished) {}
    pub(crate) fn step(_: &str, _: Duration) {}
    pub(crate) fn engine(_: &str, _: usize, _: &Snapshot) {}
}
