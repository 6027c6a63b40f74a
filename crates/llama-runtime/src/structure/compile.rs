//! From a [`Structure`] to what enforces it: [`Structures`] per model, [`Compiled`] per request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use llama_core::{Grammar, Model, Sampler, SamplingParams};
use llguidance::TokenParser;
use llguidance::api::{GrammarWithLexer, StopReason, TopLevelGrammar};
use serde_json::{Value, json};

use super::mask::{Guide, TokenMask, what_panicked};
use super::schema;
use super::vocab::TokenTrie;
use super::{Structure, StructureError};

/// Stack for the compiler, which follows nested schemas and references by recursion; the limits in `schema` keep it well
/// within this. Only pages that are touched take memory.
const STACK: usize = 64 << 20;

/// Blanks between tokens of JSON: few, so that a model that loses its way cannot write blanks until its limit.
const BLANKS: &str = r"[ ]|\n{1,2}[ \t]{0,20}";

/// Without `u`: an escape like `\u0061` would be a second way to write a name, and so get past what is demanded of it.
const ESCAPES: &str = "nrbtf\\\"";

/// Most places that are tried, and most time that is spent, to find the one an error comes from.
const MAX_SEARCH: usize = 64;
const SEARCH_TIME: Duration = Duration::from_millis(500);

/// Compiles structures for one model. The vocabulary is read at the first use and then shared.
#[derive(Debug)]
pub(crate) struct Structures {
    model: Model,
    trie: OnceLock<Result<TokenTrie, StructureError>>,
}

/// How a structure is enforced.
#[derive(Debug, Clone)]
pub(crate) enum Enforced {
    /// By masks, from a guide of the sequence's own.
    Masks(Compiled),
    /// By the sampler, as [`SamplingParams::grammar`].
    Grammar(Grammar),
}

impl Structures {
    pub(crate) fn new(model: Model) -> Self {
        Self { model, trie: OnceLock::new() }
    }

    /// Compiles `structure`; takes milliseconds, the first time for a model some hundred of them.
    ///
    /// # Errors
    ///
    /// [`StructureError`], each with what to change.
    pub(crate) fn compile(&self, structure: &Structure) -> Result<Enforced, StructureError> {
        match structure {
            Structure::Gbnf(text) => {
                let grammar = Grammar::gbnf(text.as_str());
                // A sampler is the only judge of a grammar, and too heavy to keep until the request's turn.
                Sampler::new(&self.model, &SamplingParams::greedy().grammar(grammar.clone()))?;
                Ok(Enforced::Grammar(grammar))
            }
            Structure::JsonSchema(value) => json_schema(self.trie()?, value).map(Enforced::Masks),
            Structure::Regex(pattern) => regex(self.trie()?, pattern).map(Enforced::Masks),
        }
    }

    fn trie(&self) -> Result<&TokenTrie, StructureError> {
        self.trie.get_or_init(|| TokenTrie::new(&self.model)).as_ref().map_err(Clone::clone)
    }
}

/// A structure, compiled for one vocabulary. Immutable; clones are one pointer.
#[derive(Clone)]
pub(crate) struct Compiled {
    start: Arc<TokenParser>,
    /// Computed with it: a structure that no text can begin to follow is refused at once, and no guide waits for its
    /// first mask.
    first: Arc<TokenMask>,
    trie: TokenTrie,
}

impl Compiled {
    /// A guide at the beginning of a text. Each has tables of its own: what one sequence runs into stays its own.
    pub(crate) fn guide(&self) -> Guide {
        Guide::new(self.start.deep_clone(), TokenMask::clone(&self.first), &self.trie)
    }
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("trie", &self.trie).finish_non_exhaustive()
    }
}

/// Compiles a JSON schema.
///
/// # Errors
///
/// [`StructureError`] with the place in the schema.
pub(super) fn json_schema(trie: &TokenTrie, value: &Value) -> Result<Compiled, StructureError> {
    let checked = schema::check(value)?;
    parse_schema(trie, checked.schema).map_err(|complaint| {
        let pointer = find_place(trie, value, &checked.places, &complaint);
        complaint.into_error(pointer)
    })
}

fn parse_schema(trie: &TokenTrie, mut schema: Value) -> Result<Compiled, Complaint> {
    schema["x-guidance"] = json!({ "whitespace_pattern": BLANKS, "json_allowed_escapes": ESCAPES });
    parse(trie, GrammarWithLexer::from_json_schema(schema))
}

