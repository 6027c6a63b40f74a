//! How much is computed in a step, and what is kept after it: [`BatchConfig`], [`CacheConfig`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::range::{ConfigError, MAX_TOKENS, MILLISECOND, time, within};
use super::{Bytes, duration};

/// How much is computed in one step of the engine. Running requests come first with one token each; what is left of the
/// step goes to prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BatchConfig {
    /// Most tokens of one step, 1 to 65536, at least [`max_sequences`](Self::max_sequences). More read prompts faster, and
    /// take more memory for buffers. Default: 512.
    pub step_tokens: u32,
    /// How long a step should take while answers are being written, 1 ms to 60 s: prompts are cut so that the estimate
    /// stays below it, and running answers keep their pace. Default: 50 ms.
    #[serde(with = "duration")]
    pub step_time: Duration,
    /// Fewest tokens of a prompt that a step computes even when [`step_time`](Self::step_time) leaves less, 1 to
    /// [`step_tokens`](Self::step_tokens): it keeps long prompts going under load. With fewer than 64 tokens in a step
    /// llama.cpp's attention falls back to a slower kernel on the CPU. Default: 64.
    pub min_chunk: u32,
    /// Most sequences computed together, 1 to 256. More answer more requests at once, each more slowly; the others wait in
    /// the queue. Default: 8.
    pub max_sequences: u32,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self { step_tokens: 512, step_time: Duration::from_millis(50), min_chunk: 64, max_sequences: 8 }
    }
}

impl BatchConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("step_tokens", self.step_tokens, 1..=65_536)?;
        time("step_time", self.step_time, MILLISECOND..=Duration::from_secs(60))?;
        within("min_chunk", self.min_chunk, 1..=self.step_tokens)?;
        within("max_sequences", self.max_sequences, 1..=256)?;
        if self.max_sequences > self.step_tokens {
            let why = format!("a step has room for one token of only {} (batch.step_tokens)", self.step_tokens);
            return Err(ConfigError::conflict("max_sequences", self.max_sequences, why));
        }
        Ok(())
    }
}

/// What is kept of the work of requests that ended, or that had to give way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Whether a prompt that begins like an earlier one is computed only from where they differ. Default: true.
    pub prefix_reuse: bool,
    /// Fewest common tokens that are worth sharing, 1 to 2147483391. Default: 16.
    pub min_prefix: u32,
    /// Most main memory for sequences that were parked, or that left the KV cache and may be asked for again; 0 turns it
    /// off, and such sequences are computed again. Default: 256 MiB.
    pub host_memory: Bytes,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { prefix_reuse: true, min_prefix: 16, host_memory: Bytes::mib(256) }
    }
}

impl CacheConfig {
    /// Any amount of memory is fine.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("min_prefix", self.min_prefix, 1..=MAX_TOKENS)
    }
}
