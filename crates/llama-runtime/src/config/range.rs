//! What a value may be: [`ConfigError`] and the checks that make it.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Most threads, as llama.cpp has them.
pub(crate) const MAX_THREADS: u32 = 512;
/// Most tokens of a context: above this, upstream's rounding to 256 cells would overflow.
pub(super) const MAX_TOKENS: u32 = i32::MAX as u32 - 256;

/// Why a configuration cannot be used. Nothing is changed to make it fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value is not one of those that its field takes. Choose another.
    #[error("{field} is {value}, must be {allowed}")]
    OutOfRange {
        /// Path of the field, such as `limits.queue`.
        field: String,
        /// What was set.
        value: String,
        /// What may be set.
        allowed: String,
    },
    /// A value is good in itself but not together with another. Change one of the two.
    #[error("{field} is {value}, but {why}")]
    Conflict {
        /// Path of the field.
        field: String,
        /// What was set.
        value: String,
        /// Which other field it conflicts with, and how.
        why: String,
    },
}

impl ConfigError {
    pub(super) fn out_of_range(field: impl Into<String>, value: impl Display, allowed: impl Into<String>) -> Self {
        Self::OutOfRange { field: field.into(), value: value.to_string(), allowed: allowed.into() }
    }

    pub(super) fn conflict(field: impl Into<String>, value: impl Display, why: impl Into<String>) -> Self {
        Self::Conflict { field: field.into(), value: value.to_string(), why: why.into() }
    }

    /// The same error, seen from the group around it.
    pub(super) fn inside(mut self, group: &str) -> Self {
        match &mut self {
            Self::OutOfRange { field, .. } | Self::Conflict { field, .. } => *field = format!("{group}.{field}"),
        }
        self
    }
}

/// The value is in the range; a float that is no number never is.
pub(super) fn within<T: PartialOrd + Display>(
    field: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::out_of_range(field, value, format!("{} to {}", range.start(), range.end())))
}

/// [`within`] for times.
pub(super) fn time(field: &str, value: Duration, range: RangeInclusive<Duration>) -> Result<(), ConfigError> {
    within(field, Time(value), Time(*range.start())..=Time(*range.end()))
}

#[derive(PartialEq, PartialOrd)]
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::show(self.0))
    }
}
