//! The rows of the table, by what they are about.

mod answer;
mod context;
mod model;
mod sampling;

use super::table::Row;

/// All of them, in the order in which they are shown.
pub(super) const ALL: [&[Row]; 10] = [
    model::MODEL,
    model::HARDWARE,
    context::CONTEXT,
    context::BATCH,
    context::CACHE,
    sampling::SAMPLING,
    answer::ANSWER,
    answer::CHAT,
    answer::REASONING,
    answer::LOG,
];
