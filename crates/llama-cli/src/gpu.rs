//! `--require-gpu`: rather no answer than one that the processor computes for hours.

use anyhow::bail;
use llama_core::{DeviceKind, MemoryPlan, devices};
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
    let hardware = &effective.settings.hardware.weights;
    if hardware.gpu_layers == GpuLayers::AtMost(0) {
        bail!("a GPU is required (--require-gpu), but no layer may be on it (--gpu-layers 0); give --gpu-layers all");
    }
    let all = devices();
    let is_gpu = |kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu);
    let gpus: Vec<&str> = all.iter().filter(|device| is_gpu(device.kind)).map(|device| device.name.as_str()).collect();
    if gpus.is_empty() {
        bail!("a GPU is required (--require-gpu), but {}", reason());
    }
    if let Some(chosen) = &hardware.devices
        && !chosen.iter().any(|name| gpus.contains(&name.as_str()))
    {
        bail!(
            "a GPU is required (--require-gpu), but none is among the devices that may be used; there is {}",
            gpus.join(", ")
        );
    }
    if !takes_layers(effective, &gpus) {
        bail!(
            "a GPU is required (--require-gpu), but no layer of the model would be on one; give --gpu-layers all, and see \
             `llama-cli doctor` for what the model needs"
        );
    }
    Ok(())
}

/// Fails where a GPU is required and the loaded model is not on one: what was planned is not always what is done.
///
/// # Errors
///
/// That it is not, and what to do.
pub(crate) fn check_loaded(required: bool, info: &ModelInfo) -> anyhow::Result<()> {
    if required && is_on_none(info.weights, info.gpu_weights) {
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

/// Whether weights would be on one of `gpus`. What cannot be planned is told when it is loaded.
fn takes_layers(effective: &Effective, gpus: &[&str]) -> bool {
    let source = &effective.settings.model;
    let path = match (&source.path, &source.hf) {
        (Some(path), _) => path.clone(),
        (None, Some(repo)) => match hub::locate(source, repo) {
            Ok(path) => path,
            Err(_) => return true,
        },
        // Only files can be planned. It goes where it may.
        (None, None) => return true,
    };
    let config = effective.engine_config(Purpose::OnePerson);
    let context = config.context.to_params(&config.batch, u32::MAX);
    MemoryPlan::new(path, &config.model.to_params(), &context).map_or(true, |plan| {
        plan.usage.devices.iter().any(|device| device.weights > 0 && gpus.contains(&device.device.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_on_no_gpu_if_all_of_its_bytes_are_elsewhere() {
        assert!(is_on_none(10, 0));
        assert!(!is_on_none(10, 1) && !is_on_none(0, 0));
    }
}
