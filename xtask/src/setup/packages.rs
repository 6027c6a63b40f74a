//! Installs tools by the system's package manager, as root or with a sudo that asks for no password.

use std::process::{Command, Stdio};

use super::{answers, has_program, say};
use crate::outcome::Failure;

/// A tool that the build cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Compiler,
    Make,
    Cmake,
}

/// How one package manager is used without questions.
#[derive(Debug)]
struct Manager {
    program: &'static str,
    install: &'static [&'static str],
    /// Brings the lists of packages up to date; run only when an install failed, as fresh images have none.
    refresh: &'static [&'static str],
    compiler: &'static [&'static str],
    make: &'static [&'static str],
    cmake: &'static [&'static str],
    /// Homebrew refuses to run as root.
    as_root: bool,
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        install: &["install", "-y", "--no-install-recommends"],
        refresh: &["update"],
        compiler: &["g++", "libc6-dev"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: true,
    },
    Manager {
        program: "dnf",
        install: &["install", "-y"],
        refresh: &["makecache"],
        compiler: &["gcc-c++"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: true,
    },
    Manager {
        program: "pacman",
        install: &["-S", "--noconfirm", "--needed"],
        refresh: &["-Sy", "--noconfirm"],
        compiler: &["gcc"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: true,
    },
    Manager {
        program: "apk",
        install: &["add"],
        refresh: &["update"],
        compiler: &["g++"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: true,
    },
    Manager {
        program: "zypper",
        install: &["--non-interactive", "install"],
        refresh: &["--non-interactive", "refresh"],
        compiler: &["gcc-c++"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: true,
    },
    Manager {
        program: "brew",
        install: &["install"],
        refresh: &["update"],
        compiler: &["gcc"],
        make: &["make"],
        cmake: &["cmake"],
        as_root: false,
    },
];

impl Manager {
    fn packages(&self, need: Need) -> &'static [&'static str] {
        match need {
            Need::Compiler => self.compiler,
            Need::Make => self.make,
            Need::Cmake => self.cmake,
        }
    }

    /// The words of a command line that installs what is needed.
    fn install_line(&self, need: Need, rights: Rights) -> Vec<&'static str> {
        self.line(rights, &[self.install, self.packages(need)].concat())
    }

    fn line(&self, rights: Rights, args: &[&'static str]) -> Vec<&'static str> {
        // Through `env`, because sudo drops most of the environment.
        let prefix: &[&str] = match rights {
            Rights::Sudo => &["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"],
            Rights::Own if self.as_root => &["env", "DEBIAN_FRONTEND=noninteractive"],
            Rights::Own => &[],
        };
        [prefix, &[self.program], args].concat()
    }

    /// How this process may use the manager, if at all.
    fn rights(&self) -> Option<Rights> {
        let root = is_root();
        match (self.as_root, root) {
            (true, true) | (false, false) => Some(Rights::Own),
            (true, false) if answers(Command::new("sudo").args(["-n", "true"])) => Some(Rights::Sudo),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Own,
    Sudo,
}

/// Installs what is needed, or says in one sentence what the person should install.
pub(super) fn install(need: Need) -> Result<(), Failure> {
    let manager = MANAGERS.iter().find(|manager| has_program(manager.program));
    let Some((manager, rights)) = manager.and_then(|manager| Some((manager, manager.rights()?))) else {
        return Err(missing(need));
    };
    let line = manager.install_line(need, rights);
    say(&format!("running `{}`", line.join(" ")));
    if run(&line) {
        return Ok(());
    }
    let refresh = manager.line(rights, manager.refresh);
    say(&format!("running `{}`, then the same again", refresh.join(" ")));
    if run(&refresh) && run(&line) { Ok(()) } else { Err(missing(need)) }
}

/// The sentence for a person whose machine could not be prepared.
pub(super) fn missing(need: Need) -> Failure {
    let what = match need {
        Need::Compiler => "a C++ compiler was not found and could not be installed",
        Need::Make => "neither make nor ninja was found, and neither could be installed",
        Need::Cmake => "cmake 3.20 or newer was not found and could not be installed",
    };
    let manager = MANAGERS.iter().find(|manager| has_program(manager.program));
    let advice = manager.map_or_else(|| "install it".to_owned(), |manager| advice(manager, need));
    Failure::new(format!("{what}: {advice}, then run this command again"))
}

fn advice(manager: &Manager, need: Need) -> String {
    let sudo = if manager.as_root { "sudo " } else { "" };
    format!("run `{sudo}{} {} {}`", manager.program, manager.install.join(" "), manager.packages(need).join(" "))
}

/// Runs a command line with nothing to read; its output belongs to the progress, so all of it goes to stderr.
fn run(line: &[&str]) -> bool {
    let Some((program, args)) = line.split_first() else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(std::io::stderr());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").stdin(Stdio::null()).stderr(Stdio::null()).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn manager(program: &str) -> &'static Manager {
        MANAGERS.iter().find(|manager| manager.program == program).unwrap()
    }

    #[test]
    fn root_installs_directly_and_others_by_sudo_that_cannot_ask() {
        let apt = manager("apt-get");
        let direct = apt.install_line(Need::Cmake, Rights::Own).join(" ");
        assert_eq!(direct, "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends cmake");
        let sudo = apt.install_line(Need::Cmake, Rights::Sudo).join(" ");
        assert_eq!(sudo, format!("sudo -n {direct}"));
        assert_eq!(manager("brew").install_line(Need::Cmake, Rights::Own).join(" "), "brew install cmake");
    }

    #[test]
    fn every_manager_knows_a_package_for_every_need() {
        for manager in MANAGERS {
            for need in [Need::Compiler, Need::Make, Need::Cmake] {
                assert!(!manager.packages(need).is_empty(), "{} {need:?}", manager.program);
            }
        }
    }

    #[test]
    fn the_advice_is_a_command_to_type() {
        let text = advice(manager("apt-get"), Need::Compiler);
        assert_eq!(text, "run `sudo apt-get install -y --no-install-recommends g++ libc6-dev`");
    }

    #[test]
    fn a_failed_preparation_says_what_to_install() {
        let text = missing(Need::Cmake).to_string();
        assert!(
            text.starts_with("cmake 3.20 or newer was not found") && text.ends_with("run this command again"),
            "{text}"
        );
    }
}
