//! The processor, the memory and the terminal.

use llama_core::{Device, DeviceKind, kernels_in_use, system_info, why_no_kernels};
use serde::Serialize;

use super::Problem;
use crate::ui;

/// Free memory below which hardly any model runs.
const LITTLE: u64 = 512 << 20;

/// The processor.
#[derive(Debug, Serialize)]
pub(super) struct Cpu {
    pub(super) description: String,
    /// Threads that this process may run at once.
    pub(super) threads: usize,
    pub(super) features: Vec<Feature>,
}

/// A set of instructions.
#[derive(Debug, Serialize)]
pub(super) struct Feature {
    /// llama.cpp's name.
    pub(super) name: String,
    /// Whether this build of llama.cpp uses it.
    pub(super) used: bool,
    /// Whether the processor has it; `None` where that is not known.
    pub(super) available: Option<bool>,
}

/// This program's own matrix kernels.
#[derive(Debug, Serialize)]
pub(super) struct Kernels {
    pub(super) on: bool,
    /// The instructions that they use here.
    pub(super) instructions: Option<&'static str>,
    /// Why they are off.
    pub(super) why_not: Option<String>,
}

/// Main memory, in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) free: u64,
}

/// What output goes to.
#[derive(Debug, Serialize)]
pub(super) struct Terminal {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) colours: bool,
}

impl Cpu {
    pub(super) fn look(devices: &[Device], problems: &mut Vec<Problem>) -> Self {
        let features = features(&used(&system_info()));
        let names = |wanted: &dyn Fn(&Feature) -> bool| -> Vec<&str> {
            features.iter().filter(|feature| wanted(feature)).map(|feature| feature.name.as_str()).collect()
        };
        let missing = names(&|feature| feature.used && feature.available == Some(false));
        if !missing.is_empty() {
            problems.push(Problem::error(
                format!("this program uses instructions that the processor does not have: {}", missing.join(", ")),
                "build it on this machine, or without the feature `native`",
            ));
        }
        let idle = names(&|feature| !feature.used && feature.available == Some(true));
        if !idle.is_empty() {
            problems.push(Problem::warning(
                format!("the processor can do what this program does not use: {}", idle.join(", ")),
                "build the program on this machine with the feature `native`",
            ));
        }
        let cpu = devices.iter().find(|device| device.kind == DeviceKind::Cpu);
        Self {
            description: cpu.map_or_else(|| "unknown".to_owned(), |device| device.description.clone()),
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            features,
        }
    }
}

impl Kernels {
    /// What holds, after the settings were read.
    pub(super) fn look() -> Self {
        let instructions = kernels_in_use();
        Self { on: instructions.is_some(), instructions, why_not: why_no_kernels().map(|why| why.to_string()) }
    }
}

impl Memory {
    pub(super) fn look(devices: &[Device], problems: &mut Vec<Problem>) -> Self {
        let cpu = devices.iter().find(|device| device.kind == DeviceKind::Cpu);
        let (total, free) = cpu.map_or((0, 0), |device| (device.memory_total, device.memory_free));
        if total > 0 && free < LITTLE {
            problems.push(Problem::warning(
                format!("only {} MiB of main memory are free", free >> 20),
                "end other programs, or use a small model with a short context (-c)",
            ));
        }
        Self { total, free }
    }
}

impl Terminal {
    pub(super) fn look() -> Self {
        Self {
            stdin: ui::stdin_is_terminal(),
            stdout: ui::stdout_is_terminal(),
            stderr: ui::stderr_is_terminal(),
            colours: ui::stderr_has_colours(),
        }
    }
}

/// The names that llama.cpp lists with a 1 for the processor: `CPU : SSE3 = 1 | AVX2 = 1 | `, and other backends after it.
fn used(info: &str) -> Vec<String> {
    let mut of_cpu = false;
    let mut names = Vec::new();
    for part in info.split('|') {
        let setting = match part.split_once(" : ") {
            Some((backend, setting)) => {
                of_cpu = backend.trim() == "CPU";
                setting
            }
            None => part,
        };
        if let Some((name, value)) = setting.split_once('=')
            && of_cpu
            && value.trim() == "1"
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

fn features(used: &[String]) -> Vec<Feature> {
    let known = available();
    let mut features: Vec<Feature> = known
        .iter()
        .filter(|(name, available)| *available || used.iter().any(|used| used == name))
        .map(|(name, available)| Feature {
            name: (*name).to_owned(),
            used: used.iter().any(|used| used == name),
            available: Some(*available),
        })
        .collect();
    // How it was compiled stands among the instructions.
    let others = used.iter().filter(|name| known.iter().all(|(known, _)| known != name));
    features.extend(others.map(|name| Feature { name: name.clone(), used: true, available: None }));
    features
}

/// llama.cpp's names, and whether the processor has it.
#[cfg(target_arch = "x86_64")]
fn available() -> Vec<(&'static str, bool)> {
    use std::arch::is_x86_feature_detected as has;
    vec![
        ("SSE3", has!("sse3")),
        ("SSSE3", has!("ssse3")),
        ("AVX", has!("avx")),
        ("AVX2", has!("avx2")),
        ("F16C", has!("f16c")),
        ("FMA", has!("fma")),
        ("BMI2", has!("bmi2")),
        ("AVX_VNNI", has!("avxvnni")),
        ("AVX512", has!("avx512f")),
        ("AVX512_VBMI", has!("avx512vbmi")),
        ("AVX512_VNNI", has!("avx512vnni")),
        ("AVX512_BF16", has!("avx512bf16")),
    ]
}

/// As on the other processors.
#[cfg(target_arch = "aarch64")]
fn available() -> Vec<(&'static str, bool)> {
    use std::arch::is_aarch64_feature_detected as has;
    vec![
        ("NEON", has!("neon")),
        ("FP16_VA", has!("fp16")),
        ("DOTPROD", has!("dotprod")),
        ("MATMUL_INT8", has!("i8mm")),
        ("SVE", has!("sve")),
    ]
}

/// As on the other processors.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn available() -> Vec<(&'static str, bool)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_read_from_the_words_of_llama_cpp() {
        let info = "CUDA : ARCHS = 900 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX512 = 0 | REPACK = 1 | ";
        assert_eq!(used(info), ["SSE3", "REPACK"]);
        assert!(used("").is_empty());
    }

    #[test]
    fn this_build_uses_nothing_that_this_processor_lacks() {
        let mut problems = Vec::new();
        let cpu = Cpu::look(&llama_core::devices(), &mut problems);
        assert!(cpu.threads > 0);
        assert!(cpu.features.iter().all(|feature| !feature.used || feature.available != Some(false)), "{cpu:?}");
    }
}
