//! Which model: [`ModelSpec`].

use std::fmt;
use std::path::{Path, PathBuf};

use llama_core::gguf::GgufFile;
use llama_core::{ContextParams, LoadError, MemoryPlan, Model, ModelParams, Progress};

use crate::config::EngineConfig;
use crate::threads::ThreadCounts;

/// Where a model comes from, what belongs to it, and how its engine works. Cheap to clone.
///
/// ```
/// use llama_runtime::ModelSpec;
///
/// let spec = ModelSpec::path("model.gguf").adapter("pirate", "pirate-lora.gguf").on_demand();
/// ```
#[derive(Debug, Clone)]
pub struct ModelSpec {
    source: Source,
    adapters: Vec<(String, PathBuf)>,
    config: Option<EngineConfig>,
    on_demand: bool,
    known_threads: Option<ThreadCounts>,
}

#[derive(Clone)]
enum Source {
    Path(PathBuf),
    Bytes(&'static [u8]),
}

impl ModelSpec {
    /// A GGUF file; of a split model, any of its files.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::Path(path.into()))
    }

    /// A GGUF image in the program itself.
    pub fn bytes(image: &'static [u8]) -> Self {
        Self::new(Source::Bytes(image))
    }

    fn new(source: Source) -> Self {
        Self { source, adapters: Vec::new(), config: None, on_demand: false, known_threads: None }
    }

    /// A LoRA adapter, loaded with the model. Requests name it in [`Request::adapters`](crate::Request::adapters).
    #[must_use]
    pub fn adapter(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.adapters.push((name.into(), path.into()));
        self
    }

    /// How its engine works, in place of the runtime's [`engine`](crate::RuntimeConfig::engine).
    #[must_use]
    pub fn config(mut self, config: EngineConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Loads the model with its first request instead of when the runtime is built.
    #[must_use]
    pub fn on_demand(mut self) -> Self {
        self.on_demand = true;
        self
    }

    /// How many threads were found to be best for this model on this machine before, so that it need not be measured again;
    /// see [`ThreadChoice::keep`](crate::ThreadChoice::keep). Where the configuration names a number, that holds. Numbers
    /// beyond what the process may use count as that. 0 stands for steps that take too long to be measured: they begin with all
    /// cores, try fewer at once, and are not measured.
    #[must_use]
    pub fn known_threads(mut self, counts: ThreadCounts) -> Self {
        self.known_threads = Some(counts);
        self
    }

    pub(crate) fn threads(&self) -> Option<ThreadCounts> {
        self.known_threads
    }

    pub(crate) fn is_on_demand(&self) -> bool {
        self.on_demand
    }

    pub(crate) fn own_config(&self) -> Option<&EngineConfig> {
        self.config.as_ref()
    }

    pub(crate) fn adapters(&self) -> &[(String, PathBuf)] {
        &self.adapters
    }

    /// A name that two adapters have.
    pub(crate) fn adapter_named_twice(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.adapters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    pub(crate) fn load(&self, params: ModelParams, report: impl FnMut(f32) -> Progress) -> Result<Model, LoadError> {
        match &self.source {
            Source::Path(path) => Model::load_with(path, params, report),
            // An image in memory is small: there is nothing to report.
            Source::Bytes(image) => Model::from_bytes(image, params),
        }
    }

    /// About how many bytes the model and its context will take, where `context` gives the parameters for a model that was
    /// trained with so many tokens. 0 if that cannot be told; loading tells why then.
    pub(crate) fn memory(&self, model: &ModelParams, context: impl Fn(u32) -> ContextParams) -> u64 {
        match &self.source {
            Source::Path(path) => {
                let trained = GgufFile::open(path).ok().and_then(|file| file.context_length());
                let trained = trained.and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(u32::MAX);
                planned(path, model, &context(trained))
            }
            // Weights once more beside the image, and as much again for the cache and to compute: these models are small.
            Source::Bytes(image) => 2 * image.len() as u64,
        }
    }
}

fn planned(path: &Path, model: &ModelParams, context: &ContextParams) -> u64 {
    MemoryPlan::new(path, model, context).map_or(0, |plan| plan.usage.total())
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Bytes(image) => write!(f, "Bytes({} bytes)", image.len()),
        }
    }
}
