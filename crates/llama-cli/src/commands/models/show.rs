//! `llama-cli models show`: what a model is, and whether it fits here. Loads no weights.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use llama_core::MemoryPlan;
use llama_core::gguf::ModelFiles;
use serde_json::{Value, json};

use crate::demo;
use crate::hub::cache::Cache;
use crate::hub::contents;
use crate::hub::name::Name;
use crate::hub::progress::bytes;
use crate::settings::{Effective, PlanArgs, Purpose};
use crate::ui;

/// Tell what a model is, what it needs in memory, and whether it fits here.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The model: a GGUF file, or a name from `models list` [default: as -m says]
    #[arg(value_name = "MODEL", conflicts_with = "model.path")]
    name: Option<String>,

    /// Print JSON; sizes are in bytes
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: PlanArgs,
}

/// A model as it is shown.
#[derive(Debug)]
struct Shown {
    /// As it was asked for.
    name: String,
    path: Option<PathBuf>,
    files: ModelFiles,
    /// Bytes of all files.
    size: u64,
    plan: MemoryPlan,
    /// The longest context that fits, up to the one that was asked for and what the model was trained with.
    fitting: Option<u32>,
}

/// Runs the command.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<()> {
    let effective = args.settings.resolve()?;
    let shown = match args.path(&effective)? {
        Some((name, path)) => look(name, &path, Some(path.clone()), &effective)?,
        None => demo(&effective)?,
    };
    let text = if args.json { serde_json::to_string_pretty(&shown.json())? + "\n" } else { shown.text()? };
    ui::result(&text)?;
    Ok(())
}

impl ShowArgs {
    /// The file to look at; nothing for the demo model.
    fn path(&self, effective: &Effective) -> anyhow::Result<Option<(String, PathBuf)>> {
        let source = &effective.settings.model;
        let (name, hf_file) = match (&self.name, &source.path, &source.hf) {
            (Some(name), _, _) if Path::new(name).exists() => return Ok(Some((name.clone(), name.into()))),
            (Some(name), _, _) => (name, None),
            (None, Some(path), _) => return Ok(Some((path.display().to_string(), path.clone()))),
            (None, None, Some(name)) => (name, source.hf_file.as_deref()),
            (None, None, None) => return Ok(None),
        };
        let looks_like_a_file = name.to_ascii_lowercase().ends_with(".gguf") || !name.contains('/');
        if looks_like_a_file {
            bail!("there is no file {name}; give a GGUF file, or a name from `llama-cli models list`");
        }
        let models = contents::find(&Cache::from_env()?, &Name::parse(name)?)?;
        let model = models.iter().find(|model| hf_file.is_none_or(|file| model.paths.iter().any(|path| path == file)));
        let Some(model) = model else {
            bail!("{name} in the cache has no file {}", hf_file.unwrap_or_default());
        };
        if !model.missing.is_empty() {
            bail!(
                "{} is incomplete in the cache: {} are missing; `llama-cli models pull {}` downloads them",
                model.name,
                model.missing.join(", "),
                model.name
            );
        }
        Ok(Some((model.name.to_string(), model.path())))
    }
}

/// The demo model is in the program; what looks at models wants a file.
fn demo(effective: &Effective) -> anyhow::Result<Shown> {
    let path = std::env::temp_dir().join(format!("llama-cli-demo-{}.gguf", std::process::id()));
    let written =
        std::fs::File::create_new(&path).and_then(|mut file| std::io::Write::write_all(&mut file, demo::IMAGE));
    let shown = match written {
        Ok(()) => look("the demo model".to_owned(), &path, None, effective),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    // It is in a folder that the system cleans up.
    let _ = std::fs::remove_file(&path);
    shown
}

fn look(name: String, path: &Path, shown_path: Option<PathBuf>, effective: &Effective) -> anyhow::Result<Shown> {
    let files = ModelFiles::open(path)?;
    files.preflight()?;
    let trained = files.metadata().context_length().and_then(|n| u32::try_from(n).ok());
    let config = effective.engine_config(Purpose::OnePerson);
    let first = files.paths().first().map_or(path, PathBuf::as_path);
    let model = config.model.to_params();
    let mut context = config.context.to_params(&config.batch, trained.unwrap_or(u32::MAX));
    if trained.is_none() && config.context.n_ctx.is_none() {
        // llama.cpp has a default of its own.
        context.n_ctx = None;
    }
    let plan = MemoryPlan::new(first, &model, &context)?;
    let longest = plan.n_ctx.max(plan.n_ctx_train);
    let fitting = if plan.fits() && plan.n_ctx == longest {
        Some(longest)
    } else {
        context.n_ctx = Some(longest);
        MemoryPlan::largest_fitting(first, &model, &context)?.map(|plan| plan.n_ctx)
    };
    let size = files.paths().iter().filter_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.len()).sum();
    Ok(Shown { name, path: shown_path, files, size, plan, fitting })
}

