//! Prepares a machine that has git, a Rust toolchain and perhaps not much more.
//!
//! Needed to build llama.cpp: a C++ compiler, `make` or `ninja`, and CMake 3.20 or newer. What is there is
//! used; what is missing is installed, first from PyPI into `.xtask/` (nothing outside that folder changes, no
//! rights are needed), then by the system's package manager. It says what it does and never asks; when all is
//! there it says nothing.

mod packages;
pub(crate) mod python;
mod version;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::outcome::Failure;
use crate::workspace;
use packages::Need;
use version::Version;

/// What `crates/llama-sys/cmake/CMakeLists.txt` asks for.
const CMAKE_MIN: Version = Version(3, 20, 0);

/// A CMake of the series that llama.cpp is built with here.
const CMAKE: python::Package = python::Package { folder: "cmake", requirement: "cmake>=3.21,<4" };
const NINJA: python::Package = python::Package { folder: "ninja", requirement: "ninja>=1.11" };
/// Pinned: another release may print the same declarations in another form.
const LIBCLANG: python::Package = python::Package { folder: "libclang", requirement: "libclang==18.1.1" };

/// What child processes need in their environment to find the tools.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// Folders that go in front of `PATH`.
    path: Vec<PathBuf>,
    variables: Vec<(&'static str, OsString)>,
}

impl Tools {
    pub(crate) fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let old = std::env::var_os("PATH").unwrap_or_default();
        let all = self.path.iter().cloned().chain(std::env::split_paths(&old));
        if let (false, Ok(path)) = (self.path.is_empty(), std::env::join_paths(all)) {
            command.env("PATH", path);
        }
    }

    fn add_folder_of(&mut self, program: &Path) {
        self.path.extend(program.parent().map(Path::to_path_buf));
    }
}

/// Finds or installs everything that a build needs.
pub(crate) fn prepare() -> Result<Tools, Failure> {
    let mut tools = Tools::default();
    compiler(&mut tools)?;
    build_program(&mut tools)?;
    cmake(&mut tools)?;
    Ok(tools)
}

/// The folder for what we install ourselves; git ignores it.
fn private_dir() -> PathBuf {
    workspace::root().join(".xtask")
}

fn say(message: &str) {
    eprintln!("setup: {message}");
}

fn compiler(tools: &mut Tools) -> Result<(), Failure> {
    // With MSVC the compiler is no program on PATH; the build itself finds it, and says so when it cannot.
    if cfg!(windows) {
        return Ok(());
    }
    // Naming a compiler in /usr/bin opens a window on a Mac without the command line tools; this does not.
    if cfg!(target_os = "macos") && !answers(Command::new("xcode-select").arg("-p")) {
        return Err(Failure::new("no C++ compiler found; run `xcode-select --install`, then this command again"));
    }
    if let Some(chosen) = std::env::var_os("CXX").filter(|value| !value.is_empty()) {
        // May be `ccache g++`: only the first word is a program.
        let program = chosen.to_string_lossy().split_whitespace().next().unwrap_or_default().to_owned();
        return if has_program(&program) {
            Ok(())
        } else {
            Err(Failure::new(format!("CXX is `{}`, which does not run; correct it or unset it", chosen.display())))
        };
    }
    if !has_compiler(tools) {
        say("no C++ compiler found (c++, g++, clang++)");
        packages::install(Need::Compiler)?;
    }
    if has_compiler(tools) { Ok(()) } else { Err(packages::missing(Need::Compiler)) }
}

/// Build programs call the compiler `c++`; where only another name exists, `CXX` tells them.
fn has_compiler(tools: &mut Tools) -> bool {
    if has_program("c++") {
        return true;
    }
    let other = ["g++", "clang++"].into_iter().find(|name| has_program(name));
    tools.variables.extend(other.map(|name| ("CXX", name.into())));
    other.is_some()
}

fn build_program(tools: &mut Tools) -> Result<(), Failure> {
    if cfg!(windows) || std::env::var_os("CMAKE_GENERATOR").is_some() || ["make", "gmake"].into_iter().any(has_program)
    {
        return Ok(());
    }
    if !has_program("ninja") {
        let installed = NINJA.installed_file(&["bin/ninja"]).map_or_else(
            || {
                say("neither make nor ninja found: installing ninja from PyPI into .xtask/ninja");
                NINJA.install(&["bin/ninja"])
            },
            Ok,
        );
        match installed {
            Ok(ninja) => tools.add_folder_of(&ninja),
            Err(why) => {
                say(&why);
                packages::install(Need::Make)?;
                return if has_program("make") { Ok(()) } else { Err(packages::missing(Need::Make)) };
            }
        }
    }
    tools.variables.push(("CMAKE_GENERATOR", "Ninja".into()));
    Ok(())
}

const CMAKE_FILES: &[&str] =
    &["cmake/data/bin/cmake", "cmake/data/bin/cmake.exe", "cmake/data/CMake.app/Contents/bin/cmake"];

