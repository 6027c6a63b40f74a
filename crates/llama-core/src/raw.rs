//! The gate every call into C goes through: statuses, strings, unwinding.

use llama_sys as ffi;
use std::any::Any;
use std::ffi::{CStr, CString, NulError, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Why a call of the shim did not return `LRS_OK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An exception was caught; its text.
    Thrown(String),
    /// Upstream returned null and logged why.
    Null,
    /// A status with a meaning of its own, documented in `shim.h`.
    Status(i32),
}

impl Failure {
    /// What to tell a person: the exception's text, or else the log lines of the call.
    pub(crate) fn explain(&self, log: &str) -> String {
        match self {
            Self::Thrown(message) if log.is_empty() => message.clone(),
            Self::Thrown(message) => format!("{message}; {log}"),
            Self::Null if log.is_empty() => "llama.cpp gave no reason".to_owned(),
            Self::Null => log.to_owned(),
            Self::Status(code) => format!("status {code}"),
        }
    }
}

/// Turns a status of the shim into a result.
pub(crate) fn check(status: i32) -> Result<(), Failure> {
    match status {
        ffi::LRS_OK => Ok(()),
        ffi::LRS_NULL => Err(Failure::Null),
        ffi::LRS_THROWN => Err(Failure::Thrown(last_error())),
        other => Err(Failure::Status(other)),
    }
}

/// Why the last shim call of this thread failed; to be asked right after it.
pub(crate) fn last_error() -> String {
    // SAFETY: the pointer is a NUL-terminated thread-local buffer, unchanged until this thread's next shim call.
    unsafe { string(ffi::lrs_last_error()) }
}

/// What to tell a person of a call that did not give what it should, whatever its status.
pub(crate) fn explain(result: Result<(), Failure>, log: &str) -> String {
    result.err().unwrap_or(Failure::Null).explain(log)
}

/// Copies a C string; null becomes the empty string.
///
/// # Safety
///
/// `text` is null or points to a NUL-terminated string that stays unchanged during the call.
pub(crate) unsafe fn string(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and NUL-terminated by this function's contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Copies Rust text for C.
pub(crate) fn c_string(text: &str) -> Result<CString, NulError> {
    CString::new(text)
}

/// Copies a path for C; `None` if it contains a NUL byte or is not UTF-8.
pub(crate) fn c_path(path: &Path) -> Option<CString> {
    c_string(path.to_str()?).ok()
}

/// Runs a callback's body; a panic is turned into its message instead of unwinding into C.
pub(crate) fn contain<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| panic_message(payload.as_ref()))
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Calls `fill(buffer)` with growing buffers until the text fits.
///
/// `fill` returns the length on success, or minus the length needed, as llama.cpp's text functions do.
pub(crate) fn grow(start: usize, mut fill: impl FnMut(&mut [u8]) -> Result<i32, Failure>) -> Result<Vec<u8>, Failure> {
    let mut buffer = vec![0; start.max(1)];
    loop {
        let n = fill(&mut buffer)?;
        if n >= 0 {
            buffer.truncate(n.unsigned_abs() as usize);
            return Ok(buffer);
        }
        let needed = n.unsigned_abs() as usize;
        if n == i32::MIN || needed <= buffer.len() {
            return Err(Failure::Status(n));
        }
        buffer.resize(needed, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_callback_becomes_its_message() {
        assert_eq!(contain(|| 7), Ok(7));
        assert_eq!(contain(|| -> () { panic!("boom") }), Err("boom".to_owned()));
        assert_eq!(contain(|| -> () { panic!("boom {}", 2) }), Err("boom 2".to_owned()));
    }

    #[test]
    fn grow_retries_once_with_the_length_asked_for() {
        let text = b"a text longer than the first buffer";
        let mut calls = 0;
        let out = grow(4, |buffer| {
            calls += 1;
            if buffer.len() < text.len() {
                return Ok(-i32::try_from(text.len()).expect("short"));
            }
            buffer[..text.len()].copy_from_slice(text);
            Ok(i32::try_from(text.len()).expect("short"))
        });
        assert_eq!(out.as_deref(), Ok(&text[..]));
        assert_eq!(calls, 2);
    }

    #[test]
    fn grow_stops_when_the_answer_makes_no_sense() {
        assert_eq!(grow(4, |_| Ok(i32::MIN)), Err(Failure::Status(i32::MIN)));
        assert_eq!(grow(4, |_| Ok(-2)), Err(Failure::Status(-2)));
    }
}
