//! Runs CMake: which definitions each feature and CPU profile means, and one build of what is linked.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::env::{Cpu, Plan};
use crate::source::Tree;
use crate::{cpu, fail, fingerprint, installed};

pub(crate) const NO_COMPILER: &str = "no C++ compiler found: install one (Debian: g++, Fedora: gcc-c++, macOS: xcode-select --install, Windows: Visual Studio Build Tools) or set CXX";
const NO_CMAKE: &str = "cmake not found: install cmake 3.20 or newer (Debian, Fedora: cmake, macOS: brew install cmake, any: pip install cmake) or set CMAKE to it";
const NO_MAKE: &str = "cmake needs Ninja or make: install one (Debian, Fedora: ninja-build, macOS: brew install ninja, any: pip install ninja) or set CMAKE_GENERATOR";
const FAILED: &str = "CMake could not configure or build llama.cpp; what it said follows";
const NO_NVCC: &str =
    "the feature `cuda` needs the CUDA toolkit: install it and put nvcc on the PATH, or set CUDACXX to it";
const NO_GLSLC: &str = "the feature `vulkan` needs the shader compiler glslc and Vulkan's and SPIR-V's headers: install them (Debian: glslc libvulkan-dev spirv-headers) or the Vulkan SDK";

const PROJECT: &[(&str, &str)] =
    &[("CMakeLists.txt", include_str!("../cmake/CMakeLists.txt")), ("probe.cpp", include_str!("../cmake/probe.cpp"))];

/// Never wanted here: other vendors' backends, programs, downloads during the build.
const OFF: &[&str] = &[
    "LLAMA_BUILD_COMMON",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_TOOLS",
    "LLAMA_BUILD_EXAMPLES",
    "LLAMA_BUILD_SERVER",
    "LLAMA_BUILD_APP",
    "LLAMA_OPENSSL",
    "LLAMA_SUBPROCESS",
    "LLAMA_LLGUIDANCE",
    "GGML_BLAS",
    "GGML_CPU_HBM",
    "GGML_CPU_KLEIDIAI",
    "GGML_CUDA_NCCL",
    "GGML_OPENMP_FETCH",
    "GGML_RPC_RDMA",
    "GGML_RV_ZVFBFWMA",
    "GGML_XTHEADVECTOR",
    "GGML_LTO",
    "GGML_STATIC",
];

/// A finished build.
#[derive(Debug)]
pub(crate) struct Libs {
    /// CMake's build folder, with its File-API reply.
    pub build_dir: PathBuf,
}

pub(crate) fn build(plan: &Plan, tree: &Tree) -> Libs {
    let generator =
        plan.generator.clone().or_else(|| (plan.target.env != "msvc" && runs("ninja")).then(|| "Ninja".to_owned()));
    let mut defines = definitions(plan, tree);
    let key = fingerprint::of_text(&format!("{generator:?}\n{defines:?}\n{}\n{:?}", plan.toolchain, plan.cmake));
    let root = plan.native_dir.join(format!("{}-{key}", tree.name));
    let (project, build_dir) = (root.join("project"), root.join("build"));
    if plan.cpu == Cpu::Variants && plan.installed.is_none() {
        let dir = plan.backend_dir.clone().unwrap_or_else(|| build_dir.join("bin"));
        defines.push(("GGML_BACKEND_DIR".to_owned(), dir.display().to_string()));
    }
    write_project(&project).unwrap_or_else(|error| fail(format!("cannot write to {}: {error}", root.display())));
    panic::set_hook(Box::new(|_| ()));
    let mut config = ::cmake::Config::new(project);
    config.out_dir(&root).profile(if plan.cxx_debug { "Debug" } else { "Release" });
    if let Some(generator) = generator {
        config.generator(generator);
    }
    for (name, value) in defines {
        config.define(name, value);
    }
    // What it links, llama and the backends, is built before it.
    config.build_target("llama_sys_chat");
    // A build folder that was moved here is emptied by the first run, our question with it.
    for _ in 0..2 {
        ask(&build_dir).unwrap_or_else(|error| fail(format!("cannot write to {}: {error}", root.display())));
        if panic::catch_unwind(AssertUnwindSafe(|| drop(config.build()))).is_err() {
            fail(FAILED);
        }
        if build_dir.join(".cmake/api/v1/reply").is_dir() {
            break;
        }
    }
    Libs { build_dir }
}

/// Leaves a question for CMake's File-API, which `file_api` reads the answer to.
fn ask(build_dir: &Path) -> std::io::Result<()> {
    let query = build_dir.join(".cmake/api/v1/query");
    fs::create_dir_all(&query)?;
    fs::write(query.join("codemodel-v2"), "")?;
    fs::write(query.join("toolchains-v1"), "")
}

