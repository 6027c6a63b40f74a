//! `--require-gpu`: rather no answer than one that the processor computes for hours.

use std::path::Path;

use anyhow::bail;
use llama_core::{Context, DeviceKind, MemoryPlan, devices};
use llama_runtime::{GpuLayers, ModelInfo};

use crate::hub;
use crate::settings::{Effective, Purpose};

/// Features of the program that compile a GPU backend in, and what the backend is called.
pub(crate) const BACKENDS: [(&str, &str, bool); 4] = [
    ("cuda", "CUDA", cfg!(feature = "cuda")),
    ("metal", "Metal", cfg!(feature = "metal")),
    ("vulkan", "Vulkan", cfg!(feature = "vulkan")),
    ("rpc", "RPC", cfg!(feature = "rpc")),
];

/// Fails where a GPU is required and none would be used.
///
/// # Errors
///
/// Why none would be.
pub(crate) fn check(effective: &Effective) -> anyhow::Result<()> {
    if !effective.settings.model.require_gpu {
        return Ok(());
    }
    let layers = effective.settings.hardware.weights.gpu_layers;
    let gpus = usable(effective, layers)?;
    let source = &effective.settings.model;
    let path = match (&source.path, &source.hf) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(repo)) => hub::locate(source, repo).ok(),
        (None, None) => None,
    };
    takes_layers(effective, path.as_deref(), layers, &gpus)
}

/// The same for one model with so many layers on GPUs, whatever the settings say of these. `path` is its file, if it has one.
///
/// # Errors
///
/// As [`check`].
pub(crate) fn check_one(effective: &Effective, path: Option<&Path>, layers: GpuLayers) -> anyhow::Result<()> {
    if !effective.settings.model.require_gpu {
        return Ok(());
    }
    let gpus = usable(effective, layers)?;
    takes_layers(effective, path, layers, &gpus)
}

/// The names of GPUs that may get so many layers.
fn usable(effective: &Effective, layers: GpuLayers) -> anyhow::Result<Vec<String>> {
    if layers == GpuLayers::AtMost(0) {
        bail!("a GPU is required (--require-gpu), but no layer may be on it (--gpu-layers 0); give --gpu-layers all");
    }
    let gpus = names();
    if gpus.is_empty() {
        bail!("a GPU is required (--require-gpu), but {}", reason());
    }
    if let Some(chosen) = &effective.settings.hardware.weights.devices
        && !chosen.iter().any(|name| gpus.contains(name))
    {
        bail!(
            "a GPU is required (--require-gpu), but none is among the devices that may be used; there is {}",
            gpus.join(", ")
        );
    }
    Ok(gpus)
}

/// The GPUs of this machine.
fn names() -> Vec<String> {
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu);
    devices().into_iter().filter(|device| is_gpu(device.kind)).map(|device| device.name).collect()
}

/// Fails where a GPU is required and the loaded model is not on one: what was planned is not always what is done.
///
/// # Errors
///
/// That it is not, and what to do.
pub(crate) fn check_loaded(required: bool, info: &ModelInfo) -> anyhow::Result<()> {
    if required { check_weights(info.weights, info.gpu_weights) } else { Ok(()) }
}

/// The same of the model of a context.
///
/// # Errors
///
/// As [`check_loaded`].
pub(crate) fn check_context(required: bool, context: &Context) -> anyhow::Result<()> {
    if !required {
        return Ok(());
    }
    let (used, gpus) = (context.memory_use()?, names());
    let on_gpu = used.devices.iter().filter(|used| gpus.contains(&used.device)).map(|used| used.weights);
    check_weights(used.weights(), on_gpu.fold(0, u64::saturating_add))
}

fn check_weights(weights: u64, on_gpu: u64) -> anyhow::Result<()> {
    if is_on_none(weights, on_gpu) {
        bail!(
            "a GPU is required (--require-gpu), but the model was loaded without one; give --gpu-layers all, and see \
             `llama-cli doctor` for what it needs"
        );
    }
    Ok(())
}

/// Where llama.cpp does not count bytes, nothing can be said.
fn is_on_none(weights: u64, on_gpu: u64) -> bool {
    weights > 0 && on_gpu == 0
}

/// Why there is no GPU, and what to do.
pub(crate) fn reason() -> String {
    let compiled: Vec<&str> = BACKENDS.iter().filter(|(.., on)| *on).map(|(_, name, _)| *name).collect();
    if !compiled.is_empty() {
        return format!(
            "this machine shows none to {}; check its driver, and that this process may use the device",
            compiled.join(" and ")
        );
    }
    if cfg!(feature = "dynamic-backends") {
        return "no backend for one was found beside the program; install the backend's library there".to_owned();
    }
    "this program was built without a backend for one; build it with the feature cuda, vulkan or metal".to_owned()
}

/// Fails where no weights would be on one of `gpus`. What cannot be planned, which only files can be, is told when it is loaded.
fn takes_layers(effective: &Effective, path: Option<&Path>, layers: GpuLayers, gpus: &[String]) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let mut config = effective.engine_config(Purpose::OnePerson);
    config.model.gpu_layers = layers;
    let context = config.context.to_params(&config.batch, u32::MAX);
    let takes = MemoryPlan::new(path, &config.model.to_params(), &context).map_or(true, |plan| {
        plan.usage.devices.iter().any(|device| device.weights > 0 && gpus.contains(&device.device))
    });
    if !takes {
        bail!(
            "a GPU is required (--require-gpu), but no layer of the model would be on one; give --gpu-layers all, and see \
             `llama-cli doctor` for what the model needs"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_on_no_gpu_if_all_of_its_bytes_are_elsewhere() {
        assert!(is_on_none(10, 0));
        assert!(!is_on_none(10, 1) && !is_on_none(0, 0));
        assert!(check_weights(10, 0).is_err() && check_weights(10, 1).is_ok());
    }
}
