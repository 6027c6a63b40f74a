//! Installs programs that PyPI carries as ready-made packages, each into a folder of its own below `.xtask/`.
//!
//! Pip writes with `--target`, so neither the system's Python nor the user's packages change. If that Python
//! has no pip (Debian splits it off), a virtual environment may bring one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{answers, private_dir, say};

/// A PyPI package and the folder for it.
pub(super) struct Package {
    pub(super) folder: &'static str,
    pub(super) requirement: &'static str,
}

impl Package {
    /// The first of `files` that an earlier run left in the package's folder.
    pub(super) fn installed_file(&self, files: &[&str]) -> Option<PathBuf> {
        let folder = private_dir().join(self.folder);
        files.iter().map(|file| folder.join(file)).find(|file| file.is_file())
    }

    /// Installs the package and returns the first of `files` in it; the error is one sentence.
    pub(super) fn install(&self, files: &[&str]) -> Result<PathBuf, String> {
        let python = find().ok_or("PyPI cannot be used: there is no python3")?;
        // Pip fills a side folder, which then takes its place at once: an interrupted run leaves no half package.
        let part = private_dir().join(format!("{}.part", self.folder));
        let whole = private_dir().join(self.folder);
        remove(&part);
        self.pip(&python, &part)?;
        remove(&whole);
        fs::rename(&part, &whole).map_err(|error| format!("cannot write {}: {error}", whole.display()))?;
        self.installed_file(files)
            .ok_or_else(|| format!("PyPI's {} has another layout than expected", self.requirement))
    }

    fn pip(&self, python: &Path, into: &Path) -> Result<(), String> {
        if answers(Command::new(python).args(["-m", "pip", "--version"])) {
            match self.pip_install(python, into) {
                Ok(()) => return Ok(()),
                Err(why) => say(&format!("{why}; trying with a virtual environment")),
            }
        }
        let venv = private_dir().join("venv");
        let created = answers(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv));
        let inner =
            ["bin/python", "Scripts/python.exe"].map(|name| venv.join(name)).into_iter().find(|file| file.is_file());
        let result = match inner.filter(|_| created) {
            Some(inner) => self.pip_install(&inner, into),
            None => Err(format!("{} has neither pip nor venv", python.display())),
        };
        // It served to get one package; what is kept does not need it.
        remove(&venv);
        result
    }

    fn pip_install(&self, python: &Path, into: &Path) -> Result<(), String> {
        remove(into);
        let mut command = Command::new(python);
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--retries",
            "2",
        ]);
        // Never from source: building cmake needs cmake.
        command.args(["--only-binary", ":all:", "--no-deps", "--target"]).arg(into).arg(self.requirement);
        // A user's setting of this name does not go together with --target.
        command.env("PIP_USER", "0").stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("cannot start {}: {error}", python.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let reason = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
        Err(format!("pip could not install {}: {reason}", self.folder))
    }
}

/// A Python 3 on PATH.
pub(crate) fn find() -> Option<PathBuf> {
    let is_three = ["-c", "import sys; sys.exit(sys.version_info < (3, 7))"];
    ["python3", "python"].map(PathBuf::from).into_iter().find(|name| answers(Command::new(name).args(is_three)))
}

/// Removes a folder that may not be there; what cannot be removed shows when it is written to.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
