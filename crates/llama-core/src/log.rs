//! llama.cpp's log: to `tracing`, and into the errors of the call that logged.
//!
//! Every line goes to `tracing` with the target `llama_cpp` and the C level (upstream's own "info" is what a
//! developer of llama.cpp wants to read, so it arrives as `debug`). While a [`Capture`] is alive, warnings and errors
//! of its thread are kept as well, so that an error can say what llama.cpp said.

use crate::raw;
use llama_sys as ffi;
use std::cell::RefCell;
use std::ffi::{c_char, c_void};

/// Lines a capture keeps; the latest ones win, since the last line usually names the cause.
const CAPTURED_LINES: usize = 16;
/// Bytes kept of one line.
const LINE_BYTES: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

struct Sink {
    level: Level,
    /// The line so far: upstream prints long lines in pieces.
    line: String,
    captures: usize,
    lines: Vec<String>,
}

thread_local! {
    static SINK: RefCell<Sink> =
        const { RefCell::new(Sink { level: Level::Info, line: String::new(), captures: 0, lines: Vec::new() }) };
}

/// Sends the log of this process here. Called once, from [`crate::backend`].
pub(crate) fn install() {
    // SAFETY: the callback lives forever and takes no data; `Backend` calls this once, before any other thread
    // can be inside llama.cpp through this crate.
    unsafe { ffi::llama_log_set(Some(on_log), std::ptr::null_mut()) };
}

/// Keeps what this thread's llama.cpp calls complain about, until [`Capture::finish`].
pub(crate) struct Capture(());

impl Capture {
    pub(crate) fn start() -> Self {
        SINK.with_borrow_mut(|sink| {
            if sink.captures == 0 {
                sink.lines.clear();
            }
            sink.captures += 1;
        });
        Self(())
    }

    /// The warnings and errors since the start, oldest first, joined by `; `.
    pub(crate) fn finish(self) -> String {
        SINK.with_borrow(|sink| sink.lines.join("; "))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        SINK.with_borrow_mut(|sink| sink.captures = sink.captures.saturating_sub(1));
    }
}

extern "C" fn on_log(level: ffi::ggml_log_level, text: *const c_char, _data: *mut c_void) {
    // A panicking subscriber must not unwind into C; what it would have logged is lost, nothing else.
    let _ = raw::contain(|| {
        // SAFETY: upstream passes a NUL-terminated string that outlives the call.
        let text = unsafe { raw::string(text) };
        let lines = SINK.with(|sink| match sink.try_borrow_mut() {
            Ok(mut sink) => sink.take_lines(level, &text),
            Err(_) => Vec::new(),
        });
        // Outside the borrow: a subscriber may call this crate, which may log again.
        for (level, line) in lines {
            emit(level, &line);
        }
    });
}

impl Sink {
    /// Adds a piece; returns the lines it completed.
    fn take_lines(&mut self, level: ffi::ggml_log_level, text: &str) -> Vec<(Level, String)> {
        match level {
            ffi::GGML_LOG_LEVEL_CONT => {}
            ffi::GGML_LOG_LEVEL_ERROR => self.level = Level::Error,
            ffi::GGML_LOG_LEVEL_WARN => self.level = Level::Warn,
            ffi::GGML_LOG_LEVEL_DEBUG => self.level = Level::Debug,
            _ => self.level = Level::Info,
        }
        let mut done = Vec::new();
        for piece in text.split_inclusive('\n') {
            let room = LINE_BYTES.saturating_sub(self.line.len());
            self.line.push_str(&piece[..piece.floor_char_boundary(room)]);
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.line).trim_end().to_owned();
                if line.is_empty() || line.chars().all(|c| c == '.') {
                    continue;
                }
                if self.captures > 0 && matches!(self.level, Level::Warn | Level::Error) {
                    if self.lines.len() == CAPTURED_LINES {
                        self.lines.remove(0);
                    }
                    self.lines.push(line.clone());
                }
                done.push((self.level, line));
            }
        }
        done
    }
}

fn emit(level: Level, line: &str) {
    match level {
        Level::Debug => tracing::trace!(target: "llama_cpp", "{line}"),
        Level::Info => tracing::debug!(target: "llama_cpp", "{line}"),
        Level::Warn => tracing::warn!(target: "llama_cpp", "{line}"),
        Level::Error => tracing::error!(target: "llama_cpp", "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(level: ffi::ggml_log_level, text: &std::ffi::CStr) {
        on_log(level, text.as_ptr(), std::ptr::null_mut());
    }

    #[test]
    fn a_capture_keeps_complaints_of_its_thread_only() {
        let capture = Capture::start();
        log(ffi::GGML_LOG_LEVEL_INFO, c"loading\n");
        log(ffi::GGML_LOG_LEVEL_ERROR, c"first ");
        log(ffi::GGML_LOG_LEVEL_CONT, c"half\n");
        std::thread::spawn(|| log(ffi::GGML_LOG_LEVEL_ERROR, c"elsewhere\n")).join().expect("no panic");
        log(ffi::GGML_LOG_LEVEL_WARN, c"second\n");
        assert_eq!(capture.finish(), "first half; second");
    }

    #[test]
    fn a_capture_is_bounded_and_keeps_the_latest_lines() {
        let capture = Capture::start();
        for _ in 0..100 {
            log(ffi::GGML_LOG_LEVEL_ERROR, c"old\n");
        }
        let long = std::ffi::CString::new(format!("{}\n", "x".repeat(10 * LINE_BYTES))).expect("no NUL");
        log(ffi::GGML_LOG_LEVEL_ERROR, &long);
        log(ffi::GGML_LOG_LEVEL_ERROR, c"last\n");
        let text = capture.finish();
        assert!(text.ends_with("last"));
        assert!(text.len() < CAPTURED_LINES * (LINE_BYTES + 2));
    }

    #[test]
    fn nothing_is_kept_without_a_capture() {
        drop(Capture::start());
        log(ffi::GGML_LOG_LEVEL_ERROR, c"unheard\n");
        let capture = Capture::start();
        assert_eq!(capture.finish(), "");
    }
}
