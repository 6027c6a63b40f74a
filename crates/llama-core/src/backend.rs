//! Process-wide start of llama.cpp.

use crate::{log, raw};
use llama_sys as ffi;
use std::sync::OnceLock;

/// Proof that llama.cpp's process-wide state is set up: timers, backends, log.
///
/// It is set up once, by whoever comes first, and stays for the life of the process: upstream's only teardown frees
/// quantisation tables that a later start would have to rebuild.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend(());

impl Backend {
    /// Starts llama.cpp if nobody has yet. Any thread may call this, any number of times.
    pub(crate) fn start() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            log::install();
            // SAFETY: called once per process, before any other call of this crate reaches llama.cpp.
            unsafe { ffi::llama_backend_init() };
            if cfg!(feature = "dynamic-backends") {
                // SAFETY: loads the backend libraries in the directory built in, beside the program and in the current one;
                // called once.
                unsafe { ffi::ggml_backend_load_all() };
            }
        });
        Self(())
    }
}

/// The version of llama.cpp that is linked, e.g. `0.6.0-dev`.
#[doc(alias = "llama_version")]
pub fn llama_cpp_version() -> String {
    // SAFETY: returns a static NUL-terminated string, needs no set-up.
    unsafe { raw::string(ffi::llama_version()) }
}

/// How llama.cpp was built and what the processor offers, in upstream's words: `CPU : AVX2 = 1 | ... |`.
#[doc(alias = "llama_print_system_info")]
pub fn system_info() -> String {
    // Upstream writes into one static buffer.
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    Backend::start();
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the static buffer is NUL-terminated, and the lock keeps it unchanged while it is copied.
    unsafe { raw::string(ffi::llama_print_system_info()) }
}

/// Where the linked llama.cpp came from: `pinned`, `checkout PATH` or `installed PATH`.
pub fn llama_cpp_source() -> &'static str {
    ffi::SOURCE
}

/// How the linked llama.cpp was configured: CPU profile, backends, kind of library.
pub fn llama_cpp_build() -> &'static str {
    ffi::BUILD_INFO
}

/// Whether this build and this machine can hold a model in GPU memory.
#[doc(alias = "llama_supports_gpu_offload")]
pub fn supports_gpu_offload() -> bool {
    Backend::start();
    // SAFETY: reads the list of devices, which does not change after the start.
    unsafe { ffi::llama_supports_gpu_offload() }
}
