//! Which instructions the CPU code of ggml may use.
//!
//! Each flag is set by us. Upstream's own "native" leaves it to the compiler's `-march=native`, which also turns AMX on,
//! and with gcc 12 that code dies of an illegal instruction or a bad access on the first matrix it multiplies: the
//! compiler drops most of the tile configuration. So AMX is never used (`cmake/CMakeLists.txt` takes it out of the variants of
//! `dynamic-backends`), and "native" on x86 means what the processor that builds says it can, instruction set by
//! instruction set.

use crate::env::Cpu;

/// Each flag, with whether the portable profile (x86-64-v3) has it.
const X86: &[(&str, bool)] = &[
    ("GGML_SSE42", true),
    ("GGML_AVX", true),
    ("GGML_AVX2", true),
    ("GGML_BMI2", true),
    ("GGML_FMA", true),
    ("GGML_F16C", true),
    ("GGML_AVX_VNNI", false),
    ("GGML_AVX512", false),
    ("GGML_AVX512_VBMI", false),
    ("GGML_AVX512_VNNI", false),
    ("GGML_AVX512_BF16", false),
    ("GGML_AMX_TILE", false),
    ("GGML_AMX_INT8", false),
    ("GGML_AMX_BF16", false),
];

/// Vector units of other architectures, which have no portable baseline to stand on.
const OTHER: &[&str] = &[
    "GGML_LASX",
    "GGML_LSX",
    "GGML_RVV",
    "GGML_RV_ZFH",
    "GGML_RV_ZVFH",
    "GGML_RV_ZICBOP",
    "GGML_RV_ZIHINTPAUSE",
    "GGML_VXE",
];

/// Every flag of upstream's CPU backend, on or off.
pub(crate) fn flags(cpu: Cpu, target_arch: &str) -> Vec<(&'static str, bool)> {
    let native = cpu == Cpu::Native;
    let x86 = target_arch == "x86_64" || target_arch == "x86";
    let mut flags = vec![("GGML_NATIVE", native && !x86)];
    for &(name, portable) in X86 {
        flags.push((name, if native { x86 && detected(name) } else { portable && cpu == Cpu::Portable }));
    }
    flags.extend(OTHER.iter().map(|&name| (name, native)));
    flags
}

/// Whether the processor this runs on, and its system, can do what a flag turns on.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn detected(flag: &str) -> bool {
    use std::arch::is_x86_feature_detected as has;
    match flag {
        "GGML_SSE42" => has!("sse4.2"),
        "GGML_AVX" => has!("avx"),
        "GGML_AVX2" => has!("avx2"),
        "GGML_BMI2" => has!("bmi2"),
        "GGML_FMA" => has!("fma"),
        "GGML_F16C" => has!("f16c"),
        "GGML_AVX_VNNI" => has!("avxvnni") && compiles("-mavxvnni"),
        "GGML_AVX512" => {
            has!("avx512f") && has!("avx512cd") && has!("avx512vl") && has!("avx512dq") && has!("avx512bw")
        }
        "GGML_AVX512_VBMI" => detected("GGML_AVX512") && has!("avx512vbmi"),
        "GGML_AVX512_VNNI" => detected("GGML_AVX512") && has!("avx512vnni"),
        "GGML_AVX512_BF16" => detected("GGML_AVX512") && has!("avx512bf16") && compiles("-mavx512bf16"),
        _ => false,
    }
}

/// Processors may be newer than compilers.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn compiles(flag: &str) -> bool {
    let mut build = cc::Build::new();
    build.cpp(true).cargo_metadata(false).cargo_warnings(false);
    build.try_get_compiler().is_ok_and(|compiler| compiler.is_like_msvc())
        || build.is_flag_supported(flag).unwrap_or(false)
}

/// The host is another kind of processor than the target: nothing is known of the target.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
fn detected(_flag: &str) -> bool {
    false
}
