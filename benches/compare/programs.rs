//! The programs that are compared: ours, built beside this one, and upstream's, named by variables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child;
use crate::Failure;

/// Upstream's programs, by the variables that name them.
pub(crate) const VARIABLES: [(&str, &str); 5] = [
    ("LLAMA_BENCH_BIN", "prompts and one sequence"),
    ("LLAMA_BATCHED_BENCH_BIN", "several sequences"),
    ("LLAMA_SERVER_BIN", "clients"),
    ("LLAMA_COMPLETION_BIN", "the start of a process"),
    ("LLAMA_UPSTREAM_CLI_BIN", "the start of a process"),
];

/// Where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    /// `llama-cli`, ours.
    pub(crate) ours: PathBuf,
    upstream: [Option<PathBuf>; VARIABLES.len()],
    /// A folder without anybody's settings, for all of them.
    pub(crate) home: PathBuf,
}

impl Programs {
    /// Those beside this program, and those that `variable` names.
    pub(crate) fn find(own: &Path, home: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let folder = own.parent().and_then(Path::parent).ok_or("this program is in no folder")?;
        let ours = folder.join(format!("llama-cli{}", std::env::consts::EXE_SUFFIX));
        if !ours.is_file() {
            return Err("there is no program to measure; build it first: cargo build --release -p llama-cli".into());
        }
        let mut upstream = [const { None }; VARIABLES.len()];
        for ((name, _), place) in VARIABLES.iter().zip(&mut upstream) {
            let Some(path) = variable(name).filter(|path| !path.is_empty()).map(PathBuf::from) else { continue };
            if !path.is_file() {
                return Err(format!("{name}: there is no file {}", path.display()).into());
            }
            *place = Some(std::path::absolute(path)?);
        }
        Ok(Self { ours, upstream, home: home.to_owned() })
    }

    /// Upstream's program that a variable of [`VARIABLES`] names.
    pub(crate) fn upstream(&self, variable: &str) -> Option<&Path> {
        let at = VARIABLES.iter().position(|(name, _)| *name == variable)?;
        self.upstream[at].as_deref()
    }

    /// A sentence for each program that is left out.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = String> {
        let all = VARIABLES.iter().zip(&self.upstream);
        all.filter(|(_, path)| path.is_none())
            .map(|((name, what), _)| format!("{name} is not set: upstream is left out for {what}"))
    }

    /// What the first of upstream's programs says of its version.
    pub(crate) fn upstream_version(&self) -> Option<String> {
        self.upstream.iter().flatten().find_map(|program| {
            let mut command = child::command(program, &self.home);
            command.arg("--version");
            let said = child::run(command, Duration::from_secs(20)).ok()?;
            let mut lines = said.stdout.lines().chain(said.stderr.iter().map(String::as_str));
            lines.find_map(|line| Some(line.trim().strip_prefix("version:")?.trim().to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llama_testkit::fixtures::TempModels;

    fn built() -> (TempModels, PathBuf) {
        let folder = TempModels::new().expect("a folder");
        folder.write_bytes(&format!("llama-cli{}", std::env::consts::EXE_SUFFIX), b"").expect("a file");
        let own = folder.path().join("deps").join("compare");
        (folder, own)
    }

    #[test]
    fn what_is_not_named_is_left_out_and_said() {
        let (folder, own) = built();
        let server = folder.write_bytes("server", b"").expect("a file");
        let find = |name: &str| (name == "LLAMA_SERVER_BIN").then(|| server.clone().into_os_string());
        let programs = Programs::find(&own, folder.path(), find).expect("all are there");
        assert_eq!(programs.upstream("LLAMA_SERVER_BIN"), Some(server.as_path()));
        assert_eq!(programs.upstream("LLAMA_BENCH_BIN"), None);
        let said: Vec<String> = programs.left_out().collect();
        assert_eq!(said.len(), 4);
        assert!(said[0].starts_with("LLAMA_BENCH_BIN is not set"), "{said:?}");
    }

    #[test]
    fn a_wrong_path_is_named_with_its_variable() {
        let (folder, own) = built();
        let find = |name: &str| (name == "LLAMA_BENCH_BIN").then(|| "no-such-bench".into());
        let error = Programs::find(&own, folder.path(), find).expect_err("there is no such file").to_string();
        assert!(error.contains("LLAMA_BENCH_BIN") && error.contains("no-such-bench"), "{error}");
    }

    #[test]
    fn our_program_has_to_be_built() {
        let folder = TempModels::new().expect("a folder");
        let error = Programs::find(&folder.path().join("deps/compare"), folder.path(), |_| None);
        assert!(error.expect_err("it is not built").to_string().contains("cargo build --release -p llama-cli"));
    }
}
