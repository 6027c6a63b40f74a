//! From what was asked for to what can run: an [`Asked`] becomes [`Ready`] or [`Rejected`], on the caller's thread.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use llama_core::chat::{ChatGrammar, ChatParser, ChatRequest, RenderedPrompt, ResponseFormat};
use llama_core::stop::StopSet;
use llama_core::{AddSpecial, Grammar, Lazy, SamplingParams, Seed, Specials, Token, TokenizeError};

use crate::executor::{ThinkingBudget, Work};
use crate::ids::RequestId;
use crate::job::{Asked, Generate, Ready};
use crate::loaded::Loaded;
use crate::plan::AdapterKey;
use crate::rejected::Rejected;
use crate::request::{EmbedRequest, Prompt, Request};
use crate::scheduler::{Ask, Scheduler};
use crate::structure::{Compiled, Enforced, Structure};
use crate::writer::Room;

/// Longest message that closes a thought, in bytes.
const MAX_MESSAGE: usize = 4096;
/// Most alternatives of a log probability.
const MAX_LOGPROBS: usize = 100;

impl Loaded {
    /// Checks a request against the model, and prepares what it needs.
    pub(crate) fn validate(&self, asked: Asked) -> Result<Ready, Rejected> {
        match asked {
            Asked::Generate(request) => self.generate(*request).map(Ready::Generate),
            Asked::Embed(request) => self.embed(request),
        }
    }

    /// How many tokens a prompt has.
    pub(crate) fn count(&self, prompt: Prompt) -> Result<usize, Rejected> {
        Ok(self.tokens(prompt)?.len())
    }

    /// The tokens of a prompt.
    pub(crate) fn tokens(&self, prompt: Prompt) -> Result<Vec<Token>, Rejected> {
        Ok(self.read(prompt, false)?.tokens)
    }

    fn generate(&self, request: Request) -> Result<Generate, Rejected> {
        if !self.abilities.generates {
            return Err(Rejected::Unsupported { what: "write text" });
        }
        let choices = self.choices(request.choices)?;
        within("logprobs", request.logprobs.unwrap_or(0), 0, MAX_LOGPROBS)?;
        within("max_tokens", request.max_tokens.unwrap_or(1), 1, usize::MAX)?;
        within("reasoning_budget_message", request.reasoning_budget_message.len(), 0, MAX_MESSAGE)?;
        let mut prompt = self.read(request.prompt, request.structure.is_some())?;
        let budget = request.reasoning_budget.filter(|_| request.structure.is_none());
        let thinking = match (budget, prompt.thoughts.take()) {
            (Some(tokens), Some(thoughts)) => {
                Some(self.thinking(tokens, thoughts, &request.reasoning_budget_message, &mut prompt.preserved)?)
            }
            _ => None,
        };
        let room = self.room(prompt.tokens.len(), request.max_tokens)?;
        let mut sampling = request.sampling.unwrap_or_else(|| self.defaults.sampling.clone());
        if let Some(seed) = request.seed {
            sampling.seed = Seed::Fixed(seed);
        }
        let structure = self.constrain(&mut sampling, prompt.grammar, request.structure)?;
        sampling.validate()?;
        let adapters = self.adapters(&request.adapters)?;
        let stops = StopSet::new(request.stop.into_iter().chain(prompt.stops))?;
        let work = Work {
            prompt: prompt.tokens.into(),
            sampling,
            structure,
            grammar_prefix: prompt.grammar_prefix,
            logprobs: request.logprobs,
            preserved: prompt.preserved,
            specials: request.special,
            thinking,
            adapters: request.adapters,
        };
        // A limit that was set is reserved as a whole; without one, cells are taken as the answer grows, unless the sequence
        // ends within the first of them.
        let whole = room.asked_for || room.tokens <= self.bounds.elastic_block;
        let max_tokens = whole.then_some(room.tokens);
        let generate =
            Generate { work: Arc::new(work), max_tokens, choices, adapters, stops, room, parser: prompt.parser };
        self.fits(&generate)?;
        Ok(generate)
    }

    fn choices(&self, asked: usize) -> Result<u32, Rejected> {
        let most = (self.limits.max_choices as usize).min(self.bounds.max_sequences);
        within("choices", asked, 1, most)?;
        u32::try_from(asked).map_err(|_| out_of_range("choices", asked, 1, most))
    }

    /// Tokens the answer may have.
    fn room(&self, prompt: usize, asked: Option<usize>) -> Result<Room, Rejected> {
        if prompt == 0 {
            return Err(Rejected::EmptyPrompt);
        }
        let sequence = self.info.sequence_limit;
        let limit =
            sequence.saturating_sub(1).min(self.limits.max_prompt_tokens.map_or(usize::MAX, |most| most as usize));
        if prompt > limit {
            return Err(Rejected::PromptTooLong { tokens: prompt, limit });
        }
        let left = sequence - prompt;
        Ok(match asked.or(self.defaults.max_tokens) {
            Some(tokens) => Room { tokens: tokens.min(left), asked_for: tokens <= left },
            None => Room { tokens: left, asked_for: false },
        })
    }

