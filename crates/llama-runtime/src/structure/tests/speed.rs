//! How long masks take: `cargo test --release -p llama-runtime --lib structure::tests::speed -- --include-ignored --nocapture`.
#![cfg(test)]

use std::time::{Duration, Instant};

use llama_testkit::fixtures::TempModels;
use llama_testkit::models;
use llama_testkit::vocab::{TokenKind, Vocab, VocabToken};
use serde_json::json;

use super::{MaskWorker, Model, Random, Token, TokenTrie, demo, json_schema};

/// A byte-level vocabulary of `n` tokens: letters at random, half of them words with a blank before, like those of large
/// models.
fn large_vocabulary(n: usize) -> Vocab {
    let mut vocab = Vocab::bpe();
    let mut random = Random::new(1);
    let mut seen: std::collections::HashSet<String> = vocab.tokens.iter().map(|token| token.text.clone()).collect();
    while vocab.tokens.len() < n {
        let length = 2 + random.below(8);
        let blank = if random.below(2) == 0 { "Ġ" } else { "" };
        let letters = b"etaoinshrdlucmfwypvbgkqjxzETAOINSH0123456789.,_-";
        let letter = |i: u64| char::from(letters[usize::try_from(i).unwrap()]);
        let word: String = (0..length).map(|_| letter(random.below(letters.len() as u64))).collect();
        let text = format!("{blank}{word}");
        if seen.insert(text.clone()) {
            vocab.tokens.push(VocabToken { text, score: 0.0, kind: TokenKind::Normal });
        }
    }
    vocab
}

fn measure(name: &str, model: &Model) {
    let start = Instant::now();
    let trie = TokenTrie::new(model).unwrap();
    let mut report = format!("{name}: {} tokens, tree in {:?}\n", model.vocab().len(), start.elapsed());
    let schemas = [
        (
            "object",
            json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 5}}, "required": ["name", "age", "tags"], "additionalProperties": false}),
        ),
        ("any object", json!({"type": "object"})),
        ("pattern", json!({"type": "string", "pattern": "^[a-z]+( [a-z]+)*$", "maxLength": 200})),
        ("email", json!({"type": "string", "format": "email"})),
    ];
    for (kind, schema) in schemas {
        let start = Instant::now();
        let compiled = json_schema(&trie, &schema).unwrap();
        let compile = start.elapsed();
        let start = Instant::now();
        let mut guide = compiled.guide();
        let new_guide = start.elapsed();
        let mut random = Random::new(5);
        let mut times: Vec<Duration> = Vec::new();
        let mut checks = Duration::ZERO;
        for _ in 0..400 {
            if guide.must_end() {
                guide = compiled.guide();
            }
            let start = Instant::now();
            let mask = guide.mask().unwrap().clone();
            times.push(start.elapsed());
            let allowed: Vec<Token> =
                (0..).take(trie.n_vocab()).map(Token).filter(|token| mask.allows(*token)).collect();
            let start = Instant::now();
            guide.accept(allowed[usize::try_from(random.below(allowed.len() as u64)).unwrap()]).unwrap();
            checks += start.elapsed();
        }
        times.sort_unstable();
        report += &format!(
            "  {kind}: compile {compile:?}, guide {new_guide:?}, mask p50 {:?} p90 {:?} p99 {:?} max {:?}, accept {:?}\n",
            times[200],
            times[360],
            times[396],
            times[399],
            checks / 400
        );
    }
    report += &hand_over(&trie);
    #[allow(clippy::print_stdout, reason = "it is a measurement")]
    {
        println!("{report}");
    }
}

/// What handing a guide to the worker and taking it back costs its owner, when the worker has had the time it needs.
fn hand_over(trie: &TokenTrie) -> String {
    let compiled = json_schema(trie, &json!({"type": "object"})).unwrap();
    let worker = MaskWorker::start(1).unwrap();
    let (mut over, mut back) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let mut guide = Box::new(compiled.guide());
        let open = (0..).take(trie.n_vocab()).map(Token).find(|token| guide.allows(*token).unwrap()).unwrap();
        guide.accept(open).unwrap();
        let start = Instant::now();
        let prepared = worker.prepare(guide);
        over.push(start.elapsed());
        // The time of a decode.
        let decode = Instant::now();
        while decode.elapsed() < Duration::from_millis(2) {
            std::thread::yield_now();
        }
        let start = Instant::now();
        let mut guide = prepared.take().unwrap();
        guide.mask().unwrap();
        back.push(start.elapsed());
    }
    over.sort_unstable();
    back.sort_unstable();
    format!("  hand over p50 {:?} p99 {:?}, take back p50 {:?} p99 {:?}\n", over[100], over[198], back[100], back[198])
}

#[test]
fn masks_of_a_small_vocabulary() {
    measure("demo", demo());
}

#[test]
#[ignore = "a measurement of seconds, for a release build; the small one keeps its code alive"]
fn masks_of_a_large_vocabulary() {
    let folder = TempModels::new().unwrap();
    let path = folder.write("large.gguf", &models::vocab_only(&large_vocabulary(150_000))).unwrap();
    measure("large", &super::load_vocabulary(&path));
}
