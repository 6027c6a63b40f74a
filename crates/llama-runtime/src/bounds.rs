//! What of the configuration the scheduler keeps to, which knows no configuration itself: [`EngineConfig::bounds`].

use crate::config::EngineConfig;
use crate::scheduler::Bounds;

/// KV cells, in tokens, that a request without a limit reserves at a time as its answer grows.
const ELASTIC_BLOCK: usize = 256;

impl EngineConfig {
    pub(crate) fn bounds(&self) -> Bounds {
        let tokens = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Bounds {
            max_sequences: tokens(self.batch.max_sequences),
            step_tokens: tokens(self.batch.step_tokens),
            step_time: self.batch.step_time,
            min_chunk: tokens(self.batch.min_chunk),
            min_prefix: tokens(self.cache.min_prefix),
            prefix_reuse: self.cache.prefix_reuse,
            host_memory: usize::try_from(self.cache.host_memory.0).unwrap_or(usize::MAX),
            park_after: self.limits.park_after,
            aging: self.limits.aging,
            elastic_block: ELASTIC_BLOCK,
        }
    }
}
