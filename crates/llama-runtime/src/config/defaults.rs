//! What a request gets that does not say otherwise: [`Defaults`].

use std::time::Duration;

use llama_core::{SamplerError, SamplingParams};
use serde::{Deserialize, Serialize};

use super::duration;
use super::range::{ConfigError, DAY, MAX_TOKENS, MILLISECOND, time, within};
use crate::priority::Priority;

/// What a request gets that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Defaults {
    /// Most tokens of the answer, 1 to 2147483391. KV cells for them are set aside when the request starts, so a smaller
    /// number lets more requests run together. Default: `None`, up to the limit of the sequence.
    pub max_tokens: Option<usize>,
    /// Longest wait in the queue, 1 ms to 7 days. Default: 60 s.
    #[serde(with = "duration")]
    pub queue_deadline: Duration,
    /// Longest time from submission to the first token, 1 ms to 7 days. Default: `None`, only the total counts.
    #[serde(with = "duration::option")]
    pub first_token_deadline: Option<Duration>,
    /// Longest time from submission to the end, 1 ms to 7 days; what was written until then is delivered. Default: 10 min.
    #[serde(with = "duration")]
    pub total_deadline: Duration,
    /// Who goes first: `"background"`, `"normal"` or `"interactive"`. Default: `"normal"`.
    pub priority: Priority,
    /// How tokens are chosen; ranges and defaults are those of [`SamplingParams`].
    pub sampling: SamplingParams,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            max_tokens: None,
            queue_deadline: Duration::from_secs(60),
            first_token_deadline: None,
            total_deadline: Duration::from_secs(600),
            priority: Priority::default(),
            sampling: SamplingParams::default(),
        }
    }
}

impl Defaults {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("max_tokens", self.max_tokens.unwrap_or(1), 1..=usize::try_from(MAX_TOKENS).unwrap_or(usize::MAX))?;
        time("queue_deadline", self.queue_deadline, MILLISECOND..=7 * DAY)?;
        if let Some(deadline) = self.first_token_deadline {
            time("first_token_deadline", deadline, MILLISECOND..=7 * DAY)?;
        }
        time("total_deadline", self.total_deadline, MILLISECOND..=7 * DAY)?;
        self.sampling.validate().map_err(out_of_range)
    }
}

fn out_of_range(error: SamplerError) -> ConfigError {
    match error {
        SamplerError::InvalidParam { name, value, why } => match why.strip_prefix("has to be ") {
            Some(allowed) => ConfigError::out_of_range(format!("sampling.{name}"), value, allowed),
            None => ConfigError::conflict(format!("sampling.{name}"), value, format!("it {why}")),
        },
        other => ConfigError::conflict("sampling", "set", other.to_string()),
    }
}
