//! What holds whatever happens: one module for each promise of the runtime. Failures of the backend itself are provoked in
//! the unit tests of the engine and of its thread, over an executor that fails when it is told to.

mod cancels;
mod deadlines;
mod ends;
mod failures;
mod memory;
mod queues;
mod readers;
mod same_tokens;
