//! The well-known facts among the metadata.

use std::fmt;

use super::tensor::TensorType;
use super::{GgufFile, Value};

/// Which part of a split model a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SplitInfo {
    /// The number of this part, from 0.
    pub number: u16,
    /// How many parts there are, more than 1.
    pub count: u16,
}

/// The main quantization of a model, as its converter named it.
#[doc(alias = "llama_ftype")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileType(pub u32);

impl FileType {
    /// The usual name, such as `Q4_K_M`; nothing for a number without one.
    #[doc(alias = "llama_model_ftype_name")]
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "F32",
            1 => "F16",
            2 => "Q4_0",
            3 => "Q4_1",
            7 => "Q8_0",
            8 => "Q5_0",
            9 => "Q5_1",
            10 => "Q2_K",
            11 => "Q3_K_S",
            12 => "Q3_K_M",
            13 => "Q3_K_L",
            14 => "Q4_K_S",
            15 => "Q4_K_M",
            16 => "Q5_K_S",
            17 => "Q5_K_M",
            18 => "Q6_K",
            19 => "IQ2_XXS",
            20 => "IQ2_XS",
            21 => "Q2_K_S",
            22 => "IQ3_XS",
            23 => "IQ3_XXS",
            24 => "IQ1_S",
            25 => "IQ4_NL",
            26 => "IQ3_S",
            27 => "IQ3_M",
            28 => "IQ2_S",
            29 => "IQ2_M",
            30 => "IQ4_XS",
            31 => "IQ1_M",
            32 => "BF16",
            36 => "TQ1_0",
            37 => "TQ2_0",
            38 => "MXFP4",
            39 => "NVFP4",
            40 => "Q1_0",
            41 => "Q2_0",
            _ => return None,
        })
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "file type {}", self.0),
        }
    }
}

impl GgufFile {
    /// The architecture, such as `llama`.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        self.text("general.architecture")
    }

    /// The name of the model.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.text("general.name")
    }

    /// The context length of the training, in tokens.
    #[doc(alias = "llama_model_n_ctx_train")]
    #[must_use]
    pub fn context_length(&self) -> Option<u64> {
        self.get_arch("context_length")?.as_u64()
    }

    /// The width of the model: values per token between its layers.
    #[doc(alias = "llama_model_n_embd")]
    #[must_use]
    pub fn embedding_length(&self) -> Option<u64> {
        self.get_arch("embedding_length")?.as_u64()
    }

    /// The number of layers.
    #[doc(alias = "llama_model_n_layer")]
    #[must_use]
    pub fn block_count(&self) -> Option<u64> {
        self.get_arch("block_count")?.as_u64()
    }

    /// The number of parameters: elements of all tensors in this file.
    #[doc(alias = "llama_model_n_params")]
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.tensors().iter().fold(0, |sum: u64, tensor| sum.saturating_add(tensor.elements()))
    }

    /// Bytes of all tensors in this file.
    #[doc(alias = "llama_model_size")]
    #[must_use]
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors().iter().fold(0, |sum: u64, tensor| sum.saturating_add(tensor.byte_len()))
    }

    /// The main quantization by the metadata.
    #[must_use]
    pub fn file_type(&self) -> Option<FileType> {
        let id = self.get("general.file_type")?.as_u64()?;
        u32::try_from(id).ok().map(FileType)
    }

    /// The tensor type that holds the most bytes of this file.
    #[must_use]
    pub fn main_tensor_type(&self) -> Option<TensorType> {
        let bytes_of = |ty| {
            self.tensors().iter().filter(|t| t.tensor_type() == ty).map(|t| u128::from(t.byte_len())).sum::<u128>()
        };
        TensorType::ALL.iter().copied().max_by_key(|&ty| bytes_of(ty)).filter(|&ty| bytes_of(ty) > 0)
    }

    /// The chat template of the model, in Jinja.
    #[doc(alias = "llama_model_chat_template")]
    #[must_use]
    pub fn chat_template(&self) -> Option<&str> {
        self.text("tokenizer.chat_template")
    }

    /// Further chat templates by name, such as `tool_use`.
    pub fn named_chat_templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata()
            .filter_map(|(key, value)| Some((key.strip_prefix("tokenizer.chat_template.")?, value.as_str()?)))
    }

    /// The kind of tokenizer, such as `llama`, `gpt2` or `bert`.
    #[must_use]
    pub fn tokenizer_model(&self) -> Option<&str> {
        self.text("tokenizer.ggml.model")
    }

    /// The number of tokens in the vocabulary.
    #[doc(alias = "llama_vocab_n_tokens")]
    #[must_use]
    pub fn vocab_size(&self) -> Option<u64> {
        match self.get("tokenizer.ggml.tokens") {
            Some(Value::Array(tokens)) => Some(tokens.len() as u64),
            _ => self.get_arch("vocab_size")?.as_u64(),
        }
    }

    /// Which part of a split model this file is; nothing if it is a whole model.
    #[must_use]
    pub fn split(&self) -> Option<SplitInfo> {
        let number = |key| u16::try_from(self.get(key)?.as_u64()?).ok();
        let count = number("split.count").filter(|&count| count > 1)?;
        Some(SplitInfo { number: number("split.no")?, count })
    }

    /// The facts one wants to see first.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            name: self.name().map(str::to_owned),
            architecture: self.architecture().map(str::to_owned),
            parameters: self.parameter_count(),
            file_type: self.file_type(),
            main_tensor_type: self.main_tensor_type(),
            tensor_bytes: self.tensor_bytes(),
            context_length: self.context_length(),
            layers: self.block_count(),
            vocab_size: self.vocab_size(),
            tokenizer: self.tokenizer_model().map(str::to_owned),
            has_chat_template: self.chat_template().is_some(),
            split: self.split(),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }
}