impl Shown {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let facts = self.files.metadata();
        let unknown = "unknown";
        let mut text = String::new();
        writeln!(text, "{}", self.name)?;
        let mut row = |name: &str, value: String| writeln!(text, "  {name:15} {value}");
        if let Some(path) = &self.path {
            row("path", path.display().to_string())?;
        }
        let split = match self.files.paths().len() {
            1 => String::new(),
            n => format!(" in {n} files"),
        };
        row("size", format!("{}{split}", bytes(self.size)))?;
        row("name", facts.name().unwrap_or(unknown).to_owned())?;
        row("architecture", facts.architecture().unwrap_or(unknown).to_owned())?;
        row("parameters", self.files.parameter_count().to_string())?;
        row("quantization", self.quantization().unwrap_or_else(|| unknown.to_owned()))?;
        let context = facts.context_length().map_or_else(|| unknown.to_owned(), |n| format!("{n} tokens"));
        row("trained with", context)?;
        let vocab = facts.vocab_size().map(|n| format!(", {n} tokens")).unwrap_or_default();
        row("tokenizer", format!("{}{vocab}", facts.tokenizer_model().unwrap_or(unknown)))?;
        row("chat template", if facts.chat_template().is_some() { "yes" } else { "no" }.to_owned())?;
        row("license", self.license().unwrap_or(unknown).to_owned())?;
        writeln!(text, "Memory with a context of {} tokens", self.plan.n_ctx)?;
        for device in &self.plan.usage.devices {
            let free = match device.memory_total {
                0 => "free memory unknown".to_owned(),
                total => format!("{} of {} free", bytes(device.memory_free), bytes(total)),
            };
            writeln!(
                text,
                "  {:15} {}: weights {}, context {}, compute {} ({free})",
                device.device,
                bytes(device.total()),
                bytes(device.weights),
                bytes(device.context),
                bytes(device.compute)
            )?;
        }
        writeln!(text, "  {:15} {}", "total", bytes(self.plan.usage.total()))?;
        writeln!(text, "  {:15} {}", "fits here", self.verdict())?;
        Ok(text)
    }

    fn verdict(&self) -> String {
        let fits = if self.plan.fits() {
            "yes".to_owned()
        } else {
            format!("no, {} are missing", bytes(self.plan.shortfall()))
        };
        match self.fitting {
            Some(n) if n == self.plan.n_ctx => fits,
            Some(n) if self.plan.fits() => format!("{fits}, and up to {n} tokens"),
            Some(n) => format!("{fits}; a context of {n} tokens fits (-c {n})"),
            None => format!("{fits}; no context fits: take a smaller quant or model"),
        }
    }

    fn quantization(&self) -> Option<String> {
        let facts = self.files.metadata();
        let named = facts.file_type().map(|kind| kind.to_string());
        named.or_else(|| facts.main_tensor_type().map(|kind| format!("mostly {kind}")))
    }

    fn license(&self) -> Option<&str> {
        self.files.metadata().get("general.license")?.as_str()
    }

    fn json(&self) -> Value {
        let facts = self.files.metadata();
        json!({
            "model": self.name,
            "path": self.path,
            "files": self.files.paths().len(),
            "size": self.size,
            "name": facts.name(),
            "architecture": facts.architecture(),
            "parameters": self.files.parameter_count(),
            "quantization": self.quantization(),
            "context_length": facts.context_length(),
            "layers": facts.block_count(),
            "tokenizer": facts.tokenizer_model(),
            "vocab_size": facts.vocab_size(),
            "chat_template": facts.chat_template().is_some(),
            "license": self.license(),
            "memory": {
                "n_ctx": self.plan.n_ctx,
                "devices": self.plan.usage.devices,
                "total": self.plan.usage.total(),
                "fits": self.plan.fits(),
                "shortfall": self.plan.shortfall(),
                "largest_fitting_ctx": self.fitting,
            },
        })
    }
}
