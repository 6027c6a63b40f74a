//! With a temperature of 0, 32 requests at a time get the answers that each of them gets alone.
//!
//! What the runtime decides (whose tokens go where, in which pieces, from which prefix) changes no answer. What it does change
//! is the shape of the batches and the places in the cache, and so the order in which llama.cpp adds numbers up. Each
//! line compares 32 answers, about 700 tokens, on x86-64 with one thread, several times over. Their log probabilities
//! differ in some tokens; the last column is by how much the likeliest token was more likely than the second best, alone
//! and not alone, where that was less than 1:
//!
//! | model | attention | what changes | equal answers | tokens that differ | at most by |
//! |---|---|---|---|---|---|
//! | tiny, demo | plain | nothing: alone, again | 32 | none | 0 |
//! | tiny, 32-bit | plain, 32-bit cache | the prompt in pieces | 32 | 7 % | 0.0000015 |
//! | tiny, mamba, hybrid, 32-bit | plain, 32-bit cache | the crowd | 32 | 75 to 88 % | 0.000005 |
//! | tiny, 32-bit | plain, 16-bit cache | the crowd | 32 | 90 % | 0.0006 |
//! | tiny, hybrid, 32-bit | fused | the crowd | 32 | 90 % | 0.008 |
//! | demo, 8-bit | plain | the prompt in pieces | 32 | none | 0 |
//! | demo, 8-bit | plain | the crowd | 32 | 12 to 20 % | 0.06 |
//! | demo, 8-bit | fused (the default) | the crowd | 28 to 32 | 65 to 97 % | 0.27 |
//!
//! So the fused kernel of attention rounds a thousand times as much as the plain one with a 32-bit cache. And with 8-bit
//! weights the numbers that are multiplied with them are rounded to 8 bits as well: the smallest difference can move one of
//! them to the other side. An answer leaves the other one only where two tokens are about as likely: in all that were seen,
//! the first of them was ahead by 0.032 or less. Whether a prefix was reused made no difference to any of this.

use std::path::Path;

use llama_runtime::{EngineConfig, Generation, Logprob, Message, Request, Runtime};
use llama_testkit::{fixtures, golden};

use crate::{config, edited, exact, greedy, runtime_of};

/// Requests at a time.
const CROWD: usize = 32;
/// Margins of 32-bit models with a 32-bit cache differ by less, in whatever order numbers are added up.
const LAST_BITS: f32 = 1e-4;

/// Margins below this are compared. Of tokens that are far from likely, the logarithms differ more, and change nothing.
const CLOSE: f32 = 1.0;

/// How answers in a crowd differ from those alone.
#[derive(Debug, Default)]
struct Comparison {
    equal: usize,
    tokens: usize,
    /// By how much the chosen token beat the second best alone, where an answer leaves the other one.
    margins: Vec<f32>,
    /// The largest difference of that after the same tokens, where it is [`CLOSE`].
    rounding: f32,
    /// How many of them were not exactly the same.
    inexact: usize,
}

/// By how much the likeliest token beats the second best.
fn margin(token: &Logprob) -> f32 {
    token.top[0].logprob - token.top[1].logprob
}

fn crowded(mut config: EngineConfig) -> EngineConfig {
    config.batch.max_sequences = u32::try_from(CROWD).unwrap();
    config.context.n_ctx = Some(8192);
    config.limits.event_buffer = 512;
    config
}

fn answers(runtime: &Runtime, requests: &[Request], together: bool) -> Vec<Vec<Logprob>> {
    let submit = |request: &Request| runtime.submit(request.clone().logprobs(2)).unwrap();
    let read = |generation: Generation| {
        let mut finished = generation.blocking().finish();
        assert!(finished.reason.is_complete(), "{finished:?}");
        finished.choices.remove(0).logprobs
    };
    if together {
        let open: Vec<_> = requests.iter().map(submit).collect();
        open.into_iter().map(read).collect()
    } else {
        requests.iter().map(|request| read(submit(request))).collect()
    }
}

impl Comparison {
    fn of(alone: &[Vec<Logprob>], together: &[Vec<Logprob>]) -> Self {
        let mut this = Self::default();
        for (one, other) in alone.iter().zip(together) {
            this.add(one, other);
        }
        this
    }

