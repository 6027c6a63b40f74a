//! Starting llama.cpp while the command line is read: [`Ahead`].
//!
//! It fills tables before it can load anything, for one or two milliseconds, which is as long as our own start takes.

use std::ffi::OsString;
use std::thread::{Builder, JoinHandle};

/// llama.cpp on its way. Waits for it at the end: the program must not take down at its exit what is still being put up.
#[derive(Debug)]
pub(crate) struct Ahead(Option<JoinHandle<()>>);

impl Ahead {
    /// Begins, if the command is one that computes. Not where llama.cpp looks for devices: it logs what it finds, and the log
    /// is not open yet.
    pub(crate) fn begin(args: &[OsString]) -> Self {
        let looks = cfg!(any(
            feature = "cuda",
            feature = "metal",
            feature = "vulkan",
            feature = "rpc",
            feature = "dynamic-backends"
        ));
        let computes = args.get(1).is_some_and(|command| command == "run" || command == "chat");
        if looks || !computes {
            return Self(None);
        }
        // Without a thread, whoever loads a model starts it.
        Self(Builder::new().name("llama-start".to_owned()).spawn(llama_core::prepare).ok())
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic was told by the hook, and whoever loads a model meets it again.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_compute_start_llama_cpp() {
        let begins = |line: &str| Ahead::begin(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).0.is_some();
        assert!(!begins("llama-cli") && !begins("llama-cli --version") && !begins("llama-cli config show"));
        let has_gpu = !crate::gpu::BACKENDS.iter().all(|(.., on)| !on) || cfg!(feature = "dynamic-backends");
        assert_eq!(begins("llama-cli run -p hello"), !has_gpu);
    }
}
