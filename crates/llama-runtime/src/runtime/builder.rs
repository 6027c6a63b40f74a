//! Describing a runtime: [`RuntimeBuilder`].

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use llama_core::Progress;

use super::{Model, Runtime};
use crate::config::{EngineConfig, Limits, RuntimeConfig};
use crate::host::Host;
use crate::memory::Budget;
use crate::shared::Shared;
use crate::spec::ModelSpec;
use crate::start::{OnLoad, StartError};
use crate::watch::WatchThread;

/// Describes a [`Runtime`]: its models, and how their engines work.
///
/// ```
/// # fn main() -> Result<(), llama_runtime::StartError> {
/// # let path = llama_testkit::fixtures::tiny_llama();
/// use llama_runtime::{ModelSpec, Runtime};
///
/// let runtime = Runtime::builder().model("default", ModelSpec::path(path)).build_blocking()?;
/// assert!(runtime.info(None).is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "it does nothing until it is built"]
pub struct RuntimeBuilder {
    models: Vec<(String, ModelSpec)>,
    config: RuntimeConfig,
    on_load: Option<OnLoad>,
}

impl RuntimeBuilder {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a model under a name of its own. The first is the one that requests mean which name none. There can be more than
    /// [`max_models`](crate::RuntimeConfig::max_models): those that nobody uses make room for others.
    pub fn model(mut self, name: impl Into<String>, spec: ModelSpec) -> Self {
        self.models.push((name.into(), spec));
        self
    }

    /// Sets everything that can be configured.
    pub fn config(mut self, config: RuntimeConfig) -> Self {
        self.config = config;
        self
    }

    /// Sets how the engines of all models work that have no configuration of their own.
    pub fn engine(mut self, engine: EngineConfig) -> Self {
        self.config.engine = engine;
        self
    }

    /// Sets the bounds of those engines.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.engine.limits = limits;
        self
    }

    /// Hears the name of a model and the share of it that is loaded, from 0.0 to 1.0, on its engine's thread.
    /// [`Progress::Cancel`] gives up the load.
    pub fn on_load(mut self, call: impl Fn(&str, f32) -> Progress + Send + Sync + 'static) -> Self {
        self.on_load = Some(OnLoad::new(call));
        self
    }

    /// Starts the runtime, and returns when all models are loaded that are not [on demand](ModelSpec::on_demand).
    ///
    /// # Errors
    ///
    /// [`StartError`]; no thread and no memory stay behind.
    pub async fn build(self) -> Result<Runtime, StartError> {
        let runtime = self.assemble()?;
        for model in &runtime.models {
            if !model.host.spec.is_on_demand() {
                runtime.load(Some(&model.host.shared.name)).await?;
            }
        }
        Ok(runtime)
    }

    /// [`build`](Self::build) for a thread.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn build_blocking(self) -> Result<Runtime, StartError> {
        crate::blocking::block_on(self.build())
    }

    fn assemble(self) -> Result<Runtime, StartError> {
        if self.models.is_empty() {
            return Err(StartError::NoModel);
        }
        self.config.validate()?;
        let timer = WatchThread::start().map_err(StartError::Thread)?;
        let budget = Budget::new(self.config.memory_budget.map(|bytes| bytes.0), self.config.max_models);
        let mut models: Vec<Model> = Vec::new();
        for (name, spec) in self.models {
            if models.iter().any(|model| *model.host.shared.name == *name) {
                return Err(StartError::DuplicateModel { name });
            }
            if let Some(adapter) = spec.adapter_named_twice() {
                return Err(StartError::DuplicateAdapter { model: name, name: adapter.to_owned() });
            }
            let config = spec.own_config().cloned().unwrap_or_else(|| self.config.engine.clone());
            config.validate()?;
            let shared = Shared::new(name.into(), &config.limits, Arc::clone(timer.watch()), Arc::clone(&budget));
            let host = Arc::new(Host {
                shared,
                spec,
                config,
                budget: Arc::clone(&budget),
                idle_timeout: self.config.idle_timeout,
                on_load: self.on_load.clone(),
            });
            models.push(Model { host, thread: Mutex::new(None) });
        }
        Ok(Runtime { models, budget, next: AtomicU64::new(1), timer })
    }
}