    fn add(&mut self, alone: &[Logprob], together: &[Logprob]) {
        for (one, other) in alone.iter().zip(together) {
            if one.token != other.token {
                self.margins.push(margin(one));
                return;
            }
            let difference = (margin(one) - margin(other)).abs();
            self.tokens += 1;
            self.inexact += usize::from(difference > 0.0);
            if margin(one) < CLOSE {
                self.rounding = self.rounding.max(difference);
            }
        }
        assert_eq!(alone.len(), together.len(), "the same tokens, and one goes on");
        self.equal += 1;
    }
}

/// Answers alone, one after another, and then all at once.
fn in_a_crowd(path: &Path, config: EngineConfig, requests: &[Request]) -> Comparison {
    let runtime = runtime_of(path, crowded(config));
    let alone = answers(&runtime, requests, false);
    Comparison::of(&alone, &answers(&runtime, requests, true))
}

fn texts() -> Vec<Request> {
    let words = ["once", "upon", "a time", "there was", "one", "who", "said"];
    let text = |i: usize| (0..3 + i * 5 % 23).map(|k| words[(i * 3 + k * (i + 1)) % 7]).collect::<Vec<_>>().join(" ");
    (0..CROWD).map(|i| greedy(Request::text(text(i)), 24)).collect()
}

/// What the golden answers answer, and a few texts more.
fn demo_requests() -> Vec<Request> {
    let entries = golden::demo().entries;
    let golden = entries.iter().map(|entry| {
        let messages = entry.messages.iter().map(|message| match message.role.as_str() {
            "system" => Message::system(message.content.as_str()),
            "assistant" => Message::assistant(message.content.as_str()),
            _ => Message::user(message.content.as_str()),
        });
        let raw = entry.messages.is_empty();
        greedy(if raw { Request::text(entry.prompt.as_str()) } else { Request::chat(messages) }, 48)
    });
    golden.chain(texts()).take(CROWD).collect()
}

fn without_reuse() -> EngineConfig {
    edited(|config| config.cache.prefix_reuse = false)
}

#[test]
fn the_same_request_alone_again_is_the_same_to_the_last_bit() {
    let demo = golden::demo_model_path();
    for (path, requests) in [(fixtures::tiny_llama(), texts()), (&*demo, demo_requests())] {
        let runtime = runtime_of(path, crowded(without_reuse()));
        let first = answers(&runtime, &requests, false);
        let again = Comparison::of(&first, &answers(&runtime, &requests, false));
        assert_eq!((again.equal, again.inexact), (CROWD, 0), "{again:?}");
    }
}

#[test]
fn a_prompt_in_small_pieces_gets_the_answer_that_it_gets_at_once() {
    let demo = golden::demo_model_path();
    for (path, requests) in [(fixtures::tiny_llama(), texts()), (&*demo, demo_requests())] {
        let whole = answers(&runtime_of(path, crowded(without_reuse())), &requests, false);
        let mut config = crowded(without_reuse());
        (config.batch.step_tokens, config.batch.min_chunk) = (32, 16);
        let pieces = Comparison::of(&whole, &answers(&runtime_of(path, config), &requests, false));
        println!("{}: {pieces:?}", path.display());
        assert_eq!(pieces.equal, CROWD, "{pieces:?}");
        assert!(pieces.rounding < LAST_BITS, "{pieces:?}");
    }
}

#[test]
fn models_of_32_bit_numbers_answer_a_crowd_as_they_answer_one() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let crowd = in_a_crowd(path, exact(), &texts());
        println!("{}: {crowd:?}", path.display());
        assert_eq!(crowd.equal, CROWD, "{crowd:?}");
        assert!(crowd.rounding < LAST_BITS, "{crowd:?}");
    }
}

#[test]
fn eight_bits_and_fused_attention_change_answers_only_where_two_tokens_are_as_likely() {
    // Each about twice of what was seen, and for the margins of answers that differ several times.
    for (name, config, rounding, close) in [("plain", exact(), 0.12, 0.05), ("fused", config(), 0.5, 0.2)] {
        let crowd = in_a_crowd(&golden::demo_model_path(), config, &demo_requests());
        println!("demo, {name}: {crowd:?}");
        assert!(crowd.rounding < rounding, "{crowd:?}");
        assert!(crowd.margins.iter().all(|margin| *margin < close), "{crowd:?}");
        assert!(crowd.equal * 4 >= CROWD * 3, "{crowd:?}");
    }
}
