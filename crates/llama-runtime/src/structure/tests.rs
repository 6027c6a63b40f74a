//! Structures over real vocabularies: what masks allow is what was asked for.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod accepted;
mod fuzz;
mod hostile;
mod refused;
mod speed;

use std::path::Path;
use std::sync::OnceLock;

use llama_core::{Model, ModelParams, Specials, Token};
use llama_testkit::random::Random;
use llama_testkit::{fixtures, golden};
use serde_json::Value;

use super::compile::{json_schema, regex};
use super::vocab::TokenTrie;
use super::{Compiled, Guide, GuideError, MaskWorker, Structure, StructureError, Structures};

/// Byte-level BPE, 320 tokens, one per byte among them.
pub(super) fn bytes() -> TokenTrie {
    static TRIE: OnceLock<TokenTrie> = OnceLock::new();
    TRIE.get_or_init(|| TokenTrie::new(bpe()).unwrap()).clone()
}

pub(super) fn guide(trie: &TokenTrie, pattern: &str) -> Guide {
    regex(trie, pattern).unwrap().guide()
}

fn bpe() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load(fixtures::tiny_llama()))
}

fn spm() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load(fixtures::tiny_llama_spm()))
}

fn demo() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load(&golden::demo_model_path()))
}

fn load(path: &Path) -> Model {
    Model::load(path, ModelParams::default()).unwrap()
}

fn load_vocabulary(path: &Path) -> Model {
    let mut params = ModelParams::default();
    params.vocab_only = true;
    Model::load(path, params).unwrap()
}

/// Whether a text, byte by byte, is a whole value of what was compiled over [`bytes`].
fn accepts(compiled: &Compiled, text: &str) -> bool {
    let mut guide = compiled.guide();
    // Token 12 + b is byte b.
    let taken = text.bytes().all(|byte| guide.accept(Token(12 + i32::from(byte))).is_ok());
    taken && guide.may_end().unwrap()
}

/// Writes a text by choosing at random among what each mask allows. `None` if it has not ended after `limit` tokens.
fn write(model: &Model, compiled: &Compiled, seed: u64, limit: usize) -> Option<String> {
    let vocab = model.vocab();
    let mut random = Random::new(seed);
    let mut guide = compiled.guide();
    let mut text = Vec::new();
    for written in 0..limit {
        if guide.must_end() {
            break;
        }
        let mask = guide.mask().unwrap().clone();
        assert!(mask.count() > 0);
        let may_end = guide.may_end().unwrap();
        let allowed: Vec<Token> = (0..).take(vocab.len()).map(Token).filter(|token| mask.allows(*token)).collect();
        for token in &allowed {
            assert!(!vocab.is_control(*token) || vocab.is_eog(*token), "control token {token} as text");
        }
        let ends = allowed.iter().filter(|token| vocab.is_eog(**token)).count();
        let all = (0..).take(vocab.len()).filter(|id| vocab.is_eog(Token(*id))).count();
        assert_eq!(ends, if may_end { all } else { 0 }, "every end where the text may end, and none elsewhere");
        // After a while, what closes is preferred, so that the text comes to an end.
        let close = |token: &&Token| {
            let piece = vocab.piece(**token, Specials::AsText).unwrap();
            vocab.is_eog(**token) || piece.iter().all(|byte| b"\"]}".contains(byte))
        };
        let closing: Vec<Token> = allowed.iter().filter(close).copied().collect();
        let choice = if written > 60 && !closing.is_empty() { &closing } else { &allowed };
        let token = choice[usize::try_from(random.below(choice.len() as u64)).unwrap()];
        assert!(guide.allows(token).unwrap());
        guide.accept(token).unwrap();
        if vocab.is_eog(token) {
            assert!(guide.must_end());
            return Some(String::from_utf8(text).unwrap());
        }
        text.extend(vocab.piece(token, Specials::AsText).unwrap());
    }
    guide.may_end().unwrap().then(|| String::from_utf8(text).unwrap())
}

fn schema(value: Value) -> Compiled {
    json_schema(&bytes(), &value).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn refusal(value: &Value) -> StructureError {
    let compiled = json_schema(&bytes(), value).map(drop);
    compiled.err().unwrap_or_else(|| panic!("it was taken: {value}"))
}
