//! Measuring for the benchmarks: one loop against another in the same run.
//!
//! What counts is a ratio, never a figure in seconds: both sides see the same machine, the same minute, the same noise.
//! [`Plan::measure`] interleaves the loops, [`Ratio`] says how sure the result is, [`Options`] are the command line.

mod clock;
// Here, so that its tests are tests: a benchmark has a `main` and no tests.
#[path = "../compare/compare.rs"]
pub mod compare;
mod interleave;
pub mod models;
pub mod neighbour;
mod options;
mod percentiles;
mod ratio;
pub mod raw;
mod report;
mod rounds;

pub use clock::{Spent, time, time_all_threads};
pub use interleave::{Block, Contender, Measured, Plan, calibrate};
pub use options::{Options, UsageError};
pub use percentiles::Percentiles;
pub use ratio::Ratio;
pub use report::{TARGET, Verdict, load_warning, print_ratios};
pub use rounds::{Piece, Samples, rounds, rounds_by_both};

/// What a benchmark fails with: shown to a person, never matched on.
pub type Failure = Box<dyn std::error::Error>;
