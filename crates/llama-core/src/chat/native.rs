//! The calls into the shim's chat functions, and the deep stack that they want.

use super::error::ChatError;
use crate::raw;
use llama_sys as ffi;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};

/// Runs `call` on a thread whose stack is as deep as the limits of the shim assume; templates and schemas recurse.
///
/// Only the pages that are really used cost memory; a thread costs some ten microseconds.
pub(super) fn on_deep_stack<T: Send>(call: impl FnOnce() -> Result<T, ChatError> + Send) -> Result<T, ChatError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("chat-template".to_owned())
            .stack_size(ffi::LRS_CHAT_STACK as usize)
            .spawn_scoped(scope, call)
            .map_err(ChatError::Thread)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Turns a status into a result. To be called on the thread of the call, right after it.
fn check(status: i32) -> Result<(), ChatError> {
    if status == ffi::LRS_OK {
        return Ok(());
    }
    let reason = raw::last_error();
    Err(match status {
        ffi::LRS_CHAT_LIMIT => ChatError::Limit { reason },
        ffi::LRS_CHAT_BAD_TEMPLATE => ChatError::BadTemplate { reason },
        ffi::LRS_CHAT_BAD_INPUT => ChatError::Request { reason },
        ffi::LRS_CHAT_MISMATCH => ChatError::Mismatch { reason },
        _ => ChatError::Upstream(reason),
    })
}

/// Takes over a string that the shim made.
fn take_string(text: *mut c_char) -> String {
    // SAFETY: the shim returned LRS_OK, so this is a NUL-terminated string that is now ours.
    let copy = unsafe { raw::string(text) };
    // SAFETY: made by the shim, freed once, not used afterwards.
    unsafe { ffi::lrs_string_free(text) };
    copy
}

/// JSON text for the shim. serde_json escapes NUL bytes, so there are none in it.
pub(super) fn json_text(value: &serde_json::Value) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}

/// Owns a compiled template.
#[derive(Debug)]
pub(super) struct Templates(NonNull<ffi::lrs_chat_templates>);

// SAFETY: chat.h: immutable once made; any thread may use and free it.
unsafe impl Send for Templates {}
// SAFETY: chat.h: several threads may use it at once.
unsafe impl Sync for Templates {}

/// Where a template comes from. Null stands for "not given".
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) model: *const ffi::llama_model,
    pub(super) source: Option<&'a CStr>,
    pub(super) bos: Option<&'a CStr>,
    pub(super) eos: Option<&'a CStr>,
}

// SAFETY: the shim only reads the model, which upstream allows from any thread.
unsafe impl Send for Origin<'_> {}

fn or_null(text: Option<&CStr>) -> *const c_char {
    text.map_or(ptr::null(), CStr::as_ptr)
}

impl Templates {
    /// # Safety
    ///
    /// `origin.model` is null or a live model.
    pub(super) unsafe fn new(origin: Origin<'_>) -> Result<Self, ChatError> {
        on_deep_stack(move || {
            let origin = origin;
            let mut out = ptr::null_mut();
            // SAFETY: the model is null or live by this function's contract; the texts outlive the call; `out` is ours.
            check(unsafe {
                ffi::lrs_chat_templates_init(
                    origin.model,
                    or_null(origin.source),
                    or_null(origin.bos),
                    or_null(origin.eos),
                    &raw mut out,
                )
            })?;
            NonNull::new(out).map(Self).ok_or_else(|| ChatError::Upstream("no template was made".to_owned()))
        })
    }

    /// `lrs_chat_templates_info`.
    pub(super) fn info(&self) -> Result<String, ChatError> {
        let mut out = ptr::null_mut();
        // SAFETY: the templates are live until drop; `out` is ours.
        check(unsafe { ffi::lrs_chat_templates_info(self.0.as_ptr(), &raw mut out) })?;
        Ok(take_string(out))
    }

    /// `lrs_chat_apply`.
    pub(super) fn apply(&self, inputs: &CStr) -> Result<String, ChatError> {
        on_deep_stack(|| {
            let mut out = ptr::null_mut();
            // SAFETY: the templates are live until drop, `inputs` outlives the call, `out` is ours.
            check(unsafe { ffi::lrs_chat_apply(self.0.as_ptr(), inputs.as_ptr(), &raw mut out) })?;
            Ok(take_string(out))
        })
    }
}

impl Drop for Templates {
    fn drop(&mut self) {
        // SAFETY: made by lrs_chat_templates_init, freed once.
        unsafe { ffi::lrs_chat_templates_free(self.0.as_ptr()) }
    }
}

/// Owns a parser.
#[derive(Debug)]
pub(super) struct Parser(NonNull<ffi::lrs_chat_parser>);

// SAFETY: chat.h: immutable once made; any thread may use and free it.
unsafe impl Send for Parser {}
// SAFETY: chat.h: several threads may use it at once.
unsafe impl Sync for Parser {}

impl Parser {
    pub(super) fn new(parser: &CStr) -> Result<Self, ChatError> {
        on_deep_stack(|| {
            let mut out = ptr::null_mut();
            // SAFETY: the text outlives the call, `out` is ours.
            check(unsafe { ffi::lrs_chat_parser_init(parser.as_ptr(), &raw mut out) })?;
            NonNull::new(out).map(Self).ok_or_else(|| ChatError::Upstream("no parser was made".to_owned()))
        })
    }

    /// `lrs_chat_parser_parse`; the text may be any bytes.
    pub(super) fn parse(&self, text: &[u8], partial: bool) -> Result<String, ChatError> {
        // SAFETY: reads `len` bytes.
        let depth = unsafe { ffi::lrs_chat_text_depth(text.as_ptr().cast(), text.len()) };
        let call = || {
            let mut out = ptr::null_mut();
            // SAFETY: the parser is live until drop, the text is read up to its length, `out` is ours.
            check(unsafe {
                ffi::lrs_chat_parser_parse(self.0.as_ptr(), text.as_ptr().cast(), text.len(), partial, &raw mut out)
            })?;
            Ok(take_string(out))
        };
        if depth <= ffi::LRS_CHAT_FLAT_DEPTH as usize { call() } else { on_deep_stack(call) }
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // SAFETY: made by lrs_chat_parser_init, freed once.
        unsafe { ffi::lrs_chat_parser_free(self.0.as_ptr()) }
    }
}

/// `lrs_json_schema_to_grammar`.
pub(super) fn schema_to_grammar(schema: &CStr) -> Result<String, ChatError> {
    on_deep_stack(|| {
        let mut out = ptr::null_mut();
        // SAFETY: the text outlives the call, `out` is ours.
        check(unsafe { ffi::lrs_json_schema_to_grammar(schema.as_ptr(), &raw mut out) })?;
        Ok(take_string(out))
    })
}
