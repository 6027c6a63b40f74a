//! What a model and a context take, before and after they take it.

use crate::context::{self, Context, ContextError, ContextParams};
use crate::devices::{self, DeviceKind};
use crate::model::{LoadError, Model, ModelParams};
use crate::raw::{self, Failure};
use llama_sys as ffi;
use serde::Serialize;
use std::path::Path;

/// Contexts above this are not measured but extrapolated: llama.cpp keeps about 50 bytes of bookkeeping for each cell
/// even when it allocates nothing else.
const LARGEST_MEASURED: u32 = 1 << 20;

/// Memory that a model and a context take on one device, in bytes.
#[doc(alias = "llama_memory_breakdown_data")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeviceUse {
    /// The device, by [`Device::name`](crate::Device::name). All of main memory counts as the CPU's, also what another
    /// device's driver pins there.
    pub device: String,
    /// Bytes of weights. Where the file is mapped, they are pages of the file, shared with other processes.
    pub weights: u64,
    /// Bytes of KV cache and recurrent state.
    pub context: u64,
    /// Bytes of buffers for computing.
    pub compute: u64,
    /// Bytes free on the device when this was measured, 0 if it does not tell; see
    /// [`Device::memory_free`](crate::Device::memory_free).
    pub memory_free: u64,
    /// Bytes of memory of the device, 0 if it does not tell.
    pub memory_total: u64,
}

impl DeviceUse {
    /// Weights, context and compute buffers together, in bytes.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.context).saturating_add(self.compute)
    }
}

/// Memory that a model and a context take, by device. In bytes.
///
/// Not counted, since llama.cpp does not count it: the output buffer (4 bytes × vocabulary × outputs of one batch), the
/// bookkeeping of cells, and the vocabulary.
#[doc(alias = "llama_get_memory_breakdown")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryUse {
    /// The devices that hold anything, in the order of [`devices`](crate::devices).
    pub devices: Vec<DeviceUse>,
}

impl MemoryUse {
    /// Bytes of weights on all devices.
    pub fn weights(&self) -> u64 {
        self.sum(|device| device.weights)
    }

    /// Bytes of KV cache and recurrent state on all devices.
    pub fn context(&self) -> u64 {
        self.sum(|device| device.context)
    }

    /// Bytes of buffers for computing on all devices.
    pub fn compute(&self) -> u64 {
        self.sum(|device| device.compute)
    }

    /// Bytes of everything.
    pub fn total(&self) -> u64 {
        self.sum(DeviceUse::total)
    }

    fn sum(&self, part: impl Fn(&DeviceUse) -> u64) -> u64 {
        self.devices.iter().fold(0, |sum, device| sum.saturating_add(part(device)))
    }
}

/// What a model and a context will take. Made without reading weights and without taking the memory.
///
/// ```no_run
/// use llama_core::{ContextParams, MemoryPlan, ModelParams};
///
/// let plan = MemoryPlan::new("model.gguf", &ModelParams::default(), &ContextParams::default())?;
/// if !plan.fits() {
///     eprintln!("{} bytes are missing for {} tokens", plan.shortfall(), plan.n_ctx);
/// }
/// # Ok::<(), llama_core::PlanError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryPlan {
    /// What will be taken.
    #[serde(flatten)]
    pub usage: MemoryUse,
    /// KV cells in tokens that the context will have, for all sequences together.
    pub n_ctx: u32,
    /// Sequences it will have.
    pub n_seq_max: u32,
    /// Context the model was trained with, in tokens.
    pub n_ctx_train: u32,
}

/// Why there is no plan. Nothing stays allocated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The model cannot be loaded, whatever the memory.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// The context cannot be made, whatever the memory.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// llama.cpp failed; its own words.
    #[error("llama.cpp cannot say what it takes: {reason}")]
    Internal {
        /// The exception's text.
        reason: String,
    },
}

impl MemoryPlan {
    /// Finds out what [`Model::load`] and [`Context::new`] with these parameters will take.
    ///
    /// The model is loaded and a context is made on it in a mode in which llama.cpp only measures; that reads the file's
    /// header and takes a few milliseconds for a small vocabulary, less than a second for a large one. Two things are
    /// allocated for the time of the call all the same: about 50 bytes per KV cell, up to a million cells, and the state of
    /// a recurrent model (some MB for each of [`n_seq_max`](ContextParams::n_seq_max) sequences). Contexts of more than a
    /// million cells are extrapolated from smaller ones: exact for the cache, close for the compute buffers.
    ///
    /// Weights of a mapped file ([`LoadMode::Mmap`](crate::LoadMode::Mmap)) are planned as if they were read.
    ///
    /// # Errors
    ///
    /// [`PlanError`]. A context that does not fit is no error.
    pub fn new(path: impl AsRef<Path>, model: &ModelParams, context: &ContextParams) -> Result<Self, PlanError> {
        Self::measured_up_to(path.as_ref(), model, context, LARGEST_MEASURED)
    }

