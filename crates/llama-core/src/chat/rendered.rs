//! What comes out of a template.

use super::error::ChatError;
use super::parser::{ChatParser, Parsers};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// When a lazy grammar starts to apply.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrammarTrigger {
    /// This text was written.
    Word(String),
    /// This regular expression matches somewhere in what was written.
    Pattern(String),
    /// This regular expression matches all that was written.
    PatternFull(String),
}

impl GrammarTrigger {
    /// The trigger as a regular expression over the text written so far, which is what grammar samplers take. The
    /// grammar applies from the first capture group on, or else from the start of the match.
    pub fn to_pattern(&self) -> String {
        match self {
            Self::Word(word) => escape(word),
            Self::Pattern(pattern) => pattern.clone(),
            Self::PatternFull(pattern) => {
                let start = if pattern.starts_with('^') { "" } else { "^" };
                let end = if pattern.ends_with('$') { "" } else { "$" };
                format!("{start}{pattern}{end}")
            }
        }
    }
}

fn escape(word: &str) -> String {
    let mut out = String::with_capacity(word.len() + 8);
    for c in word.chars() {
        if r".^$|()*+?[]{}\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A grammar that the answer has to follow, from the start or from a trigger on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatGrammar {
    /// GBNF; its root is `root`.
    pub gbnf: String,
    /// Whether it applies only after one of the triggers.
    pub lazy: bool,
    /// Empty unless lazy.
    pub triggers: Vec<GrammarTrigger>,
    /// Whether the grammar describes the answer including the [generation prompt](RenderedPrompt::generation_prompt),
    /// which must then be accepted by it before the first token is sampled. False for a grammar of the caller.
    pub covers_generation_prompt: bool,
}

/// A prompt and what belongs to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RenderedPrompt {
    /// The text to tokenize, with special tokens parsed and none added that the model adds itself.
    pub prompt: String,
    /// Upstream's name of the answer's format, for logs.
    pub format: String,
    /// What to constrain sampling with.
    pub grammar: Option<ChatGrammar>,
    /// Texts that must come out of detokenization although they are special tokens: markers that the parser looks for.
    pub preserved_tokens: Vec<String>,
    /// Texts that end the answer, besides the model's own end token.
    pub stops: Vec<String>,
    /// The end of the prompt that already belongs to the answer.
    pub generation_prompt: String,
    /// Whether the model thinks, as far as the template shows.
    pub supports_thinking: bool,
    /// What opens thinking; empty if nothing does.
    pub thinking_start: String,
    /// What closes thinking.
    pub thinking_ends: Vec<String>,
    parser: Value,
    /// Those of the template.
    parsers: Arc<Parsers>,
}

#[derive(Deserialize)]
struct Wire {
    prompt: String,
    format: String,
    grammar: String,
    grammar_lazy: bool,
    grammar_triggers: Vec<GrammarTrigger>,
    preserved_tokens: Vec<String>,
    additional_stops: Vec<String>,
    generation_prompt: String,
    supports_thinking: bool,
    thinking_start_tag: String,
    thinking_end_tags: Vec<String>,
    parser: Value,
}

impl RenderedPrompt {
    /// `own_grammar` is the caller's; upstream leaves it to its callers to pass it on.
    pub(super) fn from_wire(text: &str, own_grammar: Option<&str>, parsers: Arc<Parsers>) -> Result<Self, ChatError> {
        let wire: Wire = serde_json::from_str(text).map_err(ChatError::Answer)?;
        let grammar = match own_grammar {
            Some(gbnf) => Some(ChatGrammar {
                gbnf: gbnf.to_owned(),
                lazy: false,
                triggers: Vec::new(),
                covers_generation_prompt: false,
            }),
            None if wire.grammar.is_empty() => None,
            None => Some(ChatGrammar {
                gbnf: wire.grammar,
                lazy: wire.grammar_lazy,
                triggers: wire.grammar_triggers,
                covers_generation_prompt: !wire.grammar_lazy,
            }),
        };
        Ok(Self {
            prompt: wire.prompt,
            format: wire.format,
            grammar,
            preserved_tokens: wire.preserved_tokens,
            stops: wire.additional_stops,
            generation_prompt: wire.generation_prompt,
            supports_thinking: wire.supports_thinking,
            thinking_start: wire.thinking_start_tag,
            thinking_ends: wire.thinking_end_tags,
            parser: wire.parser,
            parsers,
        })
    }

    /// Makes the parser for answers to this prompt, or takes the one that was made for a prompt like it.
    ///
    /// # Errors
    ///
    /// [`ChatError::Thread`] when no thread can be started.
    pub fn parser(&self) -> Result<ChatParser, ChatError> {
        self.parsers.get(&self.parser)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_become_patterns() {
        assert_eq!(GrammarTrigger::Word("[CALL](x)".into()).to_pattern(), r"\[CALL\]\(x\)");
        assert_eq!(GrammarTrigger::Pattern("a|b".into()).to_pattern(), "a|b");
        assert_eq!(GrammarTrigger::PatternFull("^a.*".into()).to_pattern(), "^a.*$");
    }
}