fn cmake(tools: &mut Tools) -> Result<(), Failure> {
    if let Some(chosen) = std::env::var_os("CMAKE").filter(|value| !value.is_empty()) {
        return match cmake_version(Path::new(&chosen)) {
            Some(version) if version >= CMAKE_MIN => Ok(()),
            Some(version) => Err(Failure::new(format!(
                "CMAKE is `{}`, version {version}; {CMAKE_MIN} or newer is needed: correct it or unset it",
                chosen.display()
            ))),
            None => Err(Failure::new(format!(
                "CMAKE is `{}`, which does not run; correct it or unset it",
                chosen.display()
            ))),
        };
    }
    let on_path = cmake_version(Path::new("cmake"));
    if on_path.is_some_and(|version| version >= CMAKE_MIN) {
        return Ok(());
    }
    if let Some(ours) = CMAKE.installed_file(CMAKE_FILES).filter(|file| cmake_version(file).is_some()) {
        tools.add_folder_of(&ours);
        return Ok(());
    }
    let found = on_path.map_or("cmake not found".to_owned(), |old| format!("cmake is {old}, older than {CMAKE_MIN}"));
    say(&format!("{found}: installing it from PyPI into .xtask/cmake; nothing outside that folder changes"));
    match CMAKE.install(CMAKE_FILES) {
        Ok(program) if cmake_version(&program).is_some() => {
            tools.add_folder_of(&program);
            return Ok(());
        }
        Ok(program) => say(&format!("{} does not run on this system", program.display())),
        Err(why) => say(&why),
    }
    packages::install(Need::Cmake)?;
    match cmake_version(Path::new("cmake")) {
        Some(version) if version >= CMAKE_MIN => Ok(()),
        _ => Err(packages::missing(Need::Cmake)),
    }
}

fn cmake_version(program: &Path) -> Option<Version> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    version::after("cmake version ", &String::from_utf8_lossy(&output.stdout))
}

/// Finds or installs libclang for bindgen; returns its folder. Never by the package manager: that would
/// bring half of LLVM to a machine that only runs the checks.
pub(crate) fn libclang() -> Result<PathBuf, Failure> {
    if let Some(chosen) = std::env::var_os("LIBCLANG_PATH").filter(|value| !value.is_empty()) {
        return Ok(chosen.into());
    }
    let names = ["so", "dylib", "dll"].map(|ending| format!("clang/native/libclang.{ending}"));
    let names = names.each_ref().map(String::as_str);
    let ours = CLANG_SOURCES.iter().find_map(|source| match source {
        Source::Private => LIBCLANG.installed_file(&names),
        Source::Pypi => {
            say("libclang not found: installing it from PyPI into .xtask/libclang");
            LIBCLANG.install(&names).inspect_err(|why| say(why)).ok()
        }
        Source::System => system_libclang(),
    });
    ours.and_then(|file| file.parent().map(Path::to_path_buf)).ok_or_else(|| {
        Failure::new("libclang not found; install it (Debian: libclang-dev) or set LIBCLANG_PATH to its folder")
    })
}

/// The pinned one before the system's, so that everybody generates the same text.
const CLANG_SOURCES: &[Source] = &[Source::Private, Source::Pypi, Source::System];

enum Source {
    Private,
    Pypi,
    System,
}

fn system_libclang() -> Option<PathBuf> {
    let fixed = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib", "/usr/local/opt/llvm/lib"];
    let mut folders: Vec<PathBuf> = fixed.into_iter().map(PathBuf::from).collect();
    folders.push("/Library/Developer/CommandLineTools/usr/lib".into());
    folders.push(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH).into());
    folders.extend(
        entries(Path::new("/usr/lib")).filter(|dir| file_name(dir).starts_with("llvm")).map(|dir| dir.join("lib")),
    );
    folders.iter().flat_map(|dir| entries(dir)).find(|file| {
        let name = file_name(file);
        // libclang-cpp is the C++ interface, which bindgen cannot use.
        name.starts_with("libclang")
            && !name.starts_with("libclang-cpp")
            && (name.contains(".so") || name.ends_with(".dylib"))
    })
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a program of this name starts and knows its version. A shim that only says that the program is
/// not installed does not count.
fn has_program(name: &str) -> bool {
    answers(Command::new(name).arg("--version"))
}

fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn tools_go_in_front_of_path_and_leave_it_alone_when_there_are_none() {
        let path_of = |tools: &Tools| {
            let mut command = Command::new("x");
            tools.apply(&mut command);
            command.get_envs().find(|(name, _)| *name == "PATH").map(|(_, value)| value.unwrap().to_owned())
        };
        assert_eq!(path_of(&Tools::default()), None);
        let mut tools = Tools::default();
        tools.add_folder_of(Path::new("some/folder/cmake"));
        let path = path_of(&tools).unwrap();
        assert_eq!(std::env::split_paths(&path).next(), Some(PathBuf::from("some/folder")));
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        assert!(!has_program("no-such-program-anywhere"));
        assert_eq!(cmake_version(Path::new("no-such-program-anywhere")), None);
    }
}
