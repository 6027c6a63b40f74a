//! `cargo xtask bindgen`: writes `crates/llama-sys/src/bindings.rs` anew, or says whether it is stale.
//!
//! What is declared and how is decided in `crates/llama-sys/build/bindings.rs`, which llama-sys's own build
//! program uses too. It needs the crate bindgen and libclang, so it is behind a feature: the plain xtask
//! prepares libclang and starts itself again with that feature, in a target folder of its own.

use std::process::ExitCode;

use crate::outcome::Failure;

/// What to do with the generated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    /// Compare with the checked-in file and fail when they differ.
    Check,
}

/// Generates and writes or compares.
pub(crate) fn run(mode: Mode) -> Result<ExitCode, Failure> {
    step::run(mode)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(not(feature = "bindgen"))]
mod step {
    use std::ffi::OsString;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::Mode;
    use crate::outcome::{Failure, must_succeed};
    use crate::{setup, workspace};

    pub(super) fn run(mode: Mode) -> Result<(), Failure> {
        let libclang = setup::libclang()?;
        let mut command = workspace::cargo();
        command.current_dir(workspace::root()).args(["run", "--quiet", "--package", "xtask", "--features", "bindgen"]);
        // Apart from ours: it must not replace the program that is running.
        command.arg("--target-dir").arg(workspace::target_dir()?.join("xtask-bindgen")).args(["--", "bindgen"]);
        if mode == Mode::Check {
            command.arg("--check");
        }
        command.env("LIBCLANG_PATH", libclang).env("BINDGEN_EXTRA_CLANG_ARGS", clang_args()).stdin(Stdio::null());
        must_succeed(&mut command)
    }

    /// A libclang without a clang beside it lacks the compiler's own headers (`stddef.h`) and, on a Mac, the
    /// system's: the installed compiler knows where they are.
    fn clang_args() -> OsString {
        let mut args = std::env::var_os("BINDGEN_EXTRA_CLANG_ARGS").unwrap_or_default();
        let headers = printed("cc", &["-print-file-name=include"])
            .filter(|folder| Path::new(folder).is_absolute())
            .or_else(|| printed("cc", &["-print-resource-dir"]).map(|folder| folder + "/include"));
        if let Some(folder) = headers.filter(|folder| Path::new(folder).is_dir()) {
            args.push(format!(" \"-isystem{folder}\""));
        }
        if let Some(sdk) = cfg!(target_os = "macos").then(|| printed("xcrun", &["--show-sdk-path"])).flatten() {
            args.push(format!(" -isysroot \"{sdk}\""));
        }
        args
    }

    fn printed(program: &str, args: &[&str]) -> Option<String> {
        let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }
}

#[cfg(feature = "bindgen")]
#[path = "../../crates/llama-sys/build/bindings.rs"]
#[allow(unreachable_pub, reason = "a part of llama-sys's build program, which declares what it builds")]
mod bindings;
#[cfg(feature = "bindgen")]
#[path = "../../crates/llama-sys/build/fingerprint.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "a part of llama-sys's build program, and of its part above")]
mod fingerprint;
#[cfg(feature = "bindgen")]
#[path = "../../crates/llama-sys/build/patch.rs"]
mod patch;
#[cfg(feature = "bindgen")]
#[path = "../../crates/llama-sys/build/patched.rs"]
#[allow(dead_code, reason = "a part of llama-sys's build program")]
mod patched;
#[cfg(feature = "bindgen")]
#[path = "../../crates/llama-sys/build/pin.rs"]
#[allow(dead_code, reason = "a part of llama-sys's build program")]
mod pin;

#[cfg(feature = "bindgen")]
mod step {
    use std::fs;

    use super::{Mode, bindings, patched, pin};
    use crate::outcome::Failure;
    use crate::workspace;

    const CRATE: &str = "crates/llama-sys";
    const CHECKED_IN: &str = "crates/llama-sys/src/bindings.rs";

    pub(super) fn run(mode: Mode) -> Result<(), Failure> {
        let root = workspace::root();
        let crate_dir = root.join(CRATE);
        let work_dir = workspace::target_dir()?.join("xtask-bindgen");
        let pin = pin::Pin::read(&crate_dir).map_err(Failure::new)?;
        let tree = pin::find(&pin, &work_dir.join("pin"), workspace::cargo().get_program())
            .and_then(|dir| patched::tree(dir, &pin, &work_dir))
            .map_err(Failure::new)?;
        let shim = crate_dir.join("shim");
        let header = shim.join("shim.h");
        let include_dirs = [shim, tree.join("include"), tree.join("ggml/include")];
        let fresh = bindings::generate(&include_dirs, &header);
        let path = root.join(CHECKED_IN);
        let old = fs::read_to_string(&path).unwrap_or_default();
        match mode {
            _ if old == fresh => eprintln!("{CHECKED_IN} is up to date"),
            Mode::Write => {
                fs::write(&path, &fresh).map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))?;
                eprintln!("{CHECKED_IN} written: {}", difference(&old, &fresh));
            }
            Mode::Check => {
                let what = difference(&old, &fresh);
                return Err(Failure::new(format!("{CHECKED_IN} is stale, {what}: run `cargo xtask bindgen`")));
            }
        }
        Ok(())
    }

    /// The first line that differs, as a hint at what changed.
    fn difference(old: &str, fresh: &str) -> String {
        let same = old.lines().zip(fresh.lines()).take_while(|(a, b)| a == b).count();
        let line = |text: &str| text.lines().nth(same).unwrap_or("(end of file)").trim().to_owned();
        format!("line {} was `{}` and is `{}`", same + 1, line(old), line(fresh))
    }
}
