//! What came of a request, as JSON: the same words in `run --json` and in the records of a batch job. The frame around them
//! is theirs.

use std::time::Duration;

use llama_runtime::{AssistantMessage, FinishReason, Logprob, Message, Timings, Usage};
use serde_json::{Map, Value, json};

/// Stands for minus infinity, which JSON cannot say; OpenAI writes the same.
const NEVER: f32 = -9999.0;

/// Tokens.
pub(crate) fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.generated,
        "total_tokens": usage.prompt + usage.generated,
        "cached_tokens": usage.reused,
    })
}

/// Milliseconds, and tokens in a second, of a request that had so many `answers` (choices); see [`generation_rate`].
pub(crate) fn timings(usage: &Usage, timings: &Timings, answers: usize) -> Value {
    let computed = usage.prompt.saturating_sub(usage.reused);
    json!({
        "queued_ms": ms(timings.queued),
        "prompt_ms": ms(timings.prompt),
        "prompt_per_second": rate(computed, timings.prompt),
        "generation_ms": ms(timings.generation),
        "generation_per_second": generation_rate(usage, timings, answers).map(hundredths),
        "first_token_ms": timings.first_token.map(ms),
        "total_ms": ms(timings.total),
    })
}

/// Microseconds are as exact as it gets.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Tokens in a second, those of all answers together. The time of the generation begins with the first token, so the first one of
/// each answer is not of it: `None` where none came after.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(crate) fn generation_rate(usage: &Usage, timings: &Timings, answers: usize) -> Option<f64> {
    let steps = usage.generated.saturating_sub(answers.max(1));
    (steps > 0 && !timings.generation.is_zero()).then(|| steps as f64 / timings.generation.as_secs_f64())
}

fn rate(tokens: usize, time: Duration) -> f64 {
    hundredths(per_second(tokens, time))
}

/// Tokens in a second; 0 where there was no time.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(crate) fn per_second(tokens: usize, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { tokens as f64 / time.as_secs_f64() }
}

fn hundredths(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

/// Why an answer ended, in OpenAI's words. Calls that were cut off are no calls to carry out.
pub(crate) fn finish_reason(message: &AssistantMessage, reason: &FinishReason) -> &'static str {
    let calls = !message.tool_calls.is_empty() && matches!(reason, FinishReason::EndOfAnswer);
    if calls { "tool_calls" } else { reason.as_str() }
}

/// A message of the assistant. Calls get an id where the model's format has none: a result has to name its call.
pub(crate) fn message(message: AssistantMessage) -> Message {
    let mut message = Message::from(message);
    for (index, call) in message.tool_calls.iter_mut().enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = format!("call_{index}");
    }
    message
}

/// How likely tokens were, in the shape of OpenAI's chat completions, with the token's number beside.
pub(crate) fn logprobs(all: &[Logprob]) -> Value {
    let one = |token: &Logprob| {
        let mut object = likelihood(token);
        object["top_logprobs"] = token.top.iter().map(likelihood).collect();
        object
    };
    json!({ "content": all.iter().map(one).collect::<Vec<_>>(), "refusal": null })
}

fn likelihood(one: &Logprob) -> Value {
    json!({ "id": one.token.0, "token": text(one), "bytes": one.bytes, "logprob": finite(one.logprob) })
}

/// The same in the shape of OpenAI's completions.
pub(crate) fn logprob_columns(all: &[Logprob]) -> Value {
    let lengths = all.iter().map(|one| text(one).chars().count());
    let offsets: Vec<usize> = lengths.scan(0, |end, length| Some(std::mem::replace(end, *end + length))).collect();
    let tops = |one: &Logprob| -> Map<String, Value> {
        one.top.iter().map(|top| (text(top), json!(finite(top.logprob)))).collect()
    };
    json!({
        "tokens": all.iter().map(text).collect::<Vec<_>>(),
        "token_logprobs": all.iter().map(|one| finite(one.logprob)).collect::<Vec<_>>(),
        "top_logprobs": all.iter().map(tops).collect::<Vec<_>>(),
        "text_offset": offsets,
    })
}

fn text(one: &Logprob) -> String {
    String::from_utf8_lossy(&one.bytes).into_owned()
}

fn finite(logprob: f32) -> f32 {
    logprob.max(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llama_runtime::ToolCall;

    #[test]
    fn a_call_without_an_id_gets_one() {
        let mut said = AssistantMessage::default();
        said.tool_calls = vec![ToolCall::new("", "f", "{}"), ToolCall::new("x", "g", "{}")];
        let message = message(said);
        assert_eq!((message.tool_calls[0].id.as_str(), message.tool_calls[1].id.as_str()), ("call_0", "x"));
    }

    #[test]
    fn calls_that_were_cut_off_are_no_calls_to_carry_out() {
        let mut said = AssistantMessage::default();
        assert_eq!(finish_reason(&said, &FinishReason::EndOfAnswer), "stop");
        said.tool_calls = vec![ToolCall::new("", "f", "{\"a\": ")];
        assert_eq!(finish_reason(&said, &FinishReason::EndOfAnswer), "tool_calls");
        assert_eq!(finish_reason(&said, &FinishReason::Length), "length");
    }

    #[test]
    fn times_and_rates_are_numbers_also_where_nothing_was_done() {
        assert_eq!(rate(5, Duration::ZERO), 0.0);
        assert_eq!(rate(1, Duration::from_millis(3)), 333.33);
        assert_eq!(ms(Duration::from_nanos(1_234_567)), 1.235);
    }

    #[test]
    fn the_first_token_of_each_answer_has_no_part_in_the_speed_of_the_others() {
        let (mut usage, mut spent) = (Usage::default(), Timings::default());
        spent.generation = Duration::from_millis(500);
        let told = |usage: &Usage, answers: usize| timings(usage, &spent, answers)["generation_per_second"].clone();
        usage.generated = 5;
        assert_eq!((told(&usage, 1), told(&usage, 3)), (json!(8.0), json!(4.0)));
        usage.generated = 1;
        assert_eq!((told(&usage, 1), told(&usage, 0)), (Value::Null, Value::Null), "no step has been timed");
    }
}
