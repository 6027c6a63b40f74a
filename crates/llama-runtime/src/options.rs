//! Which model, and within which bounds: [`ModelSpec`], [`EngineOptions`].

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use llama_core::{ContextParams, LoadError, Model, ModelParams, Progress};

/// Where a model comes from.
#[derive(Clone)]
pub struct ModelSpec(Source);

#[derive(Clone)]
enum Source {
    Path(PathBuf),
    Bytes(&'static [u8]),
}

impl ModelSpec {
    /// A GGUF file; of a split model, any of its files.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self(Source::Path(path.into()))
    }

    /// A GGUF image in the program itself.
    pub fn bytes(image: &'static [u8]) -> Self {
        Self(Source::Bytes(image))
    }

    pub(crate) fn load(&self, params: ModelParams, report: impl FnMut(f32) -> Progress) -> Result<Model, LoadError> {
        match &self.0 {
            Source::Path(path) => Model::load_with(path, params, report),
            // An image in memory is small: there is nothing to report.
            Source::Bytes(image) => Model::from_bytes(image, params),
        }
    }
}

impl fmt::Debug for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Source::Bytes(image) => write!(f, "Bytes({} bytes)", image.len()),
        }
    }
}

/// How an engine works. Start from `default()` and assign.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How the model is loaded.
    pub model: ModelParams,
    /// How the context is made. With `n_ctx` of `None` see [`auto_ctx_limit`](Self::auto_ctx_limit).
    pub context: ContextParams,
    /// When no context size is asked for, it is the one the model was trained with, but at most this many tokens: the
    /// KV cache of a long-context model can take more memory than the model. Default: 8192.
    pub auto_ctx_limit: u32,
    /// Most requests that wait, 1 to 65536; other values become the nearest of these. Default: 16.
    pub queue: usize,
    /// Most unread texts of one request, at least 1. Default: 64.
    pub event_buffer: usize,
    /// A request whose reader leaves no room for so long is ended, because the requests behind it wait. Default: 60 s.
    pub slow_consumer_timeout: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            model: ModelParams::default(),
            context: ContextParams::default(),
            auto_ctx_limit: 8192,
            queue: 16,
            event_buffer: 64,
            slow_consumer_timeout: Duration::from_secs(60),
        }
    }
}
