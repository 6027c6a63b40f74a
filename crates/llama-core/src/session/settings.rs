//! What can be changed between the turns of a session.

use super::{Overflow, SEQ, Session, SessionError};
use crate::adapter::{ControlVector, LoraAdapter};
use crate::sampler::{Sampler, SamplingParams};
use std::ops::RangeInclusive;

impl Session {
    /// Chooses what happens when the context is full. Default: [`Overflow::Stop`].
    ///
    /// # Errors
    ///
    /// [`SessionError::Memory`] if the model cannot shift, [`SessionError::KeepTooLarge`] if nothing would be left to
    /// drop; the former choice stays.
    pub fn set_overflow(&mut self, overflow: Overflow) -> Result<(), SessionError> {
        if let Overflow::Shift { keep } = overflow {
            let limit = self.capacity();
            if keep > limit.saturating_sub(2) {
                return Err(SessionError::KeepTooLarge { keep, limit });
            }
            // Asks for the capability only: an empty range moves nothing.
            self.ctx.memory()?.shift(SEQ, 0..0, -1)?;
        }
        self.overflow = overflow;
        Ok(())
    }

    /// Replaces the sampler, from the next step on.
    ///
    /// # Errors
    ///
    /// [`SessionError::Sampler`]; the former sampler stays.
    pub fn set_sampling(&mut self, sampling: &SamplingParams) -> Result<(), SessionError> {
        self.sampler = Sampler::new(self.ctx.model(), sampling)?;
        self.heard = 0;
        Ok(())
    }

    /// Sets the number of threads, 1 to 512 each: for single tokens, and for prompts.
    ///
    /// # Errors
    ///
    /// [`SessionError::Context`]; nothing is changed.
    pub fn set_threads(&mut self, n_threads: u32, n_threads_batch: u32) -> Result<(), SessionError> {
        Ok(self.ctx.set_threads(n_threads, n_threads_batch)?)
    }

    /// Uses these LoRA adapters, each with its strength, and none of the former. What was said stays, and is computed
    /// again with them at the next step.
    ///
    /// # Errors
    ///
    /// [`SessionError::Adapter`]; nothing is changed.
    pub fn set_adapters(&mut self, adapters: &[(LoraAdapter, f32)]) -> Result<(), SessionError> {
        self.ctx.set_adapters(adapters)?;
        self.forget_cache()
    }

    /// Adds this control vector in the given layers, counted from 1, in place of any former one. What was said stays, and
    /// is computed again with it at the next step.
    ///
    /// # Errors
    ///
    /// [`SessionError::Adapter`]; nothing is changed.
    pub fn set_control_vector(
        &mut self,
        vector: &ControlVector,
        layers: RangeInclusive<u32>,
    ) -> Result<(), SessionError> {
        self.ctx.set_control_vector(vector, layers)?;
        self.forget_cache()
    }

    /// Stops using a control vector. What was said stays, and is computed again without it at the next step.
    ///
    /// # Errors
    ///
    /// [`SessionError::Adapter`].
    pub fn clear_control_vector(&mut self) -> Result<(), SessionError> {
        self.ctx.clear_control_vector()?;
        self.forget_cache()
    }
}
