//! `llama-cli config`: show, make and check settings.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use llama_core::{Model, ModelParams, SuggestedSampling};
use llama_runtime::SamplingParams;

use crate::settings::places::{Surroundings, Wanted};
use crate::settings::{Effective, SettingArgs, document, show};
use crate::ui;

/// Show, make and check settings.
///
/// What counts, lowest first: built-in defaults, what the model's file suggests for sampling, the user's file, the
/// project's file, LLAMA_ARG_* variables, flags. In a file a profile counts above the rest of the file.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Show(ShowArgs),
    Init(InitArgs),
    Path(PathArgs),
    Schema(SchemaArgs),
}

/// Print every setting with its value and where that is from.
///
/// Takes the flags of `run` and `chat`, and shows what they would work with. With -m FILE, what the file suggests for
/// sampling is shown too.
#[derive(Debug, Args)]
struct ShowArgs {
    /// Only what differs from the defaults
    #[arg(long)]
    changed: bool,

    /// Print JSON: an object by key, with value and origin
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: SettingArgs,
}

/// Write a settings file with every setting, documented and commented out.
#[derive(Debug, Args)]
struct InitArgs {
    /// Write ./llama.toml, for the project in this folder, in place of the user's file
    #[arg(long)]
    project: bool,

    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

/// Print the settings files that are looked for, lowest first, and which exist.
#[derive(Debug, Args)]
struct PathArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Print the JSON schema of settings files, for editors.
#[derive(Debug, Args)]
struct SchemaArgs {
    /// Print the documented defaults instead
    #[arg(long, hide = true, conflicts_with = "markdown")]
    defaults: bool,

    /// Print the table of settings as Markdown instead
    #[arg(long, hide = true)]
    markdown: bool,
}

/// Runs the command.
pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Show(args) => show(args),
        What::Init(args) => init(args),
        What::Path(args) => path(args),
        What::Schema(args) => schema(args),
    }
}

fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let effective = args.settings.resolve()?;
    let suggested = suggested(&effective)?;
    let settings = show::shown(&effective, suggested.as_ref(), args.changed);
    let text =
        if args.json { serde_json::to_string_pretty(&show::json(&settings))? + "\n" } else { show::text(&settings) };
    if text.is_empty() {
        ui::note("Every setting has its default.");
    }
    Ok(ui::result(&text)?)
}

/// How tokens are chosen with the model that is named by its file.
fn suggested(effective: &Effective) -> anyhow::Result<Option<SamplingParams>> {
    let Some(path) = &effective.settings.model.path else { return Ok(None) };
    let mut params = ModelParams::default();
    params.vocab_only = true;
    let suggested = SuggestedSampling::of(&Model::load(path, params)?);
    Ok(Some(suggested.apply(effective.settings.sampling.clone(), |field| effective.is_set(field))))
}

fn init(args: &InitArgs) -> anyhow::Result<()> {
    let path = if args.project {
        PathBuf::from("llama.toml")
    } else {
        Surroundings::of_process().user_file.ok_or_else(|| {
            anyhow!("there is no home folder to write to; set HOME or XDG_CONFIG_HOME, or use --project")
        })?
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    write_new(&path, args.force)?;
    ui::note(&format!("Wrote {}. Every setting in it is commented out.", path.display()));
    Ok(())
}

fn write_new(path: &Path, force: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    if force {
        options.write(true).create(true).truncate(true);
    } else {
        options.write(true).create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(document::defaults().as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists; --force replaces it", path.display())
        }
        written => written.with_context(|| format!("cannot write {}", path.display())),
    }
}

fn path(args: &PathArgs) -> anyhow::Result<()> {
    let around = Surroundings::of_process();
    let mut candidates: Vec<(&str, PathBuf)> = Vec::new();
    match around.files(&Wanted::default())?.first() {
        Some((file, true)) => candidates.push((crate::env::LLAMA_CONFIG, file.clone())),
        _ => {
            candidates.extend(around.user_file.clone().map(|file| ("user", file)));
            let found = around.project_file();
            let nearest = around.folder.join("llama.toml");
            candidates.push(("project", found.unwrap_or(nearest)));
        }
    }
    let members = candidates.iter().map(|(name, file)| (*name, file.display().to_string(), file.is_file()));
    let text = if args.json {
        let members: Vec<_> = members
            .map(|(name, file, exists)| serde_json::json!({ "name": name, "file": file, "exists": exists }))
            .collect();
        serde_json::to_string_pretty(&members)? + "\n"
    } else {
        let line = |(name, file, exists)| format!("{name:8} {file}{}\n", if exists { "" } else { " (does not exist)" });
        members.map(line).collect()
    };
    Ok(ui::result(&text)?)
}

fn schema(args: &SchemaArgs) -> anyhow::Result<()> {
    let text = match args {
        SchemaArgs { defaults: true, .. } => document::defaults(),
        SchemaArgs { markdown: true, .. } => document::markdown(),
        SchemaArgs { .. } => serde_json::to_string_pretty(&document::schema())? + "\n",
    };
    Ok(ui::result(&text)?)
}
