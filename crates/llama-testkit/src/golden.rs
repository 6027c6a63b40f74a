//! Golden answers: what llama.cpp itself generated, greedily, from the demo model.
//!
//! The data are ours (`data/golden.json`, made with the demo model's own tools). A test replays each entry and compares
//! token ids; where it differs, [`Entry::first_difference`] tells how near the call was.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// A set of golden answers of one model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Golden {
    /// File name of the model.
    pub model: String,
    /// SHA-256 of the model file, lower-case hex.
    pub sha256: String,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f32,
    /// One entry per prompt.
    pub entries: Vec<Entry>,
}

/// One prompt and its answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Entry {
    /// Unique short name.
    pub name: String,
    /// The conversation; empty where the prompt was given raw.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Tokens asked for at most.
    pub n_predict: u32,
    /// The text after the model's chat template, or the raw prompt.
    pub prompt: String,
    /// Its token ids, special tokens parsed.
    pub prompt_tokens: Vec<i32>,
    /// Generated token ids, with the end token where one came.
    pub tokens: Vec<i32>,
    /// Text of the generated tokens, without the end token.
    pub text: String,
    /// Why generation ended.
    pub stop: Stop,
    /// For each generated token, by how much its log probability beat the second best; empty where that is not known (an
    /// answer with characters of several tokens).
    #[serde(deserialize_with = "null_as_empty")]
    pub margins: Vec<f32>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Text.
    pub content: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// The model ended it; the end token is the last of [`Entry::tokens`].
    Eos,
    /// [`Entry::n_predict`] tokens were generated.
    Limit,
}

/// Where an answer leaves the golden one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Index into [`Entry::tokens`].
    pub index: usize,
    /// Golden token; `None` past its end.
    pub expected: Option<i32>,
    /// Token given instead; `None` if the answer was too short.
    pub actual: Option<i32>,
    /// The golden token's margin, if known: rounding alone may explain a difference where it is tiny (below about 0.05).
    pub margin: Option<f32>,
}

impl Entry {
    /// First place where `actual` (with the end token, if one came) is not the golden answer.
    #[must_use]
    pub fn first_difference(&self, actual: &[i32]) -> Option<Difference> {
        let index = (0..self.tokens.len().max(actual.len())).find(|i| self.tokens.get(*i) != actual.get(*i))?;
        Some(Difference {
            index,
            expected: self.tokens.get(index).copied(),
            actual: actual.get(index).copied(),
            margin: self.margins.get(index).copied(),
        })
    }

    /// Smallest margin of the answer, if margins are known.
    #[must_use]
    pub fn smallest_margin(&self) -> Option<f32> {
        self.margins.iter().copied().reduce(f32::min)
    }
}

/// The file says `null` for margins that are not known.
fn null_as_empty<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Golden {
    /// Reads a golden file.
    ///
    /// # Errors
    /// What the JSON parser reports, with line and column.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Entry called `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Golden answers of the demo model; see [`demo_model_path`].
#[must_use]
pub fn demo() -> Golden {
    Golden::from_json(include_str!("../data/golden.json")).expect("a unit test parses this very file")
}

/// Where the demo model lies in the repository: `crates/llama-cli/assets/demo-q8_0.gguf`.
///
/// The path is that of the checkout this crate was compiled in; whether the file is there is not checked.
#[must_use]
pub fn demo_model_path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "llama-cli", "assets", "demo-q8_0.gguf"].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_file_is_whole() {
        let golden = demo();
        assert_eq!(golden.entries.len(), 28);
        assert_eq!(golden.temperature, 0.0);
        for entry in &golden.entries {
            let name = &entry.name;
            assert!(entry.margins.is_empty() || entry.tokens.len() == entry.margins.len(), "{name}");
            assert!(entry.tokens.len() <= entry.n_predict as usize, "{name}");
            assert!(!entry.prompt_tokens.is_empty(), "{name}");
            assert_eq!(entry.stop == Stop::Limit, entry.tokens.len() == entry.n_predict as usize, "{name}");
            assert_eq!(golden.entry(name), Some(entry), "names are unique");
        }
        assert!(golden.entry("raw-story").is_some_and(|entry| entry.messages.is_empty()));
    }

    #[test]
    fn the_first_difference_is_found_at_either_end() {
        let golden = demo();
        let entry = &golden.entries[0];
        assert_eq!(entry.first_difference(&entry.tokens), None);
        let mut other = entry.tokens.clone();
        other[3] = 0;
        let difference = entry.first_difference(&other).map(|d| (d.index, d.actual, d.margin));
        assert_eq!(difference, Some((3, Some(0), Some(entry.margins[3]))));
        let short = &entry.tokens[..5];
        assert_eq!(entry.first_difference(short).map(|d| (d.index, d.actual)), Some((5, None)));
    }
}
