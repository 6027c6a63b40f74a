//! Tells cargo what to link and what was built. The list is CMake's own: its File-API says how an executable
//! that uses our libraries would be linked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cmake::Libs;
use crate::env::{Cpu, Plan};
use crate::file_api::{Link, Reply};
use crate::source::Tree;
use crate::{fail, shim};

/// Constants of the crate, wanted with and without a native build.
pub(crate) fn describe(plan: &Plan, pinned_version: &str) {
    let source = match (&plan.installed, &plan.checkout) {
        (Some(installed), _) => format!("installed {}", join(&installed.lib_dirs)),
        (None, Some(dir)) => format!("checkout {}", dir.display()),
        (None, None) => "pinned".to_owned(),
    };
    let features = &plan.features;
    let cpu = match plan.cpu {
        Cpu::Native => "native",
        Cpu::Portable => "portable",
        Cpu::Variants => "variants",
    };
    let mut parts = vec![format!("cpu={cpu}")];
    for (on, name) in [
        (features.openmp, "openmp"),
        (features.metal && plan.target.apple, "metal"),
        (features.cuda, "cuda"),
        (features.vulkan, "vulkan"),
        (features.rpc, "rpc"),
        (features.dynamic_backends, "dynamic-backends"),
        (plan.cxx_debug, "c++ debug"),
    ] {
        if on {
            parts.push(name.to_owned());
        }
    }
    let build = if plan.installed.is_some() { "as installed".to_owned() } else { parts.join(" ") };
    println!("cargo::rustc-env=LLAMA_SYS_SOURCE={source}");
    println!("cargo::rustc-env=LLAMA_SYS_PINNED_VERSION={pinned_version}");
    println!("cargo::rustc-env=LLAMA_SYS_BUILD_INFO={build}");
}

pub(crate) fn emit(plan: &Plan, tree: &Tree, libs: &Libs) {
    println!("cargo::rustc-link-search=native={}", plan.out_dir.display());
    println!("cargo::rustc-link-lib=static={}", shim::NAME);
    let reply = Reply::read(&libs.build_dir).unwrap_or_else(|error| {
        fail(format!("CMake did not describe its build ({error}): cmake 3.20 or newer is needed"))
    });
    let mut shared_dirs = Vec::new();
    println!("cargo::rustc-link-search=native={}", libs.build_dir.display());
    println!("cargo::rustc-link-lib=static=llama_sys_chat");
    for item in reply.libraries().iter().filter(|item| !item.contains("llama_sys_chat")) {
        match Link::parse(item, &libs.build_dir) {
            Link::File { dir, name, shared } => {
                let kind = if shared { "dylib" } else { "static" };
                println!("cargo::rustc-link-search=native={}", dir.display());
                println!("cargo::rustc-link-lib={kind}={name}");
                let upstream = name.starts_with("llama") || name.starts_with("ggml");
                if shared && upstream && !shared_dirs.contains(&dir) {
                    shared_dirs.push(dir);
                }
            }
            Link::Name(name) => println!("cargo::rustc-link-lib=dylib={name}"),
            Link::Framework(name) => println!("cargo::rustc-link-lib=framework={name}"),
            Link::Setting => {}
        }
    }
    for name in reply.cxx_runtime() {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
    let run_dir = plan.out_dir.join("lib");
    if !shared_dirs.is_empty() {
        show_to_cargo_run(&shared_dirs, &run_dir);
    }
    println!("cargo::metadata=include={}", join(&tree.includes));
    println!("cargo::metadata=root={}", libs.build_dir.display());
    println!("cargo::metadata=libdir={}", if shared_dirs.is_empty() { &libs.build_dir } else { &run_dir }.display());
    println!("cargo::metadata=version={}", tree.name);
    if plan.cpu == Cpu::Variants {
        println!("cargo::metadata=backends_dir={}", libs.build_dir.join("bin").display());
    }
    let headers = tree.includes.iter().cloned().chain([plan.crate_dir.join("shim")]);
    println!("cargo::rustc-env=LLAMA_SYS_HEADERS={}", join(&headers.collect::<Vec<_>>()));
}

/// `cargo run` and `cargo test` look for shared libraries in folders below `OUT_DIR` only.
fn show_to_cargo_run(dirs: &[PathBuf], run_dir: &Path) {
    let _ = fs::remove_dir_all(run_dir);
    let made = fs::create_dir_all(run_dir);
    for entry in dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.contains("llama") || name.contains("ggml");
        if ours && (name.contains(".so") || name.contains(".dylib") || name.contains(".dll")) {
            let _ = point_to(&entry.path(), &run_dir.join(&name));
        }
    }
    match made {
        Ok(()) => println!("cargo::rustc-link-search=native={}", run_dir.display()),
        Err(error) => println!("cargo::warning=cannot make {}: {error}", run_dir.display()),
    }
}

#[cfg(unix)]
fn point_to(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn point_to(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to).map(drop)
}

fn join(dirs: &[PathBuf]) -> String {
    std::env::join_paths(dirs).unwrap_or_default().to_string_lossy().into_owned()
}
