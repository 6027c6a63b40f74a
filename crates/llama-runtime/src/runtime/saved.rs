//! What the cache holds of a prompt, kept beyond the process: [`Runtime::save_prefix`], [`Runtime::restore_prefix`].

use llama_core::SavedSequence;

use super::{Model, Runtime};
use crate::request::Prompt;
use crate::saved::{PrefixError, SavedPrefix};
use crate::shared::{Phase, Task};

impl Runtime {
    /// What the cache holds of the beginning of `prompt`, to be restored in another process; `None` if it holds nothing of
    /// it that is worth it (`cache.min_prefix`), or the model is not loaded. Only what was computed without adapters counts.
    ///
    /// Running requests go on; they wait for this once, between two of their steps, as long as it takes to copy the state.
    /// That state is in memory once. Dropping the future gives it up.
    ///
    /// # Errors
    ///
    /// [`PrefixError`].
    pub async fn save_prefix(&self, model: Option<&str>, prompt: Prompt) -> Result<Option<SavedPrefix>, PrefixError> {
        let model = self.find(model)?;
        model.keeps_prefixes()?;
        let Phase::Ready(loaded) = model.host.shared.phase() else { return Ok(None) };
        if !loaded.info.generates {
            return Err(PrefixError::Unsupported);
        }
        let tokens = loaded.tokens(prompt)?;
        drop(loaded);
        let (reply, answer) = tokio::sync::oneshot::channel();
        let _errand = model.host.shared.send_errand(Task::Save { tokens, reply })?;
        self.see_to(model);
        answer.await.unwrap_or_else(|_| Err(PrefixError::crashed()))
    }

    /// Puts a saved prefix into the cache, so that the next prompt that begins with it, without adapters, need not compute
    /// it. Returns how many tokens it has. The model is loaded for that if it is not.
    ///
    /// It goes into cells of the KV cache that nobody uses or that only keep other prefixes, or, if running requests need
    /// those, into host memory, if `cache.host_memory` has room for it. Like every prefix it stays there until somebody needs
    /// the room. While it is being restored, its bytes are in memory twice.
    ///
    /// # Errors
    ///
    /// [`PrefixError`]: it is damaged, is of another model or of other settings of the context, or has no room.
    pub async fn restore_prefix(&self, model: Option<&str>, bytes: &[u8]) -> Result<usize, PrefixError> {
        let model = self.find(model)?;
        model.keeps_prefixes()?;
        // Here too, so that what is damaged loads no model and makes nobody wait.
        if SavedSequence::read(bytes)?.tokens.is_empty() {
            return Err(PrefixError::Damaged { reason: "the saved prefix is empty".to_owned() });
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        let _errand = model.host.shared.send_errand(Task::Restore { bytes: bytes.to_vec(), reply })?;
        self.see_to(model);
        answer.await.unwrap_or_else(|_| Err(PrefixError::crashed()))
    }

    /// Starts the engine that has something to do, if there is none.
    fn see_to(&self, model: &Model) {
        if let Err(error) = self.start(model) {
            model.host.shared.fail_to_start(&std::sync::Arc::new(error));
        }
    }
}

impl Model {
    fn keeps_prefixes(&self) -> Result<(), PrefixError> {
        if self.host.config.cache.prefix_reuse { Ok(()) } else { Err(PrefixError::Off) }
    }
}
