//! What was computed is not computed again.

use crate::{answer, ask, edited, greedy, read, runtime_of, stats, text, tiny_with};
use llama_runtime::{Message, Request, Token};
use llama_testkit::fixtures;

/// 500 tokens that all share, and eight of one's own.
fn request(place: i32) -> Request {
    let shared = (0..500).map(|at| Token(20 + at * 7 % 200));
    let own = (0..8).map(|at| Token(30 + (at + place * 11) % 150));
    greedy(Request::tokens(shared.chain(own).collect::<Vec<_>>()), 4)
}

/// Prompt tokens that eight requests at once had computed, and their answers.
fn eight_at_once(reuse: bool) -> (u64, Vec<String>) {
    let runtime = runtime_of(
        fixtures::tiny_tools(),
        edited(|config| {
            config.context.n_ctx = Some(8192);
            config.cache.prefix_reuse = reuse;
        }),
    );
    let open: Vec<_> = (0..8).map(|place| runtime.submit(request(place)).unwrap()).collect();
    let texts = open.into_iter().map(|generation| read(generation).0).collect();
    (stats(&runtime).engine.prompt_computed, texts)
}

#[test]
fn eight_requests_that_share_500_tokens_compute_six_times_fewer_prompt_tokens() {
    let (with, texts) = eight_at_once(true);
    let (without, same) = eight_at_once(false);
    println!("prompt tokens computed: {with} with prefixes, {without} without");
    assert_eq!(without, 8 * 508);
    assert!(with * 6 <= without, "{with} against {without}");
    assert_eq!(texts, same, "and the answers are the same");
}

#[test]
fn the_next_turn_of_a_chat_computes_only_what_is_new() {
    let runtime = runtime_of(fixtures::tiny_tools(), edited(|_| {}));
    let mut messages = vec![Message::system("You are a model that tells one long story to everybody who asks for it.")];
    let mut last = 0;
    for turn in 0..3 {
        messages.push(Message::user(format!("Part {turn}, please.")));
        let (_, finished) = ask(&runtime, greedy(Request::chat(messages.clone()), 12));
        if turn > 0 {
            assert!(finished.usage.reused >= last, "{:?} after a prompt of {last}", finished.usage);
        }
        // The last token of the first prompt is computed again, and what the answer made of its end.
        last = finished.usage.prompt - 8;
        messages.push(Message::assistant(finished.choices[0].text.clone()));
    }
}

#[test]
fn a_request_that_ends_with_its_first_token_tells_what_it_reused() {
    let runtime = tiny_with(edited(|_| {}));
    let prompt = "Once upon a time there was a model that knew one story and told it to everybody";
    answer(&runtime, text(prompt, 1));
    let (_, finished) = ask(&runtime, text(prompt, 1));
    assert_eq!(finished.usage.reused, finished.usage.prompt - 1, "all but the last token");
    assert_eq!(stats(&runtime).totals.reused_tokens, finished.usage.reused as u64);
}

#[test]
fn without_reuse_everything_is_computed() {
    let runtime = tiny_with(edited(|config| config.cache.prefix_reuse = false));
    let prompt = "Once upon a time there was a model that knew one story and told it to everybody";
    let whole = answer(&runtime, text(prompt, 8));
    let (again, finished) = ask(&runtime, text(prompt, 8));
    assert_eq!((again, finished.usage.reused), (whole, 0));
    assert_eq!(stats(&runtime).engine.cells_cached, 0);
}
