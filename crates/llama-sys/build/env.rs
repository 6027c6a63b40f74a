//! Everything the build is told: features, cargo's own variables, and those a person may set. Only this file
//! reads the environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The variables that decide which compilers and kits are found.
const TOOLCHAIN: [&str; 10] = [
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "CMAKE_TOOLCHAIN_FILE",
    "CMAKE_PREFIX_PATH",
    "CUDACXX",
    "CUDA_PATH",
    "VULKAN_SDK",
    "MACOSX_DEPLOYMENT_TARGET",
];

/// The other variables that are looked at.
const OURS: &[&str] = &[
    "DOCS_RS",
    "LLAMA_CPP_DIR",
    "LLAMA_LIB_DIR",
    "LLAMA_INCLUDE_DIR",
    "LLAMA_LINK_LIBS",
    "LLAMA_BACKEND_DIR",
    "LLAMA_SYS_CXX_DEBUG",
    "CMAKE",
    "CMAKE_GENERATOR",
    "CMAKE_CUDA_ARCHITECTURES",
];

/// What to build, read once.
#[derive(Debug)]
pub(crate) struct Plan {
    pub features: Features,
    pub target: Target,
    pub cpu: Cpu,
    pub crate_dir: PathBuf,
    pub out_dir: PathBuf,
    /// Where C++ is built. Shared by the cargo profiles of one target folder, because C++ is compiled the same
    /// way for all of them.
    pub native_dir: PathBuf,
    pub cargo: OsString,
    /// `DOCS_RS`: declarations only.
    pub docs_only: bool,
    /// `LLAMA_CPP_DIR`: a checkout of llama.cpp to build instead of the pinned one.
    pub checkout: Option<PathBuf>,
    /// `LLAMA_LIB_DIR`: an installed libllama to link instead of building one.
    pub installed: Option<Installed>,
    /// `LLAMA_BACKEND_DIR`: where a program built with `dynamic-backends` looks for them.
    pub backend_dir: Option<PathBuf>,
    /// `LLAMA_SYS_CXX_DEBUG=1`: compile the C++ unoptimised, with symbols.
    pub cxx_debug: bool,
    pub cmake: OsString,
    /// `CMAKE_GENERATOR`; without one, Ninja where it is installed.
    pub generator: Option<String>,
    /// `CMAKE_CUDA_ARCHITECTURES`, as CMake understands it.
    pub cuda_architectures: Option<String>,
    /// `CUDACXX`.
    pub cuda_compiler: Option<OsString>,
    /// Whether `VULKAN_SDK` names an SDK.
    pub vulkan_sdk: bool,
    /// The settings that CMake and the compiler drivers read by themselves; a change means another build.
    pub toolchain: String,
}

/// `LLAMA_LIB_DIR` and `LLAMA_INCLUDE_DIR`, each one folder or several, separated as in `PATH`;
/// `LLAMA_LINK_LIBS`, the names of further libraries that a static libllama with GPU backends needs.
#[derive(Debug)]
pub(crate) struct Installed {
    pub lib_dirs: Vec<PathBuf>,
    pub include_dirs: Vec<PathBuf>,
    pub more_libs: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Features {
    pub openmp: bool,
    pub metal: bool,
    pub cuda: bool,
    pub vulkan: bool,
    pub rpc: bool,
    pub dynamic_backends: bool,
    pub bindgen: bool,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub arch: String,
    pub env: String,
    pub apple: bool,
}

/// Which CPUs the code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cpu {
    /// The machine that builds.
    Native,
    /// x86-64-v3, or armv8.2 with dot products.
    Portable,
    /// One library per generation, chosen when the program starts.
    Variants,
}

pub(crate) fn read() -> Plan {
    let out_dir = PathBuf::from(cargo("OUT_DIR"));
    let features = Features {
        openmp: feature("OPENMP"),
        metal: feature("METAL"),
        cuda: feature("CUDA"),
        vulkan: feature("VULKAN"),
        rpc: feature("RPC"),
        dynamic_backends: feature("DYNAMIC_BACKENDS"),
        bindgen: feature("BINDGEN"),
    };
    let same_cpu = cargo("HOST").split('-').next() == cargo("TARGET").split('-').next();
    Plan {
        cpu: match features.dynamic_backends {
            true => Cpu::Variants,
            false if feature("NATIVE") && same_cpu => Cpu::Native,
            false => Cpu::Portable,
        },
        features,
        target: Target {
            arch: cargo("CARGO_CFG_TARGET_ARCH"),
            env: cargo("CARGO_CFG_TARGET_ENV"),
            apple: cargo("CARGO_CFG_TARGET_VENDOR") == "apple",
        },
        crate_dir: cargo("CARGO_MANIFEST_DIR").into(),
        native_dir: native_dir(&out_dir),
        out_dir,
        cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        docs_only: ours("DOCS_RS").is_some(),
        checkout: ours("LLAMA_CPP_DIR").map(|dir| absolute(Path::new(&dir))),
        installed: installed(),
        backend_dir: ours("LLAMA_BACKEND_DIR").map(PathBuf::from),
        cxx_debug: ours("LLAMA_SYS_CXX_DEBUG").is_some_and(|value| value != "0"),
        cmake: ours("CMAKE").unwrap_or_else(|| "cmake".into()),
        generator: text("CMAKE_GENERATOR"),
        cuda_architectures: text("CMAKE_CUDA_ARCHITECTURES"),
        cuda_compiler: ours("CUDACXX"),
        vulkan_sdk: ours("VULKAN_SDK").is_some(),
        toolchain: TOOLCHAIN.map(|name| text(name).unwrap_or_default()).join("\n") + &cargo("TARGET"),
    }
}

/// Tells cargo which variables to build again for. Last, because a build that fails is tried again anyhow, and cargo
/// repeats all that it said below the one sentence that matters.
pub(crate) fn watch() {
    for name in OURS.iter().chain(&TOOLCHAIN) {
        println!("cargo::rerun-if-env-changed={name}");
    }
}

fn installed() -> Option<Installed> {
    let lib_dirs = list("LLAMA_LIB_DIR");
    let include_dirs = list("LLAMA_INCLUDE_DIR").unwrap_or_default();
    let more_libs = text("LLAMA_LINK_LIBS").unwrap_or_default();
    lib_dirs.map(|lib_dirs| Installed {
        lib_dirs,
        include_dirs,
        more_libs: more_libs.split_whitespace().map(str::to_owned).collect(),
    })
}

/// `<target folder>/llama-native`, four steps above `OUT_DIR`.
fn native_dir(out_dir: &Path) -> PathBuf {
    out_dir.ancestors().nth(4).unwrap_or(out_dir).join("llama-native")
}

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}

/// A variable that cargo sets for every build program.
fn cargo(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// A variable that a person may set; empty counts as unset.
fn ours(name: &str) -> Option<OsString> {
    assert!(OURS.contains(&name) || TOOLCHAIN.contains(&name), "{name} is looked at but not watched");
    env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    ours(name).map(|value| value.to_string_lossy().into_owned())
}

fn list(name: &str) -> Option<Vec<PathBuf>> {
    ours(name).map(|value| env::split_paths(&value).map(|dir| absolute(&dir)).collect())
}

fn absolute(dir: &Path) -> PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}
