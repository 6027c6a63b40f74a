//! A runtime with one model, and requests for it.

use llama_core::{SamplingParams, Token};
use llama_rs_benches::Failure;
use llama_runtime::{Bytes, EngineConfig, Event, Finished, Generation, ModelSpec, Request, Runtime};
use std::path::Path;
use std::time::Duration;

/// See the module.
pub(crate) struct Server {
    pub runtime: Runtime,
    n_vocab: usize,
}

impl Server {
    /// Nothing is kept of a request, and nobody is late, unless `set` says so.
    pub(crate) fn new(path: &Path, threads: u32, set: impl FnOnce(&mut EngineConfig)) -> Result<Self, Failure> {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut config = EngineConfig::default();
        config.context.n_ctx = Some(8192);
        config.context.threads = Some(threads);
        config.cache.prefix_reuse = false;
        config.cache.host_memory = Bytes(0);
        config.limits.event_buffer = 8192;
        config.limits.slow_consumer_timeout = day;
        config.limits.stall_timeout = day;
        config.defaults.queue_deadline = day;
        config.defaults.total_deadline = day;
        set(&mut config);
        let runtime = Runtime::builder().model("subject", ModelSpec::path(path).config(config)).build_blocking()?;
        let info = runtime.info(None).ok_or("the model is not loaded")?;
        Ok(Self { n_vocab: info.facts.n_vocab as usize, runtime })
    }

    /// A request whose prompt has `len` tokens, like all that have this number, and which gets all of `answer` tokens.
    pub(crate) fn request(&self, number: usize, len: usize, answer: usize) -> Result<Request, Failure> {
        let prompt = (0..len).map(|at| self.token(number, at)).collect::<Result<Vec<_>, _>>()?;
        Ok(Request::tokens(prompt).sampling(likeliest()).max_tokens(answer))
    }

    /// The token of a text at a place: any, but the same in every run, and not the first ones, which may be special.
    pub(crate) fn token(&self, number: usize, at: usize) -> Result<Token, Failure> {
        let special = self.n_vocab / 8;
        let mixed = (number * 7919 + at * 104_729 + at * at * 31) % (self.n_vocab - special);
        Ok(Token(i32::try_from(special + mixed)?))
    }

    /// Has all of them answered at the same time.
    pub(crate) fn together(&self, requests: Vec<Request>) -> Result<Vec<Finished>, Failure> {
        let all: Result<Vec<_>, _> = requests.into_iter().map(|request| self.runtime.submit(request)).collect();
        all?.into_iter().map(finish).collect()
    }

    /// Has one answered after the other.
    pub(crate) fn in_turn(&self, requests: Vec<Request>) -> Result<Vec<Finished>, Failure> {
        requests.into_iter().map(|request| finish(self.runtime.submit(request)?)).collect()
    }
}

/// Always the likeliest token, and never the end.
pub(crate) fn likeliest() -> SamplingParams {
    let mut sampling = SamplingParams::greedy();
    sampling.ignore_eos = true;
    sampling
}

/// Reads all of an answer that must come to its end.
pub(crate) fn finish(generation: Generation) -> Result<Finished, Failure> {
    let finished = generation.blocking().finish();
    if finished.reason.is_complete() {
        Ok(finished)
    } else {
        Err(format!("it ended with {:?}", finished.reason).into())
    }
}

/// Whether an event carries a token.
pub(crate) fn is_text(event: &Event) -> bool {
    matches!(event, Event::Text(_))
}
