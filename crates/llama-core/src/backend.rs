//! Process-wide start of llama.cpp.

pub use crate::kernels::KernelsOff;

use crate::{kernels, log, raw};
use llama_sys as ffi;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Whether our kernels compute, or why not; what they were last told.
static KERNELS: Mutex<Result<(), KernelsOff>> = Mutex::new(Err(KernelsOff::SwitchedOff));

/// The variable that switches this project's own matrix kernels off, for every program: `LLAMA_KERNELS=off`. It says what
/// holds from the start; [`set_kernels`] counts before it. The only variable of this crate; llama.cpp reads some of its own, of
/// which this crate looks at `LLAMA_ATTN_ROT_DISABLE` too.
pub const KERNELS_VARIABLE: &str = "LLAMA_KERNELS";

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
            let value = std::env::var_os(KERNELS_VARIABLE);
            let wanted = kernels::wanted(value.as_deref()).unwrap_or_else(|| {
                tracing::warn!(?value, "{KERNELS_VARIABLE} must be on or off; it is left aside");
                true
            });
            switch_kernels(wanted);
        });
        Self(())
    }
}

/// Starts llama.cpp if nobody has yet: it fills tables, and looks for devices. The first call that needs it does so in any case;
/// a program can have it done on another thread while it does something else.
#[doc(alias = "llama_backend_init")]
pub fn prepare() {
    Backend::start();
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

/// Turns this project's own matrix kernels on or off, for every graph that this process computes from now on. From the start
/// they are on, unless the variable [`KERNELS_VARIABLE`] says `off`. Any thread may do so at any time: what is being computed
/// is finished as it was begun. Says whether they are on now: not where the feature `kernels` is off, the processor has
/// nothing that they use, or libllama lacks the hook they need (an installed one, or a checkout without our patch);
/// [`why_no_kernels`] tells.
///
/// What a model gains by them is decided when it is loaded. One that was loaded while they were off may have repacked weights,
/// which llama.cpp computes with by itself, whatever is set later; one that was loaded while they were on may have its weights as
/// the file has them, and without our kernels is slower than if it had been loaded so. See
/// [`ModelParams::use_extra_buffers`](field@crate::ModelParams::use_extra_buffers).
pub fn set_kernels(on: bool) -> bool {
    Backend::start();
    switch_kernels(on)
}

/// As [`set_kernels`], also while llama.cpp is being started.
fn switch_kernels(on: bool) -> bool {
    let mut state = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    *state = kernels::set(on);
    tracing::debug!(kernels = ?state.map(|()| kernels::name()), "our matrix kernels are set");
    state.is_ok()
}

fn kernels_state() -> Result<(), KernelsOff> {
    Backend::start();
    *KERNELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether weights should stay as the file has them: llama.cpp's repacked ones never come to our kernels.
pub(crate) fn kernels_want_file_layout() -> bool {
    kernels_in_use().is_some() && kernels::want_file_layout()
}

/// The instructions that this project's own matrix kernels use, e.g. `AVX-512 VNNI`; `None` where they are off.
pub fn kernels_in_use() -> Option<&'static str> {
    kernels_state().ok().map(|()| kernels::name())
}

/// Why this project's own matrix kernels are off; `None` where they are on.
pub fn why_no_kernels() -> Option<KernelsOff> {
    kernels_state().err()
}

/// The same in a word or two, for logs.
pub(crate) fn kernels_told() -> String {
    match kernels_state() {
        Ok(()) => kernels::name().to_owned(),
        Err(why) => format!("off: {why}"),
    }
}