    /// The plan with the longest context that fits, up to the one in `context`; `None` if not even the shortest fits.
    ///
    /// Found by a handful of plans; the longest context that fits may be a little longer.
    ///
    /// # Errors
    ///
    /// [`PlanError`].
    #[doc(alias = "common_fit_params")]
    pub fn largest_fitting(
        path: impl AsRef<Path>,
        model: &ModelParams,
        context: &ContextParams,
    ) -> Result<Option<Self>, PlanError> {
        let path = path.as_ref();
        let wanted = Self::new(path, model, context)?;
        if wanted.fits() {
            return Ok(Some(wanted));
        }
        let step = 256 * if context.kv_unified { 1 } else { context.n_seq_max };
        let mut shorter = context.clone();
        shorter.n_ctx = Some(step);
        let least = Self::new(path, model, &shorter)?;
        if !least.fits() {
            return Ok(None);
        }
        // Memory is close to a line, so each guess is much nearer than the one before.
        let mut above = wanted;
        for _ in 0..8 {
            let cells = least.n_ctx.saturating_add(cells_between(&least, &above));
            shorter.n_ctx = Some((cells - cells % step).max(step));
            let guess = Self::new(path, model, &shorter)?;
            if guess.fits() {
                return Ok(Some(guess));
            }
            above = guess;
        }
        Ok(Some(least))
    }

    /// Whether every device has as much memory free as it needs. A device that does not tell is taken to have enough.
    pub fn fits(&self) -> bool {
        self.shortfall() == 0
    }

    /// Bytes missing, summed over the devices that have too little.
    pub fn shortfall(&self) -> u64 {
        self.usage.sum(
            |device| {
                if device.memory_total == 0 { 0 } else { device.total().saturating_sub(device.memory_free) }
            },
        )
    }

    fn measured_up_to(
        path: &Path,
        model: &ModelParams,
        params: &ContextParams,
        largest: u32,
    ) -> Result<Self, PlanError> {
        if model.vocab_only {
            return Err(ContextError::VocabOnly.into());
        }
        let model = Model::load_dry(path, model.clone())?;
        let facts = model.facts();
        let wanted = params.n_ctx.unwrap_or(facts.n_ctx_train);
        let plan = |measured: Measured| Self {
            usage: measured.usage,
            n_ctx: measured.n_ctx,
            n_seq_max: params.n_seq_max,
            n_ctx_train: facts.n_ctx_train,
        };
        if wanted <= largest {
            return Ok(plan(measure(&model, params)?));
        }
        let mut smaller = params.clone();
        smaller.n_ctx = Some(largest / 2);
        let half = measure(&model, &smaller)?;
        smaller.n_ctx = Some(largest);
        let whole = measure(&model, &smaller)?;
        // As llama.cpp rounds: the whole, and then each sequence, has a multiple of 256 cells.
        let parts = if params.kv_unified { 1 } else { params.n_seq_max };
        let padded = |n: u32| n.div_ceil(256).saturating_mul(256);
        let n_ctx = padded(padded(wanted) / parts).saturating_mul(parts);
        Ok(plan(extrapolate(&half, whole, n_ctx)))
    }
}

impl Context {
    /// What this context and its model take now, as llama.cpp counts it.
    ///
    /// Compute buffers grow with the first decodes. A model is counted in full by each of its contexts.
    ///
    /// # Errors
    ///
    /// [`PlanError::Internal`].
    #[doc(alias = "llama_get_memory_breakdown")]
    pub fn memory_use(&self) -> Result<MemoryUse, PlanError> {
        // SAFETY: the context is live, and not `Sync`: no other call runs.
        unsafe { breakdown(self.as_ptr()) }
    }
}

struct Measured {
    usage: MemoryUse,
    n_ctx: u32,
}

/// Makes a context on a model without memory, asks it, frees it.
fn measure(model: &Model, params: &ContextParams) -> Result<Measured, PlanError> {
    let ctx = context::make(model, params.to_raw()?)?;
    // SAFETY: the context was just made and is not shared.
    let usage = unsafe { breakdown(ctx.as_ptr()) };
    // SAFETY: as above; only reads.
    let n_ctx = unsafe { ffi::llama_n_ctx(ctx.as_ptr()) };
    {
        let _setup = model.lock_setup();
        // SAFETY: made above, freed once; the model is live, and the lock keeps other writers away.
        unsafe { ffi::llama_free(ctx.as_ptr()) };
    }
    Ok(Measured { usage: usage?, n_ctx })
}

