//! Why an input has no answer: [`Problem`]. It becomes a record, and the job goes on.

use llama_runtime::Rejected;

/// Why an input has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) at: At,
    /// One word.
    pub(super) code: &'static str,
    /// For a person: what is wrong, and what to do.
    pub(super) message: String,
}

/// How far an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// The line is no request.
    Line,
    /// The request asks for something that is not possible.
    Request,
    /// The answer was begun, and failed.
    Answer,
}

impl Problem {
    pub(super) fn line(code: &'static str, message: impl Into<String>) -> Self {
        Self { at: At::Line, code, message: message.into() }
    }

    pub(super) fn request(code: &'static str, message: impl Into<String>) -> Self {
        Self { at: At::Request, code, message: message.into() }
    }

    pub(super) fn answer(code: &'static str, message: impl Into<String>) -> Self {
        Self { at: At::Answer, code, message: message.into() }
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::request(rejected.as_str(), rejected.to_string())
    }
}
