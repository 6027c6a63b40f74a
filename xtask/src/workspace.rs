//! Where the workspace is and what cargo says about it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::json::{self, Value};
use crate::outcome::{Failure, cannot_start, shown};

/// The folder of the top manifest.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable at run time too; that one is right after the clone was moved.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

/// The cargo that runs us, in the caller's folder.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The members, without their dependencies; needs no network.
pub(crate) fn members() -> Result<Vec<Member>, Failure> {
    let metadata = metadata(&["--no-deps"], &root().join("Cargo.toml"))?;
    Ok(metadata["packages"].items().iter().map(Member::read).collect())
}

/// The folder cargo builds into.
pub(crate) fn target_dir() -> Result<PathBuf, Failure> {
    let metadata = metadata(&["--no-deps"], &root().join("Cargo.toml"))?;
    Ok(PathBuf::from(metadata["target_directory"].text()))
}

fn metadata(flags: &[&str], manifest: &Path) -> Result<Value, Failure> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]).args(flags).arg("--manifest-path").arg(manifest);
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|e| cannot_start(&command, &e))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{}`: {}", shown(&command), output.status)));
    }
    json::parse(&String::from_utf8_lossy(&output.stdout))
        .map_err(|error| Failure::new(format!("`{}` printed JSON that does not parse: {error}", shown(&command))))
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Names of `[[example]]` targets.
    pub(crate) examples: Vec<String>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// From `[dev-dependencies]`.
    pub(crate) dev: bool,
}

impl Member {
    fn read(package: &Value) -> Self {
        let dependencies = package["dependencies"].items().iter();
        let targets = package["targets"].items().iter();
        Self {
            name: package["name"].text().to_owned(),
            dependencies: dependencies
                .map(|entry| Dependency { name: entry["name"].text().to_owned(), dev: entry["kind"].text() == "dev" })
                .collect(),
            examples: targets
                .filter(|target| target["kind"].items().iter().any(|kind| kind.text() == "example"))
                .map(|target| target["name"].text().to_owned())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const METADATA: &str = r#"{"packages":[
        {"name":"other","manifest_path":"/r/other/Cargo.toml","dependencies":[{"name":"carrier","kind":null}],"targets":[]},
        {"name":"carrier","manifest_path":"/r/carrier-1.0/Cargo.toml","dependencies":[{"name":"dep","kind":"dev"}],
         "targets":[{"kind":["lib"],"name":"carrier"},{"kind":["example"],"name":"stream"}]}]}"#;

    #[test]
    fn a_member_knows_its_dependencies_and_examples() {
        let metadata = json::parse(METADATA).unwrap();
        let member = Member::read(&metadata["packages"].items()[1]);
        assert_eq!(member.dependencies, [Dependency { name: "dep".into(), dev: true }]);
        assert_eq!(member.examples, ["stream"]);
    }
}
