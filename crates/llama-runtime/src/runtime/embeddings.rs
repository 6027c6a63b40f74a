//! The answer to a request for embeddings: [`PendingEmbeddings`].

use llama_core::Usage;

use crate::event::{Event, FinishReason, Timings};
use crate::generation::{CancelHandle, Generation};

/// Embeddings that are being computed. Dropping it cancels the request.
#[derive(Debug)]
pub struct PendingEmbeddings {
    generation: Generation,
    inputs: usize,
}

/// One vector for each input.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Embeddings {
    /// In the order of the inputs.
    pub vectors: Vec<Vec<f32>>,
    /// What they cost, in tokens.
    pub usage: Usage,
    /// What they cost, in time.
    pub timings: Timings,
}

/// Why there are no embeddings.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the embeddings were not computed: {reason}")]
#[non_exhaustive]
pub struct EmbedError {
    /// How the request ended.
    pub reason: FinishReason,
}

impl PendingEmbeddings {
    pub(super) fn new(generation: Generation, inputs: usize) -> Self {
        Self { generation, inputs }
    }

    /// Waits for all vectors.
    ///
    /// # Errors
    ///
    /// [`EmbedError`] with the reason, if the request ended before they were there.
    pub async fn finish(mut self) -> Result<Embeddings, EmbedError> {
        let mut vectors = vec![Vec::new(); self.inputs];
        while let Some(event) = self.generation.next().await {
            match event {
                Event::Embedding { input, vector } => {
                    if let Some(place) = vectors.get_mut(input) {
                        *place = vector;
                    }
                }
                Event::Finished(finished) if finished.reason.is_complete() => {
                    return Ok(Embeddings { vectors, usage: finished.usage, timings: finished.timings });
                }
                Event::Finished(finished) => return Err(EmbedError { reason: finished.reason }),
                _ => {}
            }
        }
        Err(EmbedError { reason: FinishReason::Cancelled })
    }

    /// [`finish`](Self::finish) for a thread.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn finish_blocking(self) -> Result<Embeddings, EmbedError> {
        crate::blocking::block_on(self.finish())
    }

    /// The events themselves: an [`Event::Embedding`] for each input, in any order.
    pub fn into_events(self) -> Generation {
        self.generation
    }

    /// A handle that cancels the request and can go to another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.generation.cancel_handle()
    }
}
