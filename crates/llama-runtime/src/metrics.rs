//! What the runtime tells the [`metrics`](https://docs.rs/metrics) facade, with the feature `metrics`.
//!
//! The runtime installs no recorder: the program chooses one, and without one nothing is recorded. Names that
//! OpenTelemetry's conventions for generative AI have are theirs; the others begin with `llama.`. Every metric has the
//! label [`MODEL`].
//!
//! | name | kind | unit | more labels |
//! |---|---|---|---|
//! | [`REQUEST_DURATION`] | histogram | seconds | [`FINISH_REASON`] |
//! | [`TIME_TO_FIRST_TOKEN`] | histogram | seconds | |
//! | [`TIME_PER_OUTPUT_TOKEN`] | histogram | seconds | |
//! | [`TOKEN_USAGE`] | histogram | tokens | [`TOKEN_TYPE`]: `input`, `output` |
//! | [`QUEUE_DURATION`] | histogram | seconds | |
//! | [`STEP_DURATION`] | histogram | seconds | |
//! | [`ACCEPTED`], [`FINISHED`] | counter | requests | of the second: [`FINISH_REASON`] |
//! | [`REJECTED`] | counter | requests | [`REJECT_REASON`] |
//! | [`REUSED_TOKENS`] | counter | tokens | |
//! | [`QUEUED`] | gauge | requests | |
//! | [`RUNNING`], [`PARKED`] | gauge | sequences | |
//! | [`KV_USED`], [`KV_RESERVED`], [`KV_CACHED`] | gauge | cells (tokens) | |
//! | [`HOST_BYTES`] | gauge | bytes | |

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::event::Finished;
use crate::rejected::Rejected;
use crate::stats::Snapshot;

/// Label: the name of the model in the runtime.
pub const MODEL: &str = "gen_ai.request.model";
/// Label: [`FinishReason::as_str`](crate::FinishReason::as_str).
pub const FINISH_REASON: &str = "gen_ai.response.finish_reason";
/// Label: [`Rejected::as_str`](crate::Rejected::as_str).
pub const REJECT_REASON: &str = "error.type";
/// Label: `input` for the prompt, `output` for the answer.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";

/// From the submission to the end.
pub const REQUEST_DURATION: &str = "gen_ai.server.request.duration";
/// From the submission to the first token, of requests that got one.
pub const TIME_TO_FIRST_TOKEN: &str = "gen_ai.server.time_to_first_token";
/// Mean time from one token of a request to its next, of requests with two tokens at least.
pub const TIME_PER_OUTPUT_TOKEN: &str = "gen_ai.server.time_per_output_token";
/// Tokens of a request.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// From the submission until the scheduler took it.
pub const QUEUE_DURATION: &str = "llama.request.queue_duration";
/// One step of the engine.
pub const STEP_DURATION: &str = "llama.step.duration";
/// Requests that were accepted.
pub const ACCEPTED: &str = "llama.requests.accepted";
/// Requests that were refused.
pub const REJECTED: &str = "llama.requests.rejected";
/// Requests that ended.
pub const FINISHED: &str = "llama.requests.finished";
/// Prompt tokens that were in the KV cache or in host memory.
pub const REUSED_TOKENS: &str = "llama.prompt.reused_tokens";
/// Requests that wait.
pub const QUEUED: &str = "llama.requests.queued";
/// Sequences that run.
pub const RUNNING: &str = "llama.sequences.running";
/// Sequences that gave way and wait to go on.
pub const PARKED: &str = "llama.sequences.parked";
/// Cells that running sequences hold.
pub const KV_USED: &str = "llama.kv.cells.used";
/// Cells that running sequences hold or have a promise of.
pub const KV_RESERVED: &str = "llama.kv.cells.reserved";
/// Cells that hold prefixes of finished requests.
pub const KV_CACHED: &str = "llama.kv.cells.cached";
/// Host memory of parked sequences and evicted prefixes.
pub const HOST_BYTES: &str = "llama.host.bytes";

/// A request was accepted.
pub(crate) fn accepted(model: &str) {
    counter!(ACCEPTED, MODEL => model.to_owned()).increment(1);
}

/// A request was refused.
pub(crate) fn rejected(model: &str, why: &Rejected) {
    counter!(REJECTED, MODEL => model.to_owned(), REJECT_REASON => why.as_str()).increment(1);
}

/// A request has ended.
#[expect(clippy::cast_precision_loss, reason = "a histogram takes floats")]
pub(crate) fn finished(finished: &Finished) {
    let Finished { usage, timings, reason, .. } = finished;
    let model = || finished.model.clone();
    counter!(FINISHED, MODEL => model(), FINISH_REASON => reason.as_str()).increment(1);
    histogram!(REQUEST_DURATION, MODEL => model(), FINISH_REASON => reason.as_str()).record(timings.total);
    histogram!(QUEUE_DURATION, MODEL => model()).record(timings.queued);
    histogram!(TOKEN_USAGE, MODEL => model(), TOKEN_TYPE => "input").record(usage.prompt as f64);
    histogram!(TOKEN_USAGE, MODEL => model(), TOKEN_TYPE => "output").record(usage.generated as f64);
    counter!(REUSED_TOKENS, MODEL => model()).increment(usage.reused as u64);
    if let Some(first) = timings.first_token {
        histogram!(TIME_TO_FIRST_TOKEN, MODEL => model()).record(first);
        let intervals = usage.generated.saturating_sub(finished.choices.len().max(1));
        if intervals > 0 {
            let each = timings.generation.as_secs_f64() * finished.choices.len().max(1) as f64 / intervals as f64;
            histogram!(TIME_PER_OUTPUT_TOKEN, MODEL => model()).record(each);
        }
    }
}

/// A step is done.
pub(crate) fn step(model: &str, took: Duration) {
    histogram!(STEP_DURATION, MODEL => model.to_owned()).record(took);
}

/// What an engine holds after a turn.
#[expect(clippy::cast_precision_loss, reason = "a gauge takes floats")]
pub(crate) fn engine(model: &str, queued: usize, snapshot: &Snapshot) {
    let set = |name: &'static str, value: usize| gauge!(name, MODEL => model.to_owned()).set(value as f64);
    set(QUEUED, queued);
    set(RUNNING, snapshot.running);
    set(PARKED, snapshot.parked);
    set(KV_USED, snapshot.cells_used);
    set(KV_RESERVED, snapshot.cells_reserved);
    set(KV_CACHED, snapshot.cells_cached);
    set(HOST_BYTES, snapshot.host_bytes);
}
