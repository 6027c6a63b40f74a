//! What is refused, and when waiting ends: [`Limits`], [`OverloadPolicy`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use super::range::{ConfigError, DAY, MAX_TOKENS, MILLISECOND, time, within};

/// What happens to a request when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverloadPolicy {
    /// It is refused at once, with an estimate of when to try again.
    #[default]
    Reject,
    /// Whoever submits it waits for a place, at most for its queue deadline.
    Wait,
    /// It takes the place of the youngest waiting request of the lowest priority, which ends as shed; if none has a lower
    /// priority than its own, it is refused.
    ShedLowest,
}

/// What an engine refuses, and how long it waits for others. Every queue and buffer has its bound here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Most requests that wait, 1 to 65536; running ones do not count. Default: 64.
    pub queue: usize,
    /// What happens when the queue is full: `"reject"`, `"wait"` or `"shed_lowest"`. Default: `"reject"`.
    pub overload: OverloadPolicy,
    /// Most unread events of one request, 1 to 65536; a token is one event as a rule, so this also bounds the text that nobody
    /// has read. A full buffer pauses its own request and no other. Default: 1024.
    pub event_buffer: usize,
    /// A paused request whose reader leaves no room for so long gives its KV cells away when others need them, 0 to 1 day;
    /// 0 gives them away at once. At most [`slow_consumer_timeout`](Self::slow_consumer_timeout). Default: 2 s.
    #[serde(with = "duration")]
    pub park_after: Duration,
    /// A request whose reader leaves no room for so long is ended, 1 ms to 1 day. Default: 30 s.
    #[serde(with = "duration")]
    pub slow_consumer_timeout: Duration,
    /// A step that takes longer than this is stopped and fails all requests, 1 ms to 1 day; it has to be longer than the slowest
    /// step that still makes progress. Default: 60 s.
    #[serde(with = "duration")]
    pub stall_timeout: Duration,
    /// Most tokens of a prompt, 1 to 2147483391; a longer one is refused when it is submitted. Default: `None`, what the
    /// KV cache can hold.
    pub max_prompt_tokens: Option<u32>,
    /// Most tokens of prompt and answer of one sequence, 1 to 2147483391; answers end there. Default: `None`, what the KV
    /// cache can hold.
    pub max_sequence_tokens: Option<u32>,
    /// Most answers to one request, 1 to 256. Default: 16.
    pub max_choices: u32,
    /// A request that waits, or had to give way, counts as one priority higher after each such time, 1 ms to 1 day, so that the lowest ones are
    /// served too while higher ones keep coming. Default: 10 s.
    #[serde(with = "duration")]
    pub aging: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 64,
            overload: OverloadPolicy::default(),
            event_buffer: 1024,
            park_after: Duration::from_secs(2),
            slow_consumer_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            max_prompt_tokens: None,
            max_sequence_tokens: None,
            max_choices: 16,
            aging: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("queue", self.queue, 1..=65_536)?;
        within("event_buffer", self.event_buffer, 1..=65_536)?;
        time("park_after", self.park_after, Duration::ZERO..=DAY)?;
        time("slow_consumer_timeout", self.slow_consumer_timeout, MILLISECOND..=DAY)?;
        time("stall_timeout", self.stall_timeout, MILLISECOND..=DAY)?;
        within("max_prompt_tokens", self.max_prompt_tokens.unwrap_or(1), 1..=MAX_TOKENS)?;
        within("max_sequence_tokens", self.max_sequence_tokens.unwrap_or(1), 1..=MAX_TOKENS)?;
        within("max_choices", self.max_choices, 1..=256)?;
        time("aging", self.aging, MILLISECOND..=DAY)?;
        if self.park_after > self.slow_consumer_timeout {
            let why = "must not be more than limits.slow_consumer_timeout, which ends the request";
            return Err(ConfigError::conflict("park_after", duration::show(self.park_after), why));
        }
        Ok(())
    }
}
