//! The model: whether it can be read, what it needs, and whether that fits.

use std::path::{Path, PathBuf};

use llama_core::MemoryPlan;
use llama_core::gguf::GgufFile;
use serde::Serialize;

use super::Problem;
use crate::settings::{Effective, Purpose, Settings};
use crate::threads::Kept;
use crate::{demo, hub};

/// The model that was asked for, or the demo model.
#[derive(Debug, Default, Serialize)]
pub(super) struct Model {
    /// `file`, `hub` or `demo`; `None` where the settings cannot be used.
    pub(super) source: Option<&'static str>,
    pub(super) path: Option<PathBuf>,
    /// Its name, or the demo model's description.
    pub(super) name: Option<String>,
    pub(super) architecture: Option<String>,
    pub(super) parameters: Option<u64>,
    /// Tokens that it was trained with.
    pub(super) trained_context: Option<u64>,
    /// Tokens that the context would have as configured.
    pub(super) context: Option<u32>,
    /// What it needs so, by device.
    pub(super) needs: Option<MemoryPlan>,
    pub(super) fits: Option<bool>,
    /// Tokens of the longest context that fits, up to what it was trained with.
    pub(super) largest_context: Option<u32>,
    /// What it would be computed with; of a file.
    pub(super) threads: Option<Threads>,
}

/// Threads for answers and for prompts, as far as they are known before the model is loaded.
#[derive(Debug, Serialize)]
pub(super) struct Threads {
    pub(super) decode: Option<u32>,
    pub(super) prefill: Option<u32>,
    /// `set`, `measured` by an earlier run, `tried` while it runs where steps take too long to be measured, or `unknown`:
    /// measured with the next load.
    pub(super) from: &'static str,
}

impl Threads {
    fn look(path: &Path, settings: &Settings) -> Self {
        let (decode, prefill) = (settings.context.threads, settings.context.threads_batch);
        if decode.is_some() {
            return Self { decode, prefill: prefill.or(decode), from: "set" };
        }
        match Kept::of(path, settings).and_then(|kept| kept.read()) {
            Some(known) => {
                // 0 stands for steps that take too long.
                let [decode, known_prefill] = [known.decode, known.prefill].map(|count| (count > 0).then_some(count));
                let from = if decode.is_some() { "measured" } else { "tried" };
                Self { decode, prefill: prefill.or(known_prefill), from }
            }
            None => Self { decode: None, prefill, from: "unknown" },
        }
    }
}

impl std::fmt::Display for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |count: Option<u32>| count.map_or_else(|| "tried while it runs".to_owned(), |count| count.to_string());
        match self.from {
            "unknown" => write!(f, "measured when it is loaded"),
            "tried" => write!(f, "tried while it runs: its steps take too long to be measured"),
            from => write!(f, "{} for answers, {} for prompts ({from})", of(self.decode), of(self.prefill)),
        }
    }
}

impl Model {
    pub(super) fn look(effective: &Effective, problems: &mut Vec<Problem>) -> Self {
        let source = &effective.settings.model;
        match (&source.path, &source.hf) {
            (Some(path), _) => Self { source: Some("file"), ..Self::file(path, effective, problems) },
            (None, Some(repo)) => {
                // To look is no reason to download.
                let mut cached = source.clone();
                cached.offline = true;
                match hub::locate(&cached, repo) {
                    Ok(path) => Self { source: Some("hub"), ..Self::file(&path, effective, problems) },
                    Err(error) => {
                        problems.push(Problem::warning(
                            format!("the model {repo} is not there yet: {error:#}"),
                            format!("llama-cli models pull {repo}"),
                        ));
                        Self { source: Some("hub"), name: Some(repo.clone()), ..Self::default() }
                    }
                }
            }
            (None, None) => Self { source: Some("demo"), name: Some(demo::DESCRIPTION.to_owned()), ..Self::default() },
        }
    }

    fn file(path: &Path, effective: &Effective, problems: &mut Vec<Problem>) -> Self {
        let threads = Some(Threads::look(path, &effective.settings));
        let mut model = Self { path: Some(path.to_owned()), threads, ..Self::default() };
        let file = match GgufFile::open(path) {
            Ok(file) => file,
            Err(error) => {
                problems.push(Problem::error(told(path, &error), "give a GGUF file with -m, or download it again"));
                return model;
            }
        };
        model.name = file.name().map(str::to_owned);
        model.architecture = file.architecture().map(str::to_owned);
        model.parameters = Some(file.parameter_count());
        model.trained_context = file.context_length();
        let trained = file.context_length().and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(u32::MAX);
        if let Err(problem) = model.plan(path, effective, trained) {
            problems.push(problem);
        }
        if model.fits == Some(false) {
            let missing = model.needs.as_ref().map_or(0, MemoryPlan::shortfall) >> 20;
            let remedy = match model.largest_context {
                Some(tokens) => format!("use a shorter context: -c {tokens}"),
                None => "use a smaller model or quantisation, or end other programs".to_owned(),
            };
            problems.push(Problem::warning(format!("the model does not fit: {missing} MiB are missing"), remedy));
        }
        model
    }

    fn plan(&mut self, path: &Path, effective: &Effective, trained: u32) -> Result<(), Problem> {
        let refuse = |error| Problem::error(told(path, &error), "use another model, or download it again");
        let config = effective.engine_config(Purpose::OnePerson);
        let params = config.model.to_params();
        let mut context = config.context.to_params(&config.batch, trained);
        let plan = MemoryPlan::new(path, &params, &context).map_err(refuse)?;
        (self.context, self.fits) = (Some(plan.n_ctx), Some(plan.fits()));
        context.n_ctx = Some(plan.n_ctx_train.max(plan.n_ctx));
        self.needs = Some(plan);
        let largest = MemoryPlan::largest_fitting(path, &params, &context).map_err(refuse)?;
        self.largest_context = largest.map(|plan| plan.n_ctx);
        Ok(())
    }
}

/// Names the file once: some errors do so themselves.
fn told(path: &Path, error: &(impl std::error::Error + 'static)) -> String {
    let (path, text) = (path.display().to_string(), error.to_string());
    let mut text = if text.contains(&path) { text } else { format!("{path}: {text}") };
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}
