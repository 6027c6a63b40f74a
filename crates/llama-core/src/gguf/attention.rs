//! Checks of attention heads, for the architectures whose graph is known to need what is checked.

use super::GgufFile;
use super::preflight::{Check, Fault, at_least_one};

/// Architectures with the same plain attention in every layer, whose graph asserts that keys, values and rotated parts
/// of a head have one size. Others may have layers without attention, or heads of several sizes.
const PLAIN: &[&str] = &[
    "llama",
    "llama-embed",
    "mistral3",
    "qwen2",
    "qwen2moe",
    "qwen3",
    "qwen3moe",
    "granite",
    "granitemoe",
    "olmo",
    "olmoe",
    "internlm2",
    "exaone",
    "starcoder2",
    "arcee",
    "orion",
    "xverse",
    "smollm3",
];

/// Architectures that rotate a part of each head, or of the heads of some layers.
const ROTATED: &[&str] =
    &["lfm2", "lfm2moe", "gemma", "gemma2", "gemma3", "phi2", "phi3", "falcon", "stablelm", "gptneox"];

/// Encoders whose graph asserts that keys and values have one size; they may rotate nothing.
const ENCODERS: &[&str] = &["bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3"];

pub(super) fn check(file: &GgufFile, arch: &str, layers: u32) -> Check {
    if ENCODERS.contains(&arch) {
        return check_encoder(file, arch, layers);
    }
    if ROTATED.contains(&arch) {
        return check_rotation(file, layers);
    }
    if !PLAIN.contains(&arch) {
        return Ok(());
    }
    let heads = file.arch_per_layer("attention.head_count", layers)?;
    let Some(heads) = heads else {
        return Err(Fault::new(
            file.arch_key("attention.head_count"),
            "is missing; there is no attention without heads",
        ));
    };
    let kv_heads = file.arch_per_layer("attention.head_count_kv", layers)?.unwrap_or_else(|| heads.clone());
    for (layer, (&heads, &kv_heads)) in heads.iter().zip(&kv_heads).enumerate() {
        at_least_one(file, "attention.head_count", heads)?;
        at_least_one(file, "attention.head_count_kv", kv_heads)?;
        if !heads.is_multiple_of(kv_heads) {
            let problem = format!("is {kv_heads} in layer {layer}, which does not divide its {heads} heads");
            return Err(Fault::new(file.arch_key("attention.head_count_kv"), problem));
        }
    }
    check_widths(file, arch, heads[0])
}

/// With no value to rotate llama.cpp counts forever; with an odd number, or more than there are, it asserts.
fn check_rotation(file: &GgufFile, layers: u32) -> Check {
    let heads = file.arch_per_layer("attention.head_count", layers)?.unwrap_or_default();
    let Some(heads) = heads.into_iter().find(|heads| *heads > 0) else { return Ok(()) };
    let by_width = file.arch_u32("embedding_length")?.unwrap_or(0) / heads;
    let key_length = file.arch_u32("attention.key_length")?.unwrap_or(by_width);
    let rotated = file.arch_u32("rope.dimension_count")?.unwrap_or(key_length);
    if rotated == 0 || rotated > key_length || !rotated.is_multiple_of(2) {
        let problem = format!("is {rotated}, but must be even and 2 to {key_length}, the values of a head");
        return Err(Fault::new(file.arch_key("rope.dimension_count"), problem));
    }
    Ok(())
}

fn check_encoder(file: &GgufFile, arch: &str, layers: u32) -> Check {
    let heads = file.arch_per_layer("attention.head_count", layers)?.unwrap_or_default();
    for heads in &heads {
        at_least_one(file, "attention.head_count", *heads)?;
    }
    let Some(heads) = heads.first() else { return Ok(()) };
    let by_width = file.arch_u32("embedding_length")?.unwrap_or(0) / heads;
    let key_length = file.arch_u32("attention.key_length")?.unwrap_or(by_width);
    let value_length = file.arch_u32("attention.value_length")?.unwrap_or(by_width);
    at_least_one(file, "attention.key_length", key_length)?;
    if value_length != key_length {
        let problem = format!("is {value_length}, but the key length is {key_length}; {arch} models need them equal");
        return Err(Fault::new(file.arch_key("attention.value_length"), problem));
    }
    Ok(())
}

fn check_widths(file: &GgufFile, arch: &str, heads: u32) -> Check {
    let by_width = file.arch_u32("embedding_length")?.unwrap_or(0) / heads;
    let key_length = file.arch_u32("attention.key_length")?.unwrap_or(by_width);
    let value_length = file.arch_u32("attention.value_length")?.unwrap_or(by_width);
    let rotated = file.arch_u32("rope.dimension_count")?.unwrap_or(key_length);
    at_least_one(file, "attention.key_length", key_length)?;
    if value_length != key_length {
        let problem = format!("is {value_length}, but the key length is {key_length}; {arch} models need them equal");
        return Err(Fault::new(file.arch_key("attention.value_length"), problem));
    }
    if rotated != key_length {
        let problem = format!("is {rotated}, but a head has {key_length} values; {arch} models rotate all of them");
        return Err(Fault::new(file.arch_key("rope.dimension_count"), problem));
    }
    // Values are rotated in pairs.
    if !rotated.is_multiple_of(2) {
        let problem = format!("is {rotated}, but must be even");
        return Err(Fault::new(file.arch_key("rope.dimension_count"), problem));
    }
    Ok(())
}
