//! What this machine offers to compute on.

use crate::backend::Backend;
use crate::raw;
use llama_sys as ffi;
use serde::Serialize;

/// The kind of a [`Device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DeviceKind {
    /// The processor and main memory.
    Cpu,
    /// A graphics card with memory of its own.
    Gpu,
    /// A graphics unit that shares main memory.
    IntegratedGpu,
    /// An accelerator that works on main memory (BLAS, AMX).
    Accelerator,
    /// A kind this version does not know.
    Other,
}

/// One device that llama.cpp can compute on.
#[doc(alias = "ggml_backend_dev_t")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Device {
    /// Short and unique, as [`ModelParams::devices`](field@crate::ModelParams::devices) takes it, e.g. `CUDA0`.
    pub name: String,
    /// For people, e.g. the processor's or the card's name.
    pub description: String,
    /// What it is.
    pub kind: DeviceKind,
    /// The backend it belongs to, e.g. `CPU`, `CUDA`, `Metal`.
    pub backend: String,
    /// Bytes of memory, 0 if the backend does not tell.
    pub memory_total: u64,
    /// Bytes of memory that were free when [`devices`] looked, 0 if the backend does not tell. For main memory: what can
    /// be had without swapping, on Linux, macOS and Windows.
    pub memory_free: u64,
}

/// Lists the devices of this build on this machine, in llama.cpp's order. Memory figures are of this moment.
#[doc(alias = "ggml_backend_dev_count")]
#[doc(alias = "ggml_backend_dev_get")]
#[doc(alias = "ggml_backend_dev_memory")]
pub fn devices() -> Vec<Device> {
    handles().map(describe).collect()
}

/// Looks a device up by its [`Device::name`].
pub(crate) fn by_name(name: &str) -> Option<ffi::ggml_backend_dev_t> {
    handles().find(|&device| {
        // SAFETY: a registered device lives as long as the process; its name is NUL-terminated.
        unsafe { raw::string(ffi::ggml_backend_dev_name(device)) == name }
    })
}

/// The name of a device, `None` for null (host memory that belongs to no device).
pub(crate) fn name_of(device: ffi::ggml_backend_dev_t) -> Option<String> {
    if device.is_null() {
        return None;
    }
    // SAFETY: not null, so it is a registered device, which lives as long as the process.
    Some(unsafe { raw::string(ffi::ggml_backend_dev_name(device)) })
}

fn handles() -> impl Iterator<Item = ffi::ggml_backend_dev_t> {
    Backend::start();
    // SAFETY: the list of devices does not change after the start.
    let n = unsafe { ffi::ggml_backend_dev_count() };
    // SAFETY: `i` is below the count.
    (0..n).map(|i| unsafe { ffi::ggml_backend_dev_get(i) })
}

fn describe(device: ffi::ggml_backend_dev_t) -> Device {
    let (mut free, mut total) = (0, 0);
    // SAFETY: `device` is registered, and both pointers are to live locals.
    unsafe { ffi::ggml_backend_dev_memory(device, &raw mut free, &raw mut total) };
    // SAFETY: `device` is registered; names are NUL-terminated and live as long as it does.
    let (name, description, backend, kind) = unsafe {
        (
            raw::string(ffi::ggml_backend_dev_name(device)),
            raw::string(ffi::ggml_backend_dev_description(device)),
            raw::string(ffi::ggml_backend_reg_name(ffi::ggml_backend_dev_backend_reg(device))),
            ffi::ggml_backend_dev_type(device),
        )
    };
    let kind = match kind {
        ffi::GGML_BACKEND_DEVICE_TYPE_CPU => DeviceKind::Cpu,
        ffi::GGML_BACKEND_DEVICE_TYPE_GPU => DeviceKind::Gpu,
        ffi::GGML_BACKEND_DEVICE_TYPE_IGPU => DeviceKind::IntegratedGpu,
        ffi::GGML_BACKEND_DEVICE_TYPE_ACCEL => DeviceKind::Accelerator,
        _ => DeviceKind::Other,
    };
    let memory_free = match kind {
        DeviceKind::Cpu => available_memory().unwrap_or(free as u64).min(total as u64),
        _ => free as u64,
    };
    Device { name, description: description.trim().to_owned(), kind, backend, memory_total: total as u64, memory_free }
}

/// Main memory that can be had without swapping. ggml says that all of it is free.
fn available_memory() -> Option<u64> {
    // SAFETY: takes nothing, asks the system, any thread may call it.
    let bytes = unsafe { ffi::lrs_available_memory() };
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there_and_has_memory() {
        let devices = devices();
        let cpu = devices.iter().find(|d| d.kind == DeviceKind::Cpu).expect("a CPU device");
        assert!(cpu.memory_total > 0);
        assert!(cpu.memory_free > 0);
        if cfg!(target_os = "linux") {
            assert!(cpu.memory_free < cpu.memory_total, "this very test takes some");
        }
        assert!(by_name(&cpu.name).is_some());
        assert!(by_name("no such device").is_none());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = devices().into_iter().map(|d| d.name).collect();
        let n = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), n);
    }
}
