//! What a person can set: the types that a configuration file is read into, and what each value may be.
//!
//! Nothing here reads a file or a variable, and nothing is used before [`RuntimeConfig::validate`] or
//! [`EngineConfig::validate`] has seen it. A key that does not exist is an error, and so is a value out of its range: no
//! value is moved to the nearest one that would do.
//!
//! Every field has a default, so a file says only what differs. Times are written `"250ms"`, `"30s"`, `"5m"`, or as a
//! number of seconds; sizes are written `"512MiB"`, `"2GB"`, or as a number of bytes. What is optional is left out to be
//! off.
//!
//! ```
//! use llama_runtime::{EngineConfig, OverloadPolicy};
//! use std::time::Duration;
//!
//! let config: EngineConfig = toml::from_str(r#"
//!     [model]
//!     gpu_layers = 20
//!
//!     [context]
//!     n_ctx = 16384
//!     cache_k = "q8_0"
//!
//!     [limits]
//!     queue = 256
//!     overload = "shed_lowest"
//!     slow_consumer_timeout = "10s"
//!
//!     [defaults]
//!     max_tokens = 1024
//!     priority = "interactive"
//!     sampling = { temperature = 0.6, top_p = 0.9 }
//! "#)?;
//! config.validate()?;
//! assert_eq!(config.limits.overload, OverloadPolicy::ShedLowest);
//! assert_eq!(config.limits.slow_consumer_timeout, Duration::from_secs(10));
//! assert_eq!(config.batch.max_sequences, 8, "not named, so the default");
//!
//! let error = toml::from_str::<EngineConfig>("limits.queue = 0")?.validate().unwrap_err();
//! assert_eq!(error.to_string(), "limits.queue is 0, must be 1 to 65536");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bytes;
mod context;
mod defaults;
mod duration;
mod limits;
mod model;
mod quantity;
mod range;
mod schedule;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use bytes::{Bytes, ParseBytesError};
pub use context::ContextConfig;
pub use defaults::Defaults;
pub use limits::{Limits, OverloadPolicy};
pub(crate) use model::CHATML;
pub use model::ModelConfig;
pub use range::ConfigError;
pub(crate) use range::MAX_THREADS;
pub use schedule::{BatchConfig, CacheConfig};

use range::{DAY, SECOND, time, within};

/// Several models in one process. Start from `default()` and assign, or read it from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RuntimeConfig {
    /// Most memory that all loaded models take together, weights, caches and buffers, at least 1 MiB. A model that does
    /// not fit beside the others makes idle ones leave, and is refused if that is not enough. Default: `None`, no limit.
    pub memory_budget: Option<Bytes>,
    /// A model that had no request for so long is unloaded, 1 s to 30 days; the next request loads it again.
    /// Default: `None`, a model stays until its memory is needed.
    #[serde(with = "duration::option")]
    pub idle_timeout: Option<Duration>,
    /// Most models loaded at the same time, 1 to 64. One more makes the idle one leave that was used least recently.
    /// Default: 4.
    pub max_models: usize,
    /// How the engine of each model works that has no configuration of its own.
    pub engine: EngineConfig,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { memory_budget: None, idle_timeout: None, max_models: 4, engine: EngineConfig::default() }
    }
}

impl RuntimeConfig {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// The first value that cannot be used, by its path such as `engine.limits.queue`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(budget) = self.memory_budget {
            within("memory_budget", budget, Bytes::mib(1)..=Bytes(u64::MAX))?;
        }
        if let Some(timeout) = self.idle_timeout {
            time("idle_timeout", timeout, SECOND..=30 * DAY)?;
        }
        within("max_models", self.max_models, 1..=64)?;
        self.engine.validate().map_err(|error| error.inside("engine"))
    }
}

/// One model: how it is loaded, and how its engine serves requests. Start from `default()` and assign, or read it from a
/// file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EngineConfig {
    /// How the weights are loaded.
    pub model: ModelConfig,
    /// How the KV cache and the computation are set up.
    pub context: ContextConfig,
    /// How much is computed in one step.
    pub batch: BatchConfig,
    /// What is kept of finished and parked requests.
    pub cache: CacheConfig,
    /// What is refused, and when waiting ends.
    pub limits: Limits,
    /// What a request gets that does not say otherwise.
    pub defaults: Defaults,
}

impl EngineConfig {
    /// Checks every value, and those that have to fit each other.
    ///
    /// # Errors
    ///
    /// The first value that cannot be used, by its path such as `limits.queue`.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.model.check().map_err(|error| error.inside("model"))?;
        self.context.check().map_err(|error| error.inside("context"))?;
        self.batch.check().map_err(|error| error.inside("batch"))?;
        self.cache.check().map_err(|error| error.inside("cache"))?;
        self.limits.check().map_err(|error| error.inside("limits"))?;
        self.defaults.check().map_err(|error| error.inside("defaults"))?;
        if self.batch.step_time >= self.limits.stall_timeout {
            let why = "must be less than limits.stall_timeout, or every step would count as stalled";
            return Err(ConfigError::conflict("batch.step_time", duration::show(self.batch.step_time), why));
        }
        Ok(())
    }
}
