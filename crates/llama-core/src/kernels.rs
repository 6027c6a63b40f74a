//! Puts `llama-kernels` into ggml's CPU backend, where this libllama has the hook for it.

use std::ffi::OsStr;

#[cfg(feature = "kernels")]
use llama_kernels::{Isa, hook};
#[cfg(feature = "kernels")]
use llama_sys as ffi;

/// Why this project's own matrix kernels do not compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelsOff {
    /// By [`set_kernels`](crate::set_kernels) or [`KERNELS_VARIABLE`](crate::KERNELS_VARIABLE).
    #[error("they are switched off")]
    SwitchedOff,
    /// The feature `kernels` is off.
    #[error("the program was built without the feature `kernels`")]
    NotCompiled,
    /// There is nothing for this processor.
    #[error("the processor has none of the instructions that they use")]
    Processor,
    /// An installed libllama, or a checkout without our patch.
    #[error("this libllama was built without the hook that they need")]
    NoHook,
}

/// What the variable's value says; `None` for what is no answer. An empty one is as none.
pub(crate) fn wanted(value: Option<&OsStr>) -> Option<bool> {
    match value.map_or(Some(""), OsStr::to_str)?.trim() {
        "" => Some(true),
        text => on_or_off(text),
    }
}

/// The words for on and off that llama.cpp's programs know, in capitals or not; `None` for every other text.
pub fn on_or_off(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "1" | "true" | "enabled" => Some(true),
        "off" | "0" | "false" | "disabled" => Some(false),
        _ => None,
    }
}

/// Sets or clears the hook. Says why our kernels do not compute from the next graph on, if they do not.
#[cfg(feature = "kernels")]
pub(crate) fn set(on: bool) -> Result<(), KernelsOff> {
    if on && !hook::is_useful() {
        return Err(KernelsOff::Processor);
    }
    if !give(on.then_some(hook::mul_mat as hook::Hook)) {
        return Err(KernelsOff::NoHook);
    }
    if on { Ok(()) } else { Err(KernelsOff::SwitchedOff) }
}

/// Gives ggml's CPU backend a hook, or takes it away. Whether it has a place for one.
#[cfg(feature = "kernels")]
fn give(hook: Option<hook::Hook>) -> bool {
    type Setter = unsafe extern "C" fn(Option<hook::Hook>);
    // SAFETY: backends are registered, and a registered one lives as long as the process; names are NUL-terminated. The
    // function of this name takes a hook or null, at any time, by the patch that adds it.
    unsafe {
        let cpu = ffi::ggml_backend_reg_by_name(c"CPU".as_ptr());
        if cpu.is_null() {
            return false;
        }
        let setter = ffi::ggml_backend_reg_get_proc_address(cpu, hook::SETTER.as_ptr());
        if setter.is_null() {
            return false;
        }
        std::mem::transmute::<*mut std::ffi::c_void, Setter>(setter)(hook);
    }
    true
}

/// There are none without the feature `kernels`.
#[cfg(not(feature = "kernels"))]
pub(crate) fn set(_on: bool) -> Result<(), KernelsOff> {
    Err(KernelsOff::NotCompiled)
}

/// The instructions that the kernels use on this processor, for people.
pub(crate) fn name() -> &'static str {
    #[cfg(feature = "kernels")]
    return Isa::best().name();
    #[cfg(not(feature = "kernels"))]
    "none"
}

/// Whether they gain more than llama.cpp's kernels for repacked weights, with any number of columns. Only where that was
/// measured: with fewer instructions, wide prompts fall through to llama.cpp, which is slower with weights as the file has them;
/// on ARM, llama.cpp repacks more types and has instructions for them that ours do not use.
pub(crate) fn want_file_layout() -> bool {
    #[cfg(feature = "kernels")]
    return matches!(Isa::best(), Isa::Avx512Vnni);
    #[cfg(not(feature = "kernels"))]
    false
}

#[cfg(all(test, feature = "kernels"))]
mod tests;

#[cfg(test)]
mod variable {
    use super::*;

    #[test]
    fn the_variable_is_read_as_people_write_it() {
        for on in ["on", "1", "TRUE", " enabled ", ""] {
            assert_eq!(wanted(Some(OsStr::new(on))), Some(true), "{on}");
        }
        for off in ["off", "0", "False", "disabled"] {
            assert_eq!(wanted(Some(OsStr::new(off))), Some(false), "{off}");
        }
        assert_eq!(wanted(None), Some(true));
        assert_eq!(wanted(Some(OsStr::new("maybe"))), None);
    }
}
