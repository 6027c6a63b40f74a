//! Checks of what a model says of itself, for values with which llama.cpp ends the process instead of giving an error:
//! assertions, integer division by zero, allocations without a limit.
//!
//! The checks follow llama.cpp 0.6.0 (`llama-model.cpp`, `llama-vocab.cpp`, `src/models/`). They are to refuse only what
//! cannot work in any case: an unknown architecture, key or value passes, and llama.cpp has the last word on it.

use std::collections::HashSet;

use super::error::{GgufError, shown};
use super::split::unloadable;
use super::value::{Array, Value, ValueType};
use super::{GgufFile, TensorType, attention};

/// The most layers.
#[doc(alias = "LLAMA_MAX_LAYERS")]
const MAX_LAYERS: u32 = 512;
/// The most experts per layer.
#[doc(alias = "LLAMA_MAX_EXPERTS")]
const MAX_EXPERTS: u32 = 1024;
/// The most tokens of a model without a vocabulary, for which llama.cpp makes so many placeholders.
const MAX_PLACEHOLDERS: u32 = 1 << 24;
/// Tensors that scale the rotation of attention heads.
const ROPE_FACTORS: [&str; 3] = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];
/// The number of the token type for single bytes.
const TOKEN_TYPE_BYTE: u64 = 6;

/// What a check found: the key or tensor at fault, and the fault.
pub(super) struct Fault {
    key: String,
    problem: String,
}

impl Fault {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

pub(super) type Check<T = ()> = Result<T, Fault>;

impl GgufFile {
    /// Checks that llama.cpp can be asked to load the model, beyond what the format demands.
    ///
    /// It refuses values with which llama.cpp would end the process, divide by zero or take all memory, and a few without
    /// which nothing can be loaded. A file that passes may still be refused by llama.cpp with an error of its own.
    /// Overrides of metadata are not known here; [`Model::load`](crate::Model::load) checks them too.
    ///
    /// # Errors
    ///
    /// [`Unloadable`](GgufError::Unloadable) with the key or the tensor at fault.
    pub fn preflight(&self) -> Result<(), GgufError> {
        self.preflight_vocab()?;
        self.preflight_tensors()?;
        self.verdict(check_model(self))
    }

    /// Like [`preflight`](Self::preflight), for loading the vocabulary only.
    ///
    /// # Errors
    ///
    /// [`Unloadable`](GgufError::Unloadable) with the key at fault.
    pub fn preflight_vocab(&self) -> Result<(), GgufError> {
        self.verdict(required_text(self, "general.architecture").and_then(|_| check_vocab(self)))
    }

    pub(super) fn preflight_tensors(&self) -> Result<(), GgufError> {
        self.verdict(check_tensors(self))
    }

    /// Puts a value in place of the file's, so that what llama.cpp will see is what is checked.
    pub(crate) fn override_value(&mut self, key: &str, value: Value) {
        let header = &mut self.header;
        if let Some(&index) = header.entry_index.get(key) {
            header.entries[index].1 = value;
        } else {
            header.entry_index.insert(key.to_owned(), header.entries.len());
            header.entries.push((key.to_owned(), value));
        }
    }

    fn verdict(&self, check: Check) -> Result<(), GgufError> {
        check.map_err(|fault| unloadable(self, &fault.key, fault.problem))
    }

    /// A key of the architecture that has to be a u32 if it is there; llama.cpp converts no other type.
    pub(super) fn arch_u32(&self, key: &str) -> Check<Option<u32>> {
        match self.get_arch(key) {
            None => Ok(None),
            Some(&Value::U32(value)) => Ok(Some(value)),
            Some(other) => {
                let problem = format!("is of type {}, but must be u32", other.value_type());
                Err(Fault::new(self.arch_key(key), problem))
            }
        }
    }

