//! Using adapters in a context.

use super::Context;
use crate::adapter::{AdapterError, ControlVector, LoraAdapter};
use crate::log::Capture;
use crate::raw;
use llama_sys as ffi;
use std::ops::RangeInclusive;

impl Context {
    /// Uses these adapters, each with its strength (1.0 as trained), from the next decode on; none of the former stay.
    ///
    /// The KV cache keeps what was computed before: clear it for a clean start.
    ///
    /// # Errors
    ///
    /// [`AdapterError::OtherModel`], [`AdapterError::InvalidParam`], [`AdapterError::Internal`]; nothing is changed.
    #[doc(alias = "llama_set_adapters_lora")]
    pub fn set_adapters(&mut self, adapters: &[(LoraAdapter, f32)]) -> Result<(), AdapterError> {
        for (i, (adapter, scale)) in adapters.iter().enumerate() {
            if !adapter.model().is_same(self.model()) {
                return Err(AdapterError::OtherModel);
            }
            if !scale.is_finite() {
                let why = format!("is {scale}, must be a finite number");
                return Err(AdapterError::InvalidParam { name: "scale", why });
            }
            if adapters[..i].iter().any(|(other, _)| other.as_ptr() == adapter.as_ptr()) {
                let why = format!("names {} twice", adapter.path().display());
                return Err(AdapterError::InvalidParam { name: "adapters", why });
            }
        }
        let mut pointers: Vec<_> = adapters.iter().map(|(adapter, _)| adapter.as_ptr()).collect();
        let mut scales: Vec<_> = adapters.iter().map(|(_, scale)| *scale).collect();
        let mut code = 0;
        // SAFETY: the context is live, `&mut self` means no other call runs; both arrays have `len` entries and C copies
        // them. The adapters stay alive in `self.adapters`.
        let status = unsafe {
            ffi::lrs_set_adapters_lora(
                self.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                scales.as_mut_ptr(),
                &raw mut code,
            )
        };
        raw::check(status).map_err(|failure| AdapterError::Internal { reason: failure.explain("") })?;
        self.adapters = adapters.iter().map(|(adapter, _)| adapter.clone()).collect();
        Ok(())
    }

    /// Adds this control vector in the given layers, counted from 1, from the next decode on, in place of any former one.
    ///
    /// # Errors
    ///
    /// [`AdapterError::InvalidParam`] if the width is another than the model's or the range is empty or outside the
    /// model; [`AdapterError::Internal`].
    pub fn set_control_vector(
        &mut self,
        vector: &ControlVector,
        layers: RangeInclusive<u32>,
    ) -> Result<(), AdapterError> {
        let facts = self.model().facts();
        if vector.n_embd() != facts.n_embd as usize {
            let why = format!("has width {}, the model {}", vector.n_embd(), facts.n_embd);
            return Err(AdapterError::InvalidParam { name: "vector", why });
        }
        let (first, last) = (*layers.start(), *layers.end());
        if first < 1 || last < first || last > facts.n_layer {
            let why = format!("are {first} to {last}, must lie within 1 to {}", facts.n_layer);
            return Err(AdapterError::InvalidParam { name: "layers", why });
        }
        // C reads rows of the model's layers only, up to layer n_layer - 1. Beyond the end of the data it would keep those
        // of the former vector.
        let mut data = vector.data().to_vec();
        data.resize(data.len().max(vector.n_embd() * facts.n_layer as usize), 0.0);
        self.apply_control_vector(&data, first, last)
    }

    /// Stops using a control vector.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Internal`].
    pub fn clear_control_vector(&mut self) -> Result<(), AdapterError> {
        self.apply_control_vector(&[], 0, 0)
    }

    fn apply_control_vector(&mut self, data: &[f32], first: u32, last: u32) -> Result<(), AdapterError> {
        let n_embd = i32::try_from(self.model().facts().n_embd).unwrap_or(i32::MAX);
        let pointer = if data.is_empty() { std::ptr::null() } else { data.as_ptr() };
        let layer = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let mut code = 0;
        let capture = Capture::start();
        // SAFETY: the context is live, `&mut self` means no other call runs; `pointer` is null or readable for
        // `data.len()` floats, which C copies.
        let status = unsafe {
            ffi::lrs_set_adapter_cvec(
                self.as_ptr(),
                pointer,
                data.len(),
                n_embd,
                layer(first),
                layer(last),
                &raw mut code,
            )
        };
        let result = raw::check(status);
        let log = capture.finish();
        match (result, code) {
            (Ok(()), 0) => Ok(()),
            (result, _) => Err(AdapterError::Internal { reason: raw::explain(result, &log) }),
        }
    }
}