/// # Safety
///
/// `ctx` is a live context that no other call uses.
unsafe fn breakdown(ctx: *const ffi::llama_context) -> Result<MemoryUse, PlanError> {
    let mut entries: Vec<ffi::lrs_memory_use> = Vec::new();
    loop {
        let mut n = 0;
        // SAFETY: `ctx` is live by this function's contract; C writes at most `len` entries.
        let status = unsafe { ffi::lrs_memory_breakdown(ctx, entries.as_mut_ptr(), entries.len(), &raw mut n) };
        raw::check(status).map_err(|failure: Failure| PlanError::Internal { reason: failure.explain("") })?;
        if n <= entries.len() {
            entries.truncate(n);
            break;
        }
        // SAFETY: plain C data for which all zeroes is a valid value.
        entries.resize_with(n, || unsafe { std::mem::zeroed() });
    }
    let named: Vec<_> = entries.iter().map(|entry| (devices::name_of(entry.device), entry)).collect();
    let mut devices = Vec::new();
    for device in devices::devices() {
        let is_cpu = device.kind == DeviceKind::Cpu;
        let mine =
            || {
                named.iter().filter(|(name, entry)| {
                    if entry.host || name.is_none() { is_cpu } else { name.as_ref() == Some(&device.name) }
                })
            };
        let sum = |part: fn(&ffi::lrs_memory_use) -> usize| mine().map(|(_, entry)| part(entry) as u64).sum();
        let usage = DeviceUse {
            weights: sum(|entry| entry.model),
            context: sum(|entry| entry.context),
            compute: sum(|entry| entry.compute),
            memory_free: device.memory_free,
            memory_total: device.memory_total,
            device: device.name.clone(),
        };
        if usage.total() > 0 {
            devices.push(usage);
        }
    }
    Ok(MemoryUse { devices })
}

/// Cells that fit on every device beyond those of `least`, by a line up to `wanted`.
fn cells_between(least: &MemoryPlan, wanted: &MemoryPlan) -> u32 {
    let span = wanted.n_ctx.saturating_sub(least.n_ctx);
    let mut cells = span;
    for device in wanted.usage.devices.iter().filter(|device| device.memory_total > 0) {
        let taken = least.usage.devices.iter().find(|d| d.device == device.device).map_or(0, DeviceUse::total);
        let rise = device.total().saturating_sub(taken);
        let room = device.memory_free.saturating_sub(taken);
        if rise > room {
            let share = u128::from(span) * u128::from(room) / u128::from(rise);
            cells = cells.min(u32::try_from(share).unwrap_or(span));
        }
    }
    cells
}

/// Goes on along the line through two measurements: memory is a constant plus a share for each cell.
fn extrapolate(half: &Measured, whole: Measured, n_ctx: u32) -> Measured {
    let steps = i128::from(whole.n_ctx.abs_diff(half.n_ctx)).max(1);
    let beyond = i128::from(n_ctx) - i128::from(whole.n_ctx);
    let along = |small: u64, large: u64| {
        let large = i128::from(large);
        let rise = (large - i128::from(small)).saturating_mul(beyond) / steps;
        u64::try_from(large.saturating_add(rise).max(0)).unwrap_or(u64::MAX)
    };
    let mut usage = whole.usage;
    for device in &mut usage.devices {
        if let Some(smaller) = half.usage.devices.iter().find(|smaller| smaller.device == device.device) {
            device.context = along(smaller.context, device.context);
            device.compute = along(smaller.compute, device.compute);
        }
    }
    Measured { usage, n_ctx }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn device(name: &str, used: u64, free: u64, total: u64) -> DeviceUse {
        let device = name.to_owned();
        DeviceUse { device, weights: used, context: 0, compute: 0, memory_free: free, memory_total: total }
    }

    fn plan(devices: Vec<DeviceUse>) -> MemoryPlan {
        MemoryPlan { usage: MemoryUse { devices }, n_ctx: 256, n_seq_max: 1, n_ctx_train: 256 }
    }

    #[test]
    fn a_plan_fits_when_every_device_has_room() {
        assert!(plan(vec![device("CPU", 10, 10, 20), device("GPU0", 5, 6, 8)]).fits());
    }

    #[test]
    fn room_on_one_device_does_not_help_another() {
        let plan = plan(vec![device("CPU", 10, 1000, 1000), device("GPU0", 9, 6, 8)]);
        assert!(!plan.fits());
        assert_eq!(plan.shortfall(), 3);
    }

    #[test]
    fn a_device_that_does_not_tell_is_taken_to_have_enough() {
        assert!(plan(vec![device("BLAS", 10, 0, 0)]).fits());
    }

    #[test]
    fn beyond_what_is_measured_memory_goes_on_along_a_line() {
        let path = llama_testkit::fixtures::tiny_llama();
        let model = ModelParams::default();
        for kv_unified in [false, true] {
            let context = ContextParams { n_ctx: Some(40_000), n_seq_max: 2, kv_unified, ..ContextParams::default() };
            let measured = MemoryPlan::new(path, &model, &context).unwrap();
            let extrapolated = MemoryPlan::measured_up_to(path, &model, &context, 16_384).unwrap();
            assert_eq!(extrapolated.n_ctx, measured.n_ctx);
            assert_eq!(extrapolated.usage.weights(), measured.usage.weights());
            assert_eq!(extrapolated.usage.context(), measured.usage.context());
            let (guess, truth) = (extrapolated.usage.compute(), measured.usage.compute());
            assert!(guess.abs_diff(truth) <= truth / 20, "{guess} for {truth}");
        }
    }
}