    /// A key of the architecture that has one u32 for all layers or one for each.
    pub(super) fn arch_per_layer(&self, key: &str, layers: u32) -> Check<Option<Vec<u32>>> {
        let Some(Value::Array(values)) = self.get_arch(key) else {
            return Ok(self.arch_u32(key)?.map(|value| vec![value; layers as usize]));
        };
        if values.len() != layers as usize {
            let problem = format!("has {} elements, but the model has {layers} layers", values.len());
            return Err(Fault::new(self.arch_key(key), problem));
        }
        let numbers = values.iter().map(|value| match value {
            Value::U32(number) => Some(number),
            // llama.cpp reads the same bits without a sign.
            Value::I32(number) => Some(number.cast_unsigned()),
            Value::Bool(yes) => Some(yes.into()),
            _ => None,
        });
        let numbers: Option<Vec<u32>> = numbers.collect();
        let fault = || Fault::new(self.arch_key(key), format!("has elements of type {}", values.element_type()));
        numbers.map(Some).ok_or_else(fault)
    }
}

fn check_model(file: &GgufFile) -> Check {
    let arch = required_text(file, "general.architecture")?;
    // Projectors of vision models; llama.cpp refuses them before it reads anything.
    if arch == "clip" {
        return Ok(());
    }
    let required = |key: &str| {
        file.arch_u32(key)?
            .ok_or_else(|| Fault::new(file.arch_key(key), "is missing; without it no model can be loaded"))
    };
    required("context_length")?;
    at_least_one(file, "embedding_length", required("embedding_length")?)?;
    let layers = required("block_count")?;
    at_least_one(file, "block_count", layers)?;
    at_most(file, "block_count", layers, MAX_LAYERS)?;
    for key in ["nextn_predict_layers", "posnet.block_count", "convnext.block_count"] {
        at_most(file, key, file.arch_u32(key)?.unwrap_or(0), layers)?;
    }
    check_experts(file, arch, layers)?;
    check_rope_scaling(file)?;
    check_epsilons(file)?;
    check_divisors(file, arch)?;
    attention::check(file, arch, layers)
}

fn check_experts(file: &GgufFile, arch: &str, layers: u32) -> Check {
    let experts = file.arch_u32("expert_count")?.unwrap_or(0);
    let used = file.arch_per_layer("expert_used_count", layers)?.unwrap_or_default().into_iter().max().unwrap_or(0);
    let groups = file.arch_u32("expert_group_count")?.unwrap_or(0);
    let groups_used = file.arch_u32("expert_group_used_count")?.unwrap_or(0);
    if experts <= 1 && matches!(arch, "hunyuan_vl" | "hunyuan-dense") {
        // For these llama.cpp forgets both numbers.
        return at_most(file, "expert_group_count", groups, 0);
    }
    at_most(file, "expert_count", experts, MAX_EXPERTS)?;
    at_most(file, "expert_used_count", used, experts)?;
    if experts == 0 {
        return at_most(file, "expert_group_count", groups, 0);
    }
    at_least_one(file, "expert_used_count", used)?;
    at_most(file, "expert_group_count", groups, experts - 1)?;
    if groups > 1 {
        if !experts.is_multiple_of(groups) {
            let problem = format!("is {groups}, which does not divide the {experts} experts");
            return Err(Fault::new(file.arch_key("expert_group_count"), problem));
        }
        at_least_one(file, "expert_group_used_count", groups_used)?;
        at_most(file, "expert_group_used_count", groups_used, groups - 1)?;
    }
    Ok(())
}

fn check_rope_scaling(file: &GgufFile) -> Check {
    match file.get_arch("rope.scaling.type") {
        Some(Value::String(kind)) if !matches!(kind.as_str(), "none" | "linear" | "yarn" | "longrope") => {
            let problem = format!("is `{}`, but must be one of none, linear, yarn, longrope", shown(kind));
            Err(Fault::new(file.arch_key("rope.scaling.type"), problem))
        }
        _ => Ok(()),
    }
}

/// What is added to a variance before its root is taken; llama.cpp asserts that it is not negative, and a number.
fn check_epsilons(file: &GgufFile) -> Check {
    for key in ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"] {
        match file.get_arch(key) {
            Some(&Value::F32(epsilon)) if epsilon.is_nan() || epsilon < 0.0 => {
                let problem = format!("is {epsilon}, but must be 0 or more");
                return Err(Fault::new(file.arch_key(key), problem));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Numbers by which llama.cpp divides without a look.
fn check_divisors(file: &GgufFile, arch: &str) -> Check {
    let keys: &[&str] = match arch {
        "mamba2" | "falcon-h1" | "granitehybrid" | "nemotron_h" | "nemotron_h_moe" => &["ssm.group_count"],
        "rwkv6" | "rwkv6qwen2" | "rwkv7" | "arwkv7" => &["wkv.head_size"],
        "olmo2" | "phimoe" => &["attention.head_count"],
        "qwen3next" | "qwen35" | "qwen35moe" | "minimax-01"
            if file.get_arch("attention.recurrent_layers").is_none() =>
        {
            &["full_attention_interval"]
        }
        _ => &[],
    };
    for key in keys {
        if let Some(&Value::U32(0)) = file.get_arch(key) {
            at_least_one(file, key, 0)?;
        }
    }
    let inner = file.arch_u32("ssm.inner_size")?;
    let width = file.arch_u32("embedding_length")?.unwrap_or(0);
    match inner {
        Some(inner) if matches!(arch, "jamba" | "granitehybrid") && u64::from(inner) != 2 * u64::from(width) => {
            let problem = format!("is {inner}, but must be twice the embedding length of {width}");
            Err(Fault::new(file.arch_key("ssm.inner_size"), problem))
        }
        _ => Ok(()),
    }
}

fn check_tensors(file: &GgufFile) -> Check {
    for tensor in file.tensors() {
        if tensor.elements() == 0 {
            return Err(Fault::new(tensor.name(), format!("has no elements (its shape is {:?})", tensor.shape())));
        }
        if is_multiplied(tensor.name()) && !can_multiply(tensor.tensor_type()) {
            let problem = format!("is of type {}, which cannot be multiplied with", tensor.tensor_type());
            return Err(Fault::new(tensor.name(), problem));
        }
        // llama.cpp asserts this before it compares the type with what it can compute.
        if ROPE_FACTORS.contains(&tensor.name()) && tensor.tensor_type() != TensorType::F32 {
            return Err(Fault::new(tensor.name(), format!("is of type {}, but must be f32", tensor.tensor_type())));
        }
    }
    Ok(())
}

/// Whether a name is one that every architecture uses for the left side of a matrix product.
fn is_multiplied(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".weight") else {
        return false;
    };
    let layer = stem.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).map(|(_, part)| part);
    match layer {
        None => stem == "output",
        Some(part) => matches!(
            part,
            "attn_q" | "attn_k" | "attn_v" | "attn_qkv" | "attn_output" | "ffn_gate" | "ffn_up" | "ffn_down"
        ),
    }
}

fn can_multiply(tensor_type: TensorType) -> bool {
    use TensorType as T;
    !matches!(tensor_type, T::I8 | T::I16 | T::I32 | T::I64 | T::F64 | T::Q8_1 | T::Q8_K)
}

fn check_vocab(file: &GgufFile) -> Check {
    if file.architecture() == Some("clip") {
        return Ok(());
    }
    let model = required_text(file, "tokenizer.ggml.model")?;
    if matches!(model, "no_vocab" | "none") {
        return at_most(file, "vocab_size", file.arch_u32("vocab_size")?.unwrap_or(0), MAX_PLACEHOLDERS);
    }
    let tokens = match file.get("tokenizer.ggml.tokens") {
        Some(Value::Array(tokens)) if tokens.element_type() == ValueType::String && !tokens.is_empty() => tokens,
        Some(_) => {
            return Err(Fault::new("tokenizer.ggml.tokens", "is not a list of at least one string"));
        }
        None => {
            return Err(Fault::new("tokenizer.ggml.tokens", "is missing; without it there is no vocabulary"));
        }
    };
    check_token_texts(tokens)?;
    match file.get("tokenizer.ggml.token_type") {
        // Such vocabularies spell no bytes.
        Some(Value::Array(types)) if model == "bert" && has_byte_token(types, tokens.len()) => {
            Err(Fault::new("tokenizer.ggml.token_type", "marks a token as a byte, which a bert vocabulary cannot have"))
        }
        _ => Ok(()),
    }
}

/// Checks that no token is there twice, under the names llama.cpp gives them.
fn check_token_texts(tokens: &Array) -> Check {
    // A zero byte ends the text for llama.cpp, and what is empty then gets a name with its number.
    let texts =
        || tokens.strings().into_iter().flatten().map(|text| text.split(|&byte| byte == 0).next().unwrap_or(text));
    let empty = texts().enumerate().filter(|(_, text)| text.is_empty());
    let placeholders: HashSet<Vec<u8>> = empty.map(|(index, _)| format!("[EMPTY_{index}]").into_bytes()).collect();
    let mut seen = HashSet::with_capacity(tokens.len());
    for (index, text) in texts().enumerate() {
        let is_new = text.is_empty() || (!placeholders.contains(text) && seen.insert(text));
        if !is_new {
            let text = shown(&String::from_utf8_lossy(text));
            let problem = format!("has the token `{text}` twice, the second time as number {index}");
            return Err(Fault::new("tokenizer.ggml.tokens", problem));
        }
    }
    Ok(())
}

fn has_byte_token(types: &Array, tokens: usize) -> bool {
    types.iter().take(tokens).any(|ty| ty.as_u64() == Some(TOKEN_TYPE_BYTE))
}

fn required_text<'f>(file: &'f GgufFile, key: &str) -> Check<&'f str> {
    match file.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Fault::new(key, format!("is of type {}, but must be text", other.value_type()))),
        None => Err(Fault::new(key, "is missing; this may be an adapter, a projector or a later part, not a model")),
    }
}

pub(super) fn at_least_one(file: &GgufFile, key: &str, value: u32) -> Check {
    if value == 0 { Err(Fault::new(file.arch_key(key), "is 0, but must be at least 1")) } else { Ok(()) }
}

fn at_most(file: &GgufFile, key: &str, value: u32, limit: u32) -> Check {
    if value > limit {
        return Err(Fault::new(file.arch_key(key), format!("is {value}, but can be at most {limit}")));
    }
    Ok(())
}