    fn fits(&self, generate: &Generate) -> Result<(), Rejected> {
        let ask = Ask {
            id: RequestId(0),
            prompt: Arc::clone(&generate.work.prompt),
            max_tokens: generate.max_tokens,
            choices: generate.choices,
            priority: crate::priority::Priority::Normal,
            adapters: generate.adapters,
            embeds: Vec::new(),
        };
        Scheduler::fits(&self.abilities, &self.bounds, &ask)
            .map_err(|error| Rejected::TooLarge { reason: error.to_string() })
    }

    /// Puts the grammar of the template, or the structure that was asked for, where it is enforced.
    fn constrain(
        &self,
        sampling: &mut SamplingParams,
        of_template: Option<ChatGrammar>,
        structure: Option<Structure>,
    ) -> Result<Option<Compiled>, Rejected> {
        let conflict = |first, second| Err(Rejected::Conflict { first, second });
        if sampling.grammar.is_some() && (structure.is_some() || of_template.is_some()) {
            return conflict("a grammar in `sampling`", "a structure, tools or a response format");
        }
        if structure.is_some() && of_template.is_some() {
            return conflict("`structure`", "tools or a response format in the chat");
        }
        if let Some(grammar) = of_template {
            sampling.grammar = Some(template_grammar(grammar));
        }
        let Some(structure) = structure else { return Ok(None) };
        Ok(match self.structures.compile(&structure)? {
            Enforced::Grammar(grammar) => {
                sampling.grammar = Some(grammar);
                None
            }
            Enforced::Masks(compiled) => Some(compiled),
        })
    }

    fn adapters(&self, asked: &[(String, f32)]) -> Result<AdapterKey, Rejected> {
        for (place, (name, scale)) in asked.iter().enumerate() {
            if asked[..place].iter().any(|(other, _)| other == name) {
                let (value, allowed) = (format!("{name:?} twice"), "each adapter at most once".to_owned());
                return Err(Rejected::OutOfRange { field: "adapters", value, allowed });
            }
            if !self.adapters.contains(name) {
                let known = list(&self.adapters);
                return Err(Rejected::UnknownAdapter { name: name.clone(), known });
            }
            if !scale.is_finite() {
                let (value, allowed) = (scale.to_string(), "a finite number".to_owned());
                return Err(Rejected::OutOfRange { field: "adapters", value, allowed });
            }
        }
        let mut sorted: Vec<_> = asked.iter().filter(|(_, scale)| *scale != 0.0).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        if sorted.is_empty() {
            return Ok(AdapterKey::default());
        }
        let mut hasher = DefaultHasher::new();
        for (name, scale) in sorted {
            name.hash(&mut hasher);
            scale.to_bits().hash(&mut hasher);
        }
        Ok(AdapterKey(hasher.finish().max(1)))
    }

    fn read(&self, prompt: Prompt, structured: bool) -> Result<Read, Rejected> {
        match prompt {
            Prompt::Text(text) => Ok(Read::plain(self.tokenize(&text)?)),
            Prompt::Tokens(tokens) => {
                let n_vocab = self.model.facts().n_vocab;
                let vocab = self.model.vocab();
                if let Some(&token) = tokens.iter().find(|token| !vocab.contains(**token)) {
                    return Err(TokenizeError::OutOfRange { token, n_vocab }.into());
                }
                Ok(Read::plain(tokens))
            }
            Prompt::Chat(chat) => self.read_chat(*chat, structured),
        }
    }

    fn read_chat(&self, mut chat: ChatRequest, structured: bool) -> Result<Read, Rejected> {
        let template = self.template.as_ref().map_err(|reason| Rejected::Template { reason: reason.clone() })?;
        if structured {
            if !chat.tools.is_empty() || chat.response != ResponseFormat::Text {
                return Err(Rejected::Conflict {
                    first: "`structure`",
                    second: "tools or a response format in the chat",
                });
            }
            // The structure holds from the first token of the answer.
            chat.reasoning.enabled = false;
        }
        let rendered = template.render(&chat)?;
        let covers = rendered.grammar.as_ref().is_some_and(|grammar| grammar.covers_generation_prompt);
        let grammar_prefix = if covers { self.pieces_of(&rendered.generation_prompt)? } else { Vec::new() };
        // A template that makes the model think all the same would take the structure for thoughts.
        let parser = if structured && opens_thinking(&rendered) { None } else { Some(rendered.parser()?) };
        Ok(Read {
            tokens: self.tokenize(&rendered.prompt)?,
            preserved: self.preserved(&rendered)?,
            grammar_prefix,
            thoughts: Thoughts::of(&rendered),
            grammar: rendered.grammar,
            stops: rendered.stops,
            parser,
        })
    }