/// A copy beside the build folder, so that every copy of this crate that shares a target folder shares the build.
fn write_project(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    for (name, text) in PROJECT {
        let path = dir.join(name);
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::write(path, text)?;
        }
    }
    Ok(())
}

fn definitions(plan: &Plan, tree: &Tree) -> Vec<(String, String)> {
    let mut defines = vec![("LLAMA_SYS_TREE".to_owned(), cmake_path(&tree.dir))];
    let unity = if plan.checkout.is_none() { "ON" } else { "OFF" };
    defines.push(("LLAMA_SYS_UNITY".to_owned(), unity.to_owned()));
    defines.push(("LLAMA_BUILD_NUMBER".to_owned(), "0".to_owned()));
    defines.push(("LLAMA_BUILD_COMMIT".to_owned(), tree.name.clone()));
    if let Some(installed) = &plan.installed {
        let libraries = installed::libraries(installed).unwrap_or_else(|error| fail(error));
        defines.push(("LLAMA_SYS_LIBS".to_owned(), libraries.join(";")));
        let includes: Vec<_> = tree.includes.iter().map(|dir| cmake_path(dir)).collect();
        defines.push(("LLAMA_SYS_INCLUDES".to_owned(), includes.join(";")));
        return defines;
    }
    let features = &plan.features;
    let mut set = |name: &str, on: bool| defines.push((name.to_owned(), if on { "ON" } else { "OFF" }.to_owned()));
    set("BUILD_SHARED_LIBS", features.dynamic_backends);
    set("GGML_BACKEND_DL", features.dynamic_backends);
    set("GGML_CPU_ALL_VARIANTS", plan.cpu == Cpu::Variants);
    set("GGML_CPU", true);
    set("GGML_CPU_REPACK", true);
    set("GGML_LLAMAFILE", true);
    set("GGML_CCACHE", true);
    set("GGML_OPENMP", features.openmp);
    set("GGML_ACCELERATE", plan.target.apple);
    set("GGML_METAL", features.metal && plan.target.apple);
    set("GGML_METAL_EMBED_LIBRARY", features.metal && plan.target.apple);
    set("GGML_CUDA", features.cuda);
    set("GGML_CUDA_GRAPHS", features.cuda);
    set("GGML_VULKAN", features.vulkan);
    set("GGML_RPC", features.rpc);
    for (name, on) in cpu::flags(plan.cpu, &plan.target.arch) {
        set(name, on);
    }
    for name in OFF {
        set(name, false);
    }
    let arm = plan.cpu == Cpu::Portable && plan.target.arch == "aarch64";
    let mut text = |name: &str, value: &str| defines.push((name.to_owned(), value.to_owned()));
    text("GGML_CPU_ARM_ARCH", if arm { "armv8.2-a+dotprod" } else { "" });
    text("GGML_CPU_POWERPC_CPUTYPE", "");
    // Upstream would ask git, which may answer about the repository that the target folder lies in.
    text("GIT_EXE", "");
    text("GIT_EXECUTABLE", "");
    if let Some(list) = plan.cuda_architectures.as_ref().filter(|_| features.cuda) {
        text("CMAKE_CUDA_ARCHITECTURES", list);
    }
    defines
}

/// One sentence about what is missing, before CMake answers with a page.
pub(crate) fn check_tools(plan: &Plan) {
    if !runs(&plan.cmake) {
        fail(NO_CMAKE);
    }
    let compiler = cc::Build::new().cpp(true).cargo_metadata(false).cargo_warnings(false).try_get_compiler();
    if !compiler.is_ok_and(|compiler| plan.target.env == "msvc" || runs(compiler.path())) {
        fail(NO_COMPILER);
    }
    if cfg!(unix) && plan.generator.is_none() && !["ninja", "make", "gmake"].iter().any(runs) {
        fail(NO_MAKE);
    }
    if plan.installed.is_some() {
        return;
    }
    let nvcc = plan.cuda_compiler.clone().unwrap_or_else(|| "nvcc".into());
    if plan.features.cuda && !runs(nvcc) && !runs("/usr/local/cuda/bin/nvcc") {
        fail(NO_NVCC);
    }
    if plan.features.vulkan && !plan.vulkan_sdk && !runs("glslc") {
        fail(NO_GLSLC);
    }
}

/// CMake takes a backslash for an escape.
pub(crate) fn cmake_path(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

fn runs(program: impl AsRef<std::ffi::OsStr>) -> bool {
    let quiet = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok()
}
