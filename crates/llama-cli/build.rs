//! Tells the program what it was built with; `llama-cli doctor` shows it.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let version =
        version.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or("rustc of unknown version");
    println!("cargo::rustc-env=LLAMA_CLI_RUSTC={version}");
    for (name, variable) in [("TARGET", "LLAMA_CLI_TARGET"), ("PROFILE", "LLAMA_CLI_PROFILE")] {
        let value = env::var(name).unwrap_or_else(|_| "unknown".to_owned());
        println!("cargo::rustc-env={variable}={value}");
    }
}