    /// What a budget for thoughts has to know. What closes them is written out, so that they can be told from the answer.
    fn thinking(
        &self,
        tokens: u32,
        thoughts: Thoughts,
        message: &str,
        preserved: &mut Vec<Token>,
    ) -> Result<ThinkingBudget, TokenizeError> {
        let Thoughts { start, ends, open } = thoughts;
        let end = self.pieces_of(ends.first().map_or("", String::as_str))?;
        preserved.extend(&end);
        // A message is words: it does not end the answer.
        let mut closing = self.model.vocab().tokenize(message, Specials::AsText)?;
        closing.extend(end);
        Ok(ThinkingBudget { tokens, start, ends, open, closing })
    }

    fn tokenize(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        self.model.vocab().tokenize_with(text, Specials::Parse, AddSpecial::AsModelWants)
    }

    fn pieces_of(&self, text: &str) -> Result<Vec<Token>, TokenizeError> {
        self.model.vocab().tokenize(text, Specials::Parse)
    }

    /// Markers that are one token each.
    fn preserved(&self, rendered: &RenderedPrompt) -> Result<Vec<Token>, TokenizeError> {
        let mut tokens = Vec::new();
        for marker in &rendered.preserved_tokens {
            if let [token] = self.pieces_of(marker)?[..] {
                tokens.push(token);
            }
        }
        Ok(tokens)
    }

    fn embed(&self, request: EmbedRequest) -> Result<Ready, Rejected> {
        let limit = self.abilities.embed_limit;
        if limit == 0 {
            return Err(Rejected::Unsupported { what: "embed" });
        }
        // Any number: the next ones are computed only while the reader has room.
        within("inputs", request.inputs.len(), 1, u32::MAX as usize)?;
        let mut inputs: Vec<Arc<[Token]>> = Vec::with_capacity(request.inputs.len());
        for text in &request.inputs {
            let tokens = self.tokenize(text)?;
            if tokens.is_empty() {
                return Err(Rejected::EmptyPrompt);
            }
            if tokens.len() > limit {
                return Err(Rejected::PromptTooLong { tokens: tokens.len(), limit });
            }
            inputs.push(tokens.into());
        }
        Ok(Ready::Embed { inputs, normalize: request.normalize })
    }
}

/// A prompt, read.
struct Read {
    tokens: Vec<Token>,
    stops: Vec<String>,
    grammar: Option<ChatGrammar>,
    grammar_prefix: Vec<Token>,
    preserved: Vec<Token>,
    parser: Option<ChatParser>,
    thoughts: Option<Thoughts>,
}

/// How the thoughts of a chat begin and end.
struct Thoughts {
    start: String,
    ends: Vec<String>,
    /// The prompt has begun one.
    open: bool,
}

impl Thoughts {
    /// `None` where the template does not show it.
    fn of(rendered: &RenderedPrompt) -> Option<Self> {
        let start = rendered.thinking_start.clone();
        let ends: Vec<String> = rendered.thinking_ends.iter().filter(|end| !end.is_empty()).cloned().collect();
        if !rendered.supports_thinking || start.is_empty() || ends.is_empty() {
            return None;
        }
        let begun = rendered.generation_prompt.rfind(&start).map(|at| &rendered.generation_prompt[at..]);
        let open = begun.is_some_and(|thought| !ends.iter().any(|end| thought.contains(end)));
        Some(Self { start, ends, open })
    }
}

impl Read {
    fn plain(tokens: Vec<Token>) -> Self {
        Self {
            tokens,
            stops: Vec::new(),
            grammar: None,
            grammar_prefix: Vec::new(),
            preserved: Vec::new(),
            parser: None,
            thoughts: None,
        }
    }
}

fn template_grammar(grammar: ChatGrammar) -> Grammar {
    let patterns = grammar.triggers.iter().map(llama_core::chat::GrammarTrigger::to_pattern).collect();
    let lazy = Lazy { patterns, tokens: Vec::new() };
    let made = Grammar::gbnf(grammar.gbnf);
    if grammar.lazy { made.lazy(lazy) } else { made }
}

fn opens_thinking(rendered: &RenderedPrompt) -> bool {
    !rendered.thinking_start.is_empty()
        && rendered.generation_prompt.trim_end().ends_with(rendered.thinking_start.trim_end())
}

fn within(field: &'static str, value: usize, least: usize, most: usize) -> Result<(), Rejected> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(out_of_range(field, value, least, most)) }
}

fn out_of_range(field: &'static str, value: usize, least: usize, most: usize) -> Rejected {
    let allowed = if most >= u32::MAX as usize { format!("at least {least}") } else { format!("{least} to {most}") };
    Rejected::OutOfRange { field, value: value.to_string(), allowed }
}

/// Names for an error message.
pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