/// The facts about a model that one wants to see first. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The name of the model.
    pub name: Option<String>,
    /// The architecture.
    pub architecture: Option<String>,
    /// Parameters in this file.
    pub parameters: u64,
    /// The main quantization by the metadata.
    pub file_type: Option<FileType>,
    /// The tensor type that holds the most bytes.
    pub main_tensor_type: Option<TensorType>,
    /// Bytes of all tensors in this file.
    pub tensor_bytes: u64,
    /// The context length of the training, in tokens.
    pub context_length: Option<u64>,
    /// The number of layers.
    pub layers: Option<u64>,
    /// The number of tokens in the vocabulary.
    pub vocab_size: Option<u64>,
    /// The kind of tokenizer.
    pub tokenizer: Option<String>,
    /// Whether the model brings a chat template.
    pub has_chat_template: bool,
    /// Which part of a split model this is.
    pub split: Option<SplitInfo>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "unknown".to_owned();
        write!(f, "{}: ", self.name.clone().unwrap_or_else(|| "unnamed model".to_owned()))?;
        write!(f, "{}, ", self.architecture.clone().unwrap_or_else(unknown))?;
        let (count, letter) = short(self.parameters);
        write!(f, "{count}{letter} parameters, ")?;
        match (self.file_type, self.main_tensor_type) {
            (Some(file_type), _) => write!(f, "{file_type}, ")?,
            (None, Some(tensor_type)) => write!(f, "mostly {tensor_type}, ")?,
            (None, None) => {}
        }
        let (count, letter) = short(self.tensor_bytes);
        write!(f, "{count} {letter}B of tensors")?;
        if let Some(layers) = self.layers {
            write!(f, ", {layers} layers")?;
        }
        if let Some(context) = self.context_length {
            write!(f, ", context of {context}")?;
        }
        if let Some(vocab) = self.vocab_size {
            write!(f, ", {vocab} tokens ({})", self.tokenizer.clone().unwrap_or_else(unknown))?;
        }
        if let Some(split) = self.split {
            write!(f, ", part {} of {}", u32::from(split.number) + 1, split.count)?;
        }
        Ok(())
    }
}

/// A count with one decimal, and the letter for its thousands.
fn short(count: u64) -> (String, &'static str) {
    let mut value = count as f64;
    if count < 1000 {
        return (count.to_string(), "");
    }
    for letter in ["k", "M", "G", "T"] {
        value /= 1000.0;
        if value < 999.95 {
            return (format!("{value:.1}"), letter);
        }
    }
    (format!("{:.1}", value / 1000.0), "P")
}
