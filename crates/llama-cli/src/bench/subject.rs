//! What is measured: [`Subject`], a model that is loaded for a way to compute, and what is told about it and the machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use llama_core::{Context, ContextParams, Device, DeviceKind, Model, devices};
use llama_core::{kernels_in_use, set_kernels, why_no_kernels};

use super::matrix::{Case, Load, Test};
use crate::settings::Effective;
use crate::{demo, gpu, hub};

/// Where a model is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    File(PathBuf),
    Demo,
}

impl Source {
    /// Those that were named, or the one of the settings, or the demo model with its notice.
    ///
    /// # Errors
    ///
    /// Why there is no such model.
    pub(super) fn all(named: &[String], effective: &Effective) -> anyhow::Result<Vec<Self>> {
        if !named.is_empty() {
            let one = |name: &String| match std::fs::exists(name) {
                // A comma may be a part of the name.
                Ok(true) => vec![Self::File(name.into())],
                _ => name.split(',').filter(|part| !part.is_empty()).map(|part| Self::File(part.into())).collect(),
            };
            return Ok(named.iter().flat_map(one).collect());
        }
        let source = &effective.settings.model;
        Ok(vec![match (&source.path, &source.hf) {
            (Some(path), _) => Self::File(path.clone()),
            (None, Some(repo)) => Self::File(hub::locate(source, repo)?),
            (None, None) => {
                demo::notice();
                Self::Demo
            }
        }])
    }

    /// Its file, if it has one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Demo => None,
        }
    }

    /// What rows call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Demo => "demo".to_owned(),
        }
    }
}

/// A model, loaded with our kernels on or off: its layout in memory depends on that.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) model: Model,
    load: Load,
    kernels: bool,
}

impl Subject {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// Why it cannot be loaded, or computed with.
    pub(super) fn new(source: &Source, load: &Load, kernels: bool, effective: &Effective) -> anyhow::Result<Self> {
        switch(kernels);
        let mut weights = effective.settings.hardware.weights.clone();
        weights.gpu_layers = load.gpu_layers;
        weights.load_mode = load.load_mode;
        weights.use_extra_buffers = load.repack;
        let params = weights.to_params();
        let model = match source {
            Source::File(path) => Model::load(path, params)?,
            Source::Demo => Model::from_bytes(demo::IMAGE, params)?,
        };
        let facts = model.facts();
        if !facts.has_decoder || facts.has_encoder {
            bail!("{} is a model of another kind than those that write text, which is what is measured", source.name());
        }
        Ok(Self { model, load: load.clone(), kernels })
    }

    /// Whether it can be used for this too.
    pub(super) fn is_for(&self, load: &Load, kernels: bool) -> bool {
        self.load == *load && self.kernels == kernels
    }

    /// A context for one test.
    ///
    /// # Errors
    ///
    /// Why it cannot be made, or that a GPU is required and it is on none.
    pub(super) fn context(&self, case: &Case, effective: &Effective) -> anyhow::Result<Context> {
        let (layout, test) = (&case.layout, &case.test);
        let mut params = ContextParams::default();
        params.n_ctx = Some(u32::try_from(test.cells()).context("too many cells")?);
        params.n_batch = layout.n_batch;
        params.n_ubatch = layout.at_once();
        params.n_seq_max = test.n_parallel;
        params.n_threads = layout.threads;
        params.n_threads_batch = layout.threads_batch;
        params.flash_attention = layout.flash;
        params.cache_k = layout.type_k;
        params.cache_v = layout.type_v;
        params.kv_unified = test.unified;
        params.offload_kqv = layout.kv_offload;
        params.op_offload = layout.op_offload;
        params.rope = effective.settings.context.rope;
        params.swa_full = effective.settings.context.swa_full;
        let context = Context::new(&self.model, params)
            .with_context(|| format!("{} for {} sequences cannot be measured", test.name(), test.n_parallel))?;
        gpu::check_context(effective.settings.model.require_gpu, &context)?;
        Ok(context)
    }
}

/// Turns our kernels on or off for what is computed and loaded next.
pub(super) fn switch(kernels: bool) {
    if kernels_in_use().is_some() != kernels {
        set_kernels(kernels);
    }
}

/// The states of our kernels that are measured: those that were asked for, or the one that holds.
///
/// # Errors
///
/// Why they cannot be on.
pub(super) fn variants(asked: Vec<bool>) -> anyhow::Result<Vec<bool>> {
    let mut wanted: Vec<bool> = Vec::new();
    for on in asked {
        if !wanted.contains(&on) {
            wanted.push(on);
        }
    }
    if wanted.is_empty() {
        wanted.push(kernels_in_use().is_some());
    }
    if wanted.contains(&true) && !set_kernels(true) {
        let why = why_no_kernels().map(|why| why.to_string()).unwrap_or_default();
        bail!("our kernels cannot be measured: {why}; leave --kernels out, or give --kernels off");
    }
    Ok(wanted)
}

/// The devices of this machine, as rows tell them.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) gpu: String,
    pub(super) backends: String,
}

impl Machine {
    pub(super) fn look() -> Self {
        let all = devices();
        let described = |wanted: &dyn Fn(DeviceKind) -> bool| -> String {
            let found = all.iter().filter(|device| wanted(device.kind));
            found.map(|device| device.description.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut backends: Vec<&str> = Vec::new();
        for Device { backend, .. } in &all {
            if backend != "CPU" && !backends.contains(&backend.as_str()) {
                backends.push(backend);
            }
        }
        Self {
            cpu: described(&|kind| matches!(kind, DeviceKind::Cpu | DeviceKind::Accelerator)),
            gpu: described(&|kind| matches!(kind, DeviceKind::Gpu | DeviceKind::IntegratedGpu)),
            backends: if backends.is_empty() { "CPU".to_owned() } else { backends.join(",") },
        }
    }
}

/// What the row of a test says about its cells; a test that needs more than `-c` gives is left out.
pub(super) fn fits(test: &Test, cells: Option<u32>) -> bool {
    cells.is_none_or(|cells| test.cells() <= u64::from(cells))
}
