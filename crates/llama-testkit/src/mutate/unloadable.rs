//! Files of the right form and the wrong content.

use crate::gguf::{Array, Gguf, Kind, Value};
use crate::models::Llama;

/// A well-formed GGUF file that no loader should accept, derived from [`Llama::tiny`].
#[derive(Debug, Clone)]
pub struct Unloadable {
    /// What is wrong, as a short name.
    pub name: &'static str,
    /// The file.
    pub file: Gguf,
    /// Whether llama.cpp's loader ends the process with a failed assertion, so that a wrapper must refuse the file before it
    /// calls the loader. The others it reports as errors.
    pub aborts: bool,
}

/// All such files.
#[must_use]
pub fn unloadable() -> Vec<Unloadable> {
    let refused = |name, file| Unloadable { name, file, aborts: false };
    let aborting = |name, file| Unloadable { name, file, aborts: true };
    vec![
        refused("nested-array", with("testkit.nested", nested())),
        refused("duplicate-key", changed(|file| file.push("llama.block_count", 2_u32))),
        refused("alignment-zero", with("general.alignment", 0_u32)),
        refused("alignment-odd", with("general.alignment", 33_u32)),
        refused("no-architecture", without("general.architecture")),
        refused("unknown-architecture", with("general.architecture", "nosuch")),
        refused("no-tokens", without("tokenizer.ggml.tokens")),
        refused("no-merges", without("tokenizer.ggml.merges")),
        refused("unknown-tokenizer", with("tokenizer.ggml.model", "nosuch")),
        refused("unknown-pre-tokenizer", with("tokenizer.ggml.pre", "nosuch")),
        refused("wrong-value-type", with("llama.embedding_length", "32")),
        refused("no-width", without("llama.embedding_length")),
        refused("wrong-width", with("llama.embedding_length", 64_u32)),
        refused("no-heads", with("llama.attention.head_count", 0_u32)),
        refused("no-kv-heads", with("llama.attention.head_count_kv", 0_u32)),
        refused("key-width-not-value-width", with("llama.attention.value_length", 16_u32)),
        refused("missing-tensor", changed(missing_tensor)),
        refused("duplicate-tensor", changed(duplicate_tensor)),
        refused("tensor-too-many", with("llama.block_count", 1_u32)),
        refused("vocabulary-too-large", changed(large_vocabulary)),
        aborting("duplicate-token", changed(duplicate_token)),
        aborting("no-layers", with("llama.block_count", 0_u32)),
        aborting("too-many-layers", with("llama.block_count", 1_000_000_u32)),
        aborting("too-many-experts", with("llama.expert_count", 1_000_000_u32)),
        aborting("unknown-rope-scaling", with("llama.rope.scaling.type", "nosuch")),
    ]
}

fn changed(change: impl Fn(&mut Gguf) -> &mut Gguf) -> Gguf {
    let mut file = Llama::tiny().file();
    change(&mut file);
    file
}

fn with(key: &str, value: impl Into<Value> + Clone) -> Gguf {
    changed(|file| file.set(key, value.clone()))
}

fn without(key: &str) -> Gguf {
    changed(|file| file.unset(key))
}

fn nested() -> Value {
    let inner = vec![Value::from(vec![1_i32, 2])];
    Value::Array(Array::new(Kind::Array, inner).expect("a vector becomes an array"))
}

fn missing_tensor(file: &mut Gguf) -> &mut Gguf {
    file.tensors_mut().retain(|tensor| tensor.name != "blk.1.ffn_up.weight");
    file
}

fn duplicate_tensor(file: &mut Gguf) -> &mut Gguf {
    let first = file.tensors()[0].clone();
    file.tensor(first)
}

fn large_vocabulary(file: &mut Gguf) -> &mut Gguf {
    Llama::tiny().vocab.padded_to(400).describe(file);
    file
}

fn duplicate_token(file: &mut Gguf) -> &mut Gguf {
    let mut vocab = Llama::tiny().vocab;
    let last = vocab.tokens.len() - 1;
    vocab.tokens[last] = vocab.tokens[last - 1].clone();
    vocab.describe(file);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn files_can_be_written_and_have_names_of_their_own() {
        let files = unloadable();
        let names: HashSet<&str> = files.iter().map(|bad| bad.name).collect();
        assert_eq!(names.len(), files.len());
        assert!(files.iter().all(|bad| bad.file.to_bytes().is_ok()));
    }
}
