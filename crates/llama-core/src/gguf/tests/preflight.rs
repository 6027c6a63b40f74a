use super::super::{GgufError, GgufFile};
use super::bytes::{Gguf, T, V};

fn verdict(file: &Gguf) -> Result<(), GgufError> {
    GgufFile::from_bytes(&file.write()).unwrap().preflight()
}

#[track_caller]
fn refused(file: &Gguf, key: &str, hint: &str) {
    let error = verdict(file).unwrap_err();
    match &error {
        GgufError::Unloadable { key: found, problem, .. } => {
            assert!(found == key && problem.contains(hint), "{error}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_good_model_passes() {
    verdict(&Gguf::llama()).unwrap();
}

#[test]
fn keys_without_which_nothing_loads_are_required() {
    for key in [
        "general.architecture",
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.attention.head_count",
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
    ] {
        refused(Gguf::llama().without(key), key, "is missing");
    }
}

#[test]
fn numbers_that_make_llama_cpp_abort_are_refused() {
    let cases = [
        ("llama.block_count", V::U32(0), "at least 1"),
        ("llama.block_count", V::U32(513), "at most 512"),
        ("llama.block_count", V::U32(u32::MAX), "at most 512"),
        ("llama.block_count", V::U64(2), "u64"),
        ("llama.embedding_length", V::U32(0), "at least 1"),
        ("llama.nextn_predict_layers", V::U32(3), "at most 2"),
        ("llama.expert_count", V::U32(1025), "at most 1024"),
        ("llama.expert_used_count", V::U32(1), "at most 0"),
        ("llama.expert_group_count", V::U32(1), "at most 0"),
        ("llama.rope.scaling.type", V::Text("cubic"), "`cubic`"),
        ("llama.attention.head_count", V::U32(0), "at least 1"),
        ("llama.attention.head_count_kv", V::U32(0), "at least 1"),
        ("llama.attention.head_count_kv", V::U32(3), "does not divide"),
        ("llama.attention.head_count_kv", V::U32s(vec![2]), "2 layers"),
        ("llama.attention.value_length", V::U32(4), "key length is 2"),
        ("llama.rope.dimension_count", V::U32(1), "rotate all"),
        ("llama.attention.layer_norm_rms_epsilon", V::F32(-1.0), "0 or more"),
        ("llama.attention.layer_norm_rms_epsilon", V::F32(f32::NAN), "0 or more"),
    ];
    for (key, value, hint) in cases {
        refused(Gguf::llama().set(key, value), key, hint);
    }
    let odd =
        Gguf::llama().set("llama.attention.head_count", V::U32(8)).without("llama.attention.head_count_kv").clone();
    refused(&odd, "llama.rope.dimension_count", "even");
}

#[test]
fn experts_must_add_up() {
    let experts = |used, groups, groups_used| {
        let mut file = Gguf::llama();
        file.set("llama.expert_count", V::U32(8)).set("llama.expert_used_count", V::U32s(vec![1, used]));
        file.set("llama.expert_group_count", V::U32(groups)).set("llama.expert_group_used_count", V::U32(groups_used));
        file
    };
    verdict(&experts(2, 4, 2)).unwrap();
    verdict(&experts(8, 0, 0)).unwrap();
    refused(&experts(9, 0, 0), "llama.expert_used_count", "at most 8");
    refused(&experts(2, 8, 1), "llama.expert_group_count", "at most 7");
    refused(&experts(2, 3, 1), "llama.expert_group_count", "does not divide");
    refused(&experts(2, 4, 0), "llama.expert_group_used_count", "at least 1");
    refused(&experts(2, 4, 4), "llama.expert_group_used_count", "at most 3");
    refused(Gguf::llama().set("llama.expert_count", V::U32(8)), "llama.expert_used_count", "at least 1");
}

#[test]
fn divisors_of_an_architecture_must_not_be_zero() {
    let of = |arch: &'static str, key: &str, value| {
        let mut file = Gguf::llama();
        file.set("general.architecture", V::Text(arch));
        for key in ["context_length", "embedding_length", "block_count"] {
            file.set(&format!("{arch}.{key}"), V::U32(2));
        }
        file.set(&format!("{arch}.{key}"), V::U32(value));
        file
    };
    verdict(&of("mamba2", "ssm.group_count", 1)).unwrap();
    refused(&of("mamba2", "ssm.group_count", 0), "mamba2.ssm.group_count", "at least 1");
    refused(&of("rwkv7", "wkv.head_size", 0), "rwkv7.wkv.head_size", "at least 1");
    refused(&of("qwen35", "full_attention_interval", 0), "qwen35.full_attention_interval", "at least 1");
    refused(&of("jamba", "ssm.inner_size", 5), "jamba.ssm.inner_size", "twice");
    // What is not known is left to llama.cpp.
    verdict(&of("unheard-of", "attention.head_count", 0)).unwrap();
}

#[test]
fn a_vocabulary_with_a_token_twice_is_refused() {
    let tokens = |list: &[&'static str]| Gguf::llama().set("tokenizer.ggml.tokens", V::Texts(list.to_vec())).clone();
    refused(&tokens(&["a", "b", "a"]), "tokenizer.ggml.tokens", "`a` twice, the second time as number 2");
    refused(&tokens(&["", "[EMPTY_0]"]), "tokenizer.ggml.tokens", "twice");
    refused(&tokens(&[]), "tokenizer.ggml.tokens", "at least one");
    refused(&tokens(&["a", "a\0b"]), "tokenizer.ggml.tokens", "`a` twice");
    verdict(&tokens(&["", "\0", "[EMPTY_2]"])).unwrap();
}

#[test]
fn a_bert_vocabulary_has_no_byte_tokens() {
    let mut file = Gguf::llama();
    file.set("tokenizer.ggml.token_type", V::I32s(vec![2, 3, 1, 6]));
    verdict(&file).unwrap();
    refused(file.set("tokenizer.ggml.model", V::Text("bert")), "tokenizer.ggml.token_type", "byte");
}

#[test]
fn a_model_without_vocabulary_has_a_sane_number_of_placeholders() {
    let mut file = Gguf::llama();
    file.without("tokenizer.ggml.tokens")
        .set("tokenizer.ggml.model", V::Text("none"))
        .set("llama.vocab_size", V::U32(4));
    verdict(&file).unwrap();
    refused(file.set("llama.vocab_size", V::U32(u32::MAX)), "llama.vocab_size", "at most");
}

#[test]
fn tensors_that_cannot_be_computed_with_are_refused() {
    let with = |name: &str, shape: &[u64], id| {
        let mut file = Gguf::llama();
        file.tensors.push(T { id, ..T::f32(name, shape) });
        file
    };
    verdict(&with("blk.0.attn_q.weight", &[8, 8], 0)).unwrap();
    verdict(&with("blk.0.lookup.weight", &[8, 8], 26)).unwrap();
    refused(&with("blk.0.attn_q.weight", &[8, 8], 26), "blk.0.attn_q.weight", "i32");
    refused(&with("output.weight", &[8, 8], 24), "output.weight", "i8");
    refused(&with("rope_freqs.weight", &[8], 1), "rope_freqs.weight", "f32");
    refused(&with("blk.0.attn_q.weight", &[0], 0), "blk.0.attn_q.weight", "no elements");
}

#[test]
fn a_vocabulary_alone_can_be_checked() {
    let mut file = Gguf::llama();
    file.without("llama.block_count");
    GgufFile::from_bytes(&file.write()).unwrap().preflight_vocab().unwrap();
}

#[test]
fn a_projector_passes_and_is_left_to_llama_cpp() {
    let mut file = Gguf::empty();
    verdict(file.set("general.architecture", V::Text("clip"))).unwrap();
}
