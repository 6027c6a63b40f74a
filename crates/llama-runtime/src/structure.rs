//! Structured output: what the text of an answer has to follow, and how every token is held to it.
//!
//! A [`Structure`] is compiled on the caller's thread when a request is submitted, so that what cannot be enforced is
//! refused there, by place and with what to do. Then one of two engines holds the answer to it:
//!
//! - a GBNF grammar goes to the sampler of llama-core, which has its own engine for that notation;
//! - a JSON schema or a regular expression becomes a [`Compiled`], from which each sequence gets a [`Guide`]: before a
//!   token is chosen the guide computes the set of tokens that may follow, its mask, and after it takes note of the
//!   choice. [`MaskWorker`] computes masks while llama.cpp decodes.
//!
//! | file | what it does |
//! |---|---|
//! | `vocab` | the model's tokens by their bytes, once per model |
//! | `schema` | finds what cannot be enforced, and writes the rest in the one form that the engine reads exactly |
//! | `compile` | makes a [`Compiled`] within limits of time and memory |
//! | `mask` | the state of one sequence |
//! | `ahead` | masks off the engine's thread |

mod ahead;
mod compile;
mod mask;
mod schema;
#[cfg(test)]
mod tests;
mod vocab;

use llama_core::SamplerError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use ahead::{MaskWorker, Prepared};
pub(crate) use compile::{Compiled, Enforced, Structures};
pub(crate) use mask::Guide;
pub use mask::GuideError;

/// What the text of an answer has to follow, from its first character to its last.
///
/// Every token that is chosen keeps to it, whatever the temperature. An answer that ends by itself is complete; one that
/// ends at `max_tokens` or a stop string may be cut short.
///
/// ```
/// use llama_runtime::Structure;
///
/// let person = Structure::json_schema(serde_json::json!({
///     "type": "object",
///     "properties": { "name": { "type": "string" }, "age": { "type": "integer", "minimum": 0 } },
///     "required": ["name", "age"],
///     "additionalProperties": false
/// }));
/// # let _ = person;
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Structure {
    /// A JSON value that a JSON schema (draft 2020-12, and what older drafts have in common with it) accepts.
    ///
    /// Supported: `type`, `enum`, `const`, `anyOf`, `allOf`, `oneOf` of alternatives that exclude each other, `$ref` within
    /// the schema, also recursive; `properties`, `required`, `additionalProperties`, `patternProperties`,
    /// `minProperties`, `maxProperties`; `items`, `prefixItems`, `minItems`, `maxItems`; `minLength`, `maxLength`,
    /// `pattern`, `format`; `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `multipleOf`. Annotations are
    /// allowed. Everything else is [`StructureError::UnsupportedSchema`] when the request is submitted: no assertion is
    /// dropped in silence.
    ///
    /// The text is narrower than the schema in these ways, none of which makes it invalid:
    /// - properties come in the order of the schema, those it does not name last;
    /// - between tokens of JSON is at most a space, or one or two line breaks with up to 20 blanks; nothing around the value;
    /// - strings hold no control characters but `\b`, `\f`, `\n`, `\r`, `\t`, and no other escapes than those, `\"` and
    ///   `\\`: any other character stands for itself;
    /// - `integer` and `number` stay within ±10^18 and have no exponent; `-0` is an integer. Where a schema says nothing about a value, as
    ///   for additional properties, numbers are free;
    /// - between an exclusive bound that is a whole number and the numbers of a `number` is at least 10^-9;
    /// - `format` is a matter of shape: `date` knows the length of months but not leap years. `int32` and the like are
    ///   ranges; `int64` and `uint64` end at 2^53 - 1, up to where every reader of JSON is exact.
    ///
    /// A property that the schema does not name can come twice, as JSON allows; each time its value is valid. An object
    /// that has to have a number of properties beyond the named ones is refused for that reason.
    ///
    /// Limits: 256 KiB, 10 000 keywords and values, 64 steps from the root to the innermost, 512 properties and 16
    /// patterns in an object, strings of 16 384 characters and arrays of 65 536 items where a schema counts them. Beyond
    /// them, and where a schema within them takes too much work to compile: [`StructureError::TooComplex`].
    JsonSchema(Value),
    /// A grammar in llama.cpp's GBNF notation; its rule `root` is the whole text. See [`llama_core::Grammar`].
    Gbnf(String),
    /// A regular expression that matches the whole text: Rust's syntax, without look-around and word boundaries; `^` and
    /// `$` only at the ends, where they change nothing.
    Regex(String),
}

impl Structure {
    /// A JSON schema.
    pub fn json_schema(schema: Value) -> Self {
        Self::JsonSchema(schema)
    }

    /// Any JSON object.
    pub fn json_object() -> Self {
        Self::JsonSchema(serde_json::json!({ "type": "object" }))
    }

    /// A GBNF grammar.
    pub fn gbnf(grammar: impl Into<String>) -> Self {
        Self::Gbnf(grammar.into())
    }

    /// A regular expression.
    pub fn regex(pattern: impl Into<String>) -> Self {
        Self::Regex(pattern.into())
    }
}

/// Why a structure cannot be enforced. Places are JSON pointers into the schema, empty for its root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StructureError {
    /// The schema asks for something that cannot be enforced while the text is written.
    #[error("schema, at {}: {what}; {hint}", place(.pointer))]
    UnsupportedSchema {
        /// Where.
        pointer: String,
        /// What is not supported.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// It is not a JSON schema.
    #[error("schema, at {}: {what}", place(.pointer))]
    InvalidSchema {
        /// Where.
        pointer: String,
        /// What is wrong.
        what: String,
    },
    /// No value satisfies the schema.
    #[error("schema, at {}: no value is possible: {what}", place(.pointer))]
    Unsatisfiable {
        /// Where.
        pointer: String,
        /// Which demands exclude each other.
        what: String,
    },
    /// The structure is larger, deeper or more ambiguous than one request may ask for.
    #[error("{}: too complex: {what}", whole(.pointer))]
    TooComplex {
        /// Where, as far as it is known.
        pointer: String,
        /// Which limit it exceeds.
        what: String,
    },
    /// The GBNF grammar cannot be used.
    #[error(transparent)]
    Gbnf(#[from] SamplerError),
    /// The regular expression cannot be used.
    #[error("the regular expression cannot be used: {reason}")]
    Regex {
        /// What is wrong with it.
        reason: String,
    },
    /// The model's vocabulary does not allow structured output.
    #[error("structured output needs another vocabulary: {reason}")]
    Vocabulary {
        /// What is wrong with it.
        reason: String,
    },
    /// The compiler failed where it should not.
    #[error("the structure could not be compiled: {reason}")]
    Internal {
        /// What it said.
        reason: String,
    },
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "its root" } else { pointer }
}

fn whole(pointer: &str) -> String {
    if pointer.is_empty() { "the structure".into() } else { format!("schema, at {pointer}") }
}