/// Compiles a regular expression.
pub(super) fn regex(trie: &TokenTrie, pattern: &str) -> Result<Compiled, StructureError> {
    let refuse = |reason: String| StructureError::Regex { reason };
    schema::check_pattern(pattern).map_err(|why| StructureError::TooComplex {
        pointer: String::new(),
        what: format!("the regular expression {why}"),
    })?;
    // The engine would read a group of this name as the end of the text.
    if pattern.contains("<stop>") {
        return Err(refuse("a group cannot be named `stop`; give it another name".into()));
    }
    parse(trie, GrammarWithLexer::from_regex(pattern)).map_err(|complaint| match complaint {
        Complaint::Panic(reason) => StructureError::Internal { reason },
        Complaint::Text(text) if is_limit(&text) => StructureError::TooComplex { pointer: String::new(), what: text },
        Complaint::Text(text) if text == NO_START => StructureError::Vocabulary { reason: text },
        Complaint::Text(text) => refuse(text),
    })
}

/// What the engine says about a grammar that it does not take.
#[derive(Debug, PartialEq)]
enum Complaint {
    Text(String),
    Panic(String),
}

impl Complaint {
    fn into_error(self, pointer: String) -> StructureError {
        let what = match self {
            Self::Panic(reason) => return StructureError::Internal { reason },
            Self::Text(what) => what,
        };
        if let Some((_, why)) = what.split_once("Unsatisfiable schema: ") {
            return StructureError::Unsatisfiable { pointer, what: why.to_owned() };
        }
        if is_limit(&what) {
            return StructureError::TooComplex { pointer, what };
        }
        if what == NO_START {
            return StructureError::Vocabulary { reason: what };
        }
        let (what, hint) = if what.contains("oneOf") {
            ("the alternatives of `oneOf` are not known to exclude each other".to_owned(), ONE_OF)
        } else if what.contains("patternProperty") {
            (what, "write patterns of which no name matches two")
        } else if what.contains("min/maxProperties") {
            (
                what,
                "list the optional properties, set `additionalProperties` to false and a bound of 1, or drop the bound",
            )
        } else if what.contains("circular") {
            (what, "let the recursive `$ref` stand alone, without keywords beside it")
        } else {
            (what, "simplify this part of the schema")
        };
        StructureError::UnsupportedSchema { pointer, what, hint: hint.to_owned() }
    }
}

const NO_START: &str = "none of this model's tokens can begin such a text";

const ONE_OF: &str =
    "use `anyOf`, or give each alternative a required property with a `const` of its own, or types that differ";

fn is_limit(text: &str) -> bool {
    const SIGNS: [&str; 8] = [
        "too big",
        "too large",
        "too complex",
        "too many",
        "max is",
        "Unable to determine",
        "can't determine",
        "exceeded",
    ];
    SIGNS.iter().any(|sign| text.contains(sign))
}

fn parse(trie: &TokenTrie, grammar: GrammarWithLexer) -> Result<Compiled, Complaint> {
    let work = || {
        let parser = catch_unwind(AssertUnwindSafe(|| {
            let grammar = TopLevelGrammar::from_grammar(grammar);
            let mut parser = trie.factory().create_parser(grammar).map_err(|error| error.to_string())?;
            parser.start_without_prompt();
            let first = parser.compute_mask().map_err(|error| match parser.stop_reason() {
                StopReason::NoExtensionBias => NO_START.to_owned(),
                _ => error.to_string(),
            })?;
            Ok::<_, String>((parser, TokenMask::new(first)))
        }));
        match parser {
            Ok(Ok(started)) => Ok(started),
            Ok(Err(error)) => Err(complaint(&error)),
            Err(panic) => Err(Complaint::Panic(what_panicked(&*panic))),
        }
    };
    let (parser, first) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compile structure".to_owned()).stack_size(STACK);
        match thread.spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| Err(Complaint::Panic(what_panicked(&*panic)))),
            Err(error) => Err(Complaint::Panic(format!("no thread to compile on: {error}"))),
        }
    })?;
    Ok(Compiled { start: Arc::new(parser), first: Arc::new(first), trie: trie.clone() })
}

/// The engine's own words, the first line: the others are for its developers.
fn complaint(text: &str) -> Complaint {
    match text.strip_prefix("panic: ") {
        Some(panic) => Complaint::Panic(first_line(panic)),
        None => Complaint::Text(first_line(text)),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The innermost part of the schema that gives the same complaint by itself; the engine does not tell. What exceeds a
/// limit is a matter of the whole.
fn find_place(trie: &TokenTrie, root: &Value, places: &[String], complaint: &Complaint) -> String {
    if matches!(complaint, Complaint::Text(text) if is_limit(text)) {
        return String::new();
    }
    let start = Instant::now();
    let mut tried = places.iter().take(MAX_SEARCH).take_while(|_| start.elapsed() < SEARCH_TIME);
    let found = tried.find(|place| {
        schema::check_at(root, place)
            .is_ok_and(|part| parse_schema(trie, part.schema).err().as_ref() == Some(complaint))
    });
    found.cloned().unwrap_or_default()
}
