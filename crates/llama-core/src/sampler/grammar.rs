//! What a person says about a grammar: its text, its first rule, and what starts it.

use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::SamplerError;
use super::gbnf::{TokenName, parse};
use super::matcher::{Matcher, Pattern, Triggers};
use super::pieces::Pieces;
use super::rules::Rules;
use crate::ids::Token;
use crate::model::Model;
use crate::vocab::{AddSpecial, Specials, TokenizeError};

/// Memory a compiled pattern may take.
const MAX_PATTERN: usize = 1 << 20;
const MAX_PATTERNS: usize = 256;

/// A grammar that the sampled text has to follow, in llama.cpp's GBNF notation.
///
/// The notation: rules `name ::= ...`, of which `root` is the whole text; literals `"..."`, classes `[a-z]` and `[^"]`,
/// any character `.`, groups `( )`, alternatives `|`, repetitions `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`, tokens
/// `<think>`, `<[12]>` and their negation `!<think>`, comments `# ...`.
///
/// ```
/// use llama_core::Grammar;
///
/// let answer = Grammar::gbnf(r#"root ::= "yes" | "no""#);
/// assert_eq!(answer.root, "root");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[doc(alias = "llama_sampler_init_grammar")]
pub struct Grammar {
    /// The rules.
    pub text: String,
    /// The name of the rule that the whole text follows.
    pub root: String,
    /// What starts the grammar; `None` if it holds from the first token.
    pub lazy: Option<Lazy>,
}

/// What starts a lazy grammar: until then every token is allowed.
///
/// With neither patterns nor tokens the grammar never starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[doc(alias = "llama_sampler_init_grammar_lazy_patterns")]
pub struct Lazy {
    /// Regular expressions, looked for in the text so far after each token. The text that follows the grammar begins at
    /// the first group that matched something, or at the match if no group did. A pattern `^...$` is first tried on the
    /// text as a whole. Look-around and back-references are not supported. Only the last 16 KiB are looked at.
    pub patterns: Vec<String>,
    /// Tokens; such a token is also the first that the grammar has to allow.
    pub tokens: Vec<Token>,
}

impl Grammar {
    /// A grammar that holds from the first token, starting at the rule `root`.
    pub fn gbnf(text: impl Into<String>) -> Self {
        Self { text: text.into(), root: "root".into(), lazy: None }
    }

    /// Starts at another rule.
    #[must_use]
    pub fn root(mut self, name: impl Into<String>) -> Self {
        self.root = name.into();
        self
    }

    /// Starts at a trigger instead of the first token.
    #[must_use]
    #[doc(alias = "llama_sampler_init_grammar_lazy_patterns")]
    pub fn lazy(mut self, lazy: Lazy) -> Self {
        self.lazy = Some(lazy);
        self
    }

    pub(super) fn compile(&self, model: &Model) -> Result<Matcher, SamplerError> {
        let grammar = |reason: String| SamplerError::Grammar { reason };
        let n_vocab = model.facts().n_vocab;
        let find_token = |name: TokenName<'_>| match name {
            TokenName::Number(id) => (id < n_vocab).then_some(id),
            TokenName::Text(text) => find_token(model, text),
        };
        let parsed = parse(&self.text, &find_token).map_err(grammar)?;
        let rules = Arc::new(Rules::new(&parsed, &self.root).map_err(grammar)?);
        let triggers = match &self.lazy {
            Some(lazy) => Some(Arc::new(lazy.compile(model)?)),
            None => None,
        };
        let pieces = Arc::new(pieces(model)?);
        Matcher::new(rules, pieces, triggers)
            .map_err(|_| grammar("it can be read in too many ways from its first character on".into()))
    }
}

impl Lazy {
    /// Starts at a text, which is the first that follows the grammar.
    pub fn word(text: &str) -> Self {
        Self { patterns: vec![regex::escape(text)], tokens: Vec::new() }
    }

    /// Starts at a match of a regular expression.
    pub fn pattern(pattern: impl Into<String>) -> Self {
        Self { patterns: vec![pattern.into()], tokens: Vec::new() }
    }

    /// Starts at a token.
    pub fn token(token: Token) -> Self {
        Self { patterns: Vec::new(), tokens: vec![token] }
    }

    fn compile(&self, model: &Model) -> Result<Triggers, SamplerError> {
        if self.patterns.len() > MAX_PATTERNS {
            let reason = format!("{} trigger patterns, the limit is {MAX_PATTERNS}", self.patterns.len());
            return Err(SamplerError::Grammar { reason });
        }
        let patterns = self.patterns.iter().map(|pattern| Pattern::new(pattern)).collect::<Result<_, _>>()?;
        let tokens = self.tokens.iter().map(|token| super::index(model, *token)).collect::<Result<_, _>>()?;
        Ok(Triggers { patterns, tokens })
    }
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, SamplerError> {
        // In the notation of upstream's patterns a backslash before `<` or `>` means the character itself.
        let translated = pattern.replace(r"\<", "<").replace(r"\>", ">");
        let compile = |text: &str| -> Result<Regex, SamplerError> {
            RegexBuilder::new(text).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build().map_err(|error| {
                let what = error.to_string();
                let what = what.lines().last().unwrap_or("not a regular expression").trim_start_matches("error: ");
                SamplerError::Grammar { reason: format!("the trigger pattern `{pattern}`: {what}") }
            })
        };
        let whole = pattern.starts_with('^') && pattern.ends_with('$');
        Ok(Self {
            anywhere: compile(&translated)?,
            whole: if whole { Some(compile(&format!(r"\A(?:{translated})\z"))?) } else { None },
        })
    }
}

/// The id of a special token, if the vocabulary reads `text` as exactly one token.
fn find_token(model: &Model, text: &str) -> Option<u32> {
    match model.vocab().tokenize_with(text, Specials::Parse, AddSpecial::Never).ok()?[..] {
        [token] => u32::try_from(token.0).ok(),
        _ => None,
    }
}

fn pieces(model: &Model) -> Result<Pieces, SamplerError> {
    let vocab = model.vocab();
    let mut failed = None;
    let texts = (0..model.facts().n_vocab).map(|id| {
        let token = Token(id.cast_signed());
        let piece = vocab.piece(token, Specials::Parse).unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        });
        (piece, vocab.is_eog(token))
    });
    let pieces = Pieces::new(texts);
    match failed {
        Some(TokenizeError::NoVocabulary) => {
            Err(SamplerError::Unsupported { reason: "a grammar needs a model with a vocabulary".into() })
        }
        Some(error) => Err(SamplerError::Internal { reason: error.to_string() }),
        None => Ok(pieces),
    }
}

#[cfg(test)]
pub(super) fn piece_of(model: &Model, id: usize) -> Vec<u8> {
    let token = Token(i32::try_from(id).unwrap_or(-1));
    model.vocab().piece(token, Specials::Parse).unwrap_or_default()
}
