//! How to choose the next token: [`SamplingParams`], with upstream's names, defaults and order.

use serde::{Deserialize, Serialize};

use super::{Grammar, SamplerError};
use crate::ids::Token;

/// A stage of sampling. Each looks at the candidates the one before it left.
///
/// A stage in [`SamplingParams::stages`] does something only where its parameters turn it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Makes recent tokens less likely: the `penalty_` fields.
    #[doc(alias = "llama_sampler_init_penalties")]
    Penalties,
    /// Makes tokens less likely that would go on repeating a sequence: the `dry_` fields.
    #[doc(alias = "llama_sampler_init_dry")]
    Dry,
    /// Keeps logits within some standard deviations of the largest: [`SamplingParams::top_n_sigma`].
    #[doc(alias = "llama_sampler_init_top_n_sigma")]
    TopNSigma,
    /// Keeps the largest logits: [`SamplingParams::top_k`].
    #[doc(alias = "llama_sampler_init_top_k")]
    TopK,
    /// Keeps tokens about as surprising as the model expects: [`SamplingParams::typical_p`].
    #[doc(alias = "llama_sampler_init_typical")]
    TypicalP,
    /// Keeps the likeliest tokens up to a total probability: [`SamplingParams::top_p`].
    #[doc(alias = "llama_sampler_init_top_p")]
    TopP,
    /// Keeps tokens at least so likely in relation to the likeliest: [`SamplingParams::min_p`].
    #[doc(alias = "llama_sampler_init_min_p")]
    MinP,
    /// Sometimes drops all of the likeliest tokens but the last: the `xtc_` fields.
    #[doc(alias = "llama_sampler_init_xtc")]
    Xtc,
    /// Divides the logits: [`SamplingParams::temperature`] and the `dynatemp_` fields.
    #[doc(alias = "llama_sampler_init_temp")]
    #[doc(alias = "llama_sampler_init_temp_ext")]
    Temperature,
    /// For completing in the middle of a text: merges tokens with a common beginning and prefers to end where the model
    /// is unsure. Has to come after a [`Stage::TopK`] that keeps at most 1024 tokens.
    #[doc(alias = "llama_sampler_init_infill")]
    Infill,
    /// Chooses tokens of about the same probability each time: the `adaptive_` fields. Always runs last, wherever it is
    /// named.
    #[doc(alias = "llama_sampler_init_adaptive_p")]
    AdaptiveP,
}

impl Stage {
    /// Upstream's default order; [`Stage::Infill`] and [`Stage::AdaptiveP`] are not in it.
    pub const DEFAULT_ORDER: [Self; 9] = [
        Self::Penalties,
        Self::Dry,
        Self::TopNSigma,
        Self::TopK,
        Self::TypicalP,
        Self::TopP,
        Self::MinP,
        Self::Xtc,
        Self::Temperature,
    ];
}

/// What the random choices start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    /// Another one for each sampler; [`Sampler::seed`](crate::Sampler::seed) tells it.
    #[default]
    Random,
    /// Always the same. `u32::MAX` is upstream's word for random, and counts as [`Seed::Random`].
    Fixed(u32),
}

impl From<u32> for Seed {
    fn from(seed: u32) -> Self {
        if seed == u32::MAX { Self::Random } else { Self::Fixed(seed) }
    }
}

impl From<Option<u32>> for Seed {
    fn from(seed: Option<u32>) -> Self {
        seed.map_or(Self::Random, Self::from)
    }
}

/// Sampling that holds the surprise of the text at a target. It replaces every stage but the logit biases and the plain
/// temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mirostat {
    /// Off: the stages run.
    #[default]
    Off,
    /// The first version, which estimates the shape of the distribution.
    #[doc(alias = "llama_sampler_init_mirostat")]
    V1,
    /// The second version, which cuts at a surprise.
    #[doc(alias = "llama_sampler_init_mirostat_v2")]
    V2,
}

/// A number added to the logit of a token before any stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[doc(alias = "llama_logit_bias")]
pub struct LogitBias {
    /// The token.
    pub token: Token,
    /// What is added, in -1e6 to 1e6; negative infinity bans the token. Several biases of a token add up.
    pub bias: f32,
}

impl LogitBias {
    /// Makes a token impossible.
    pub fn ban(token: Token) -> Self {
        Self { token, bias: f32::NEG_INFINITY }
    }
}

/// How to choose the next token. The default is upstream's default.
///
/// Values out of their range are refused when the [`Sampler`](crate::Sampler) is made; the ranges are those below.
///
/// ```
/// use llama_core::{SamplingParams, Stage};
///
/// let mut params = SamplingParams::default().seed(7);
/// params.temperature = 0.6;
/// params.stages = vec![Stage::TopK, Stage::Temperature];
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SamplingParams {
    /// What the random choices start from. Default: random.
    #[doc(alias = "llama_sampler_init_dist")]
    pub seed: Seed,
    /// The stages, in order; each at most once. Default: [`Stage::DEFAULT_ORDER`].
    pub stages: Vec<Stage>,
    /// Top-p, min-p, typical-p and XTC leave at least this many candidates; 0 and 1 both mean no minimum. Default: 0.
    pub min_keep: u32,
    /// Candidates that top-k leaves; 0 is off. Default: 40.
    pub top_k: u32,
    /// Probability that top-p leaves, 0 to 1; 1 is off. Default: 0.95.
    pub top_p: f32,
    /// Smallest probability in relation to the likeliest, 0 to 1; 0 is off. Default: 0.05.
    pub min_p: f32,
    /// Probability that typical-p leaves, 0 to 1; 1 is off. Default: 1.
    pub typical_p: f32,
    /// Standard deviations below the largest logit that top-n-sigma leaves; 0 or less is off. Default: -1.
    pub top_n_sigma: f32,
    /// How often XTC acts, 0 to 1; 0 is off. Default: 0.
    pub xtc_probability: f32,
    /// What is likely to XTC, 0 to 1; above 0.5 is off. Default: 0.1.
    pub xtc_threshold: f32,
    /// What the logits are divided by; 0 or less always takes the likeliest candidate, and so does less than 1e-6.
    /// Default: 0.8.
    pub temperature: f32,
    /// The temperature moves within this much of [`temperature`](Self::temperature), lower the surer the model is; 0 is
    /// off. Default: 0.
    pub dynatemp_range: f32,
    /// How sureness maps to temperature, 0 to 100. Default: 1.
    pub dynatemp_exponent: f32,
    /// Tokens that the penalties remember, up to 1,048,576; 0 is off. Default: 64.
    pub penalty_last_n: u32,
    /// Divides positive and multiplies negative logits of remembered tokens, 0.001 to 1000; 1 is off. Default: 1.
    pub penalty_repeat: f32,
    /// Taken off a logit for each time the token is remembered, -100 to 100; 0 is off. Default: 0.
    pub penalty_frequency: f32,
    /// Taken off the logit of every remembered token, -100 to 100; 0 is off. Default: 0.
    pub penalty_presence: f32,
    /// DRY: the penalty of a repetition as long as [`dry_allowed_length`](Self::dry_allowed_length), 0 to 1000; 0 is off.
    /// Default: 0.
    pub dry_multiplier: f32,
    /// DRY: what the penalty grows by with each further token, 0 to 1000; below 1 is off. Default: 1.75.
    pub dry_base: f32,
    /// DRY: a repetition of this many tokens is the shortest that is penalised, up to 1,048,576. Default: 2.
    pub dry_allowed_length: u32,
    /// DRY: tokens to look for repetitions in, up to 1,048,576; 0 is off. Default: 64.
    pub dry_penalty_last_n: u32,
    /// DRY: texts that no repetition goes across; at most 64, each 1 to 40 bytes, without NUL. Default: line end, colon,
    /// quote, asterisk.
    pub dry_breakers: Vec<String>,
    /// Adaptive-p: the probability that chosen tokens should have, up to 1; negative draws as usual. Default: -1.
    pub adaptive_target: f32,
    /// Adaptive-p: how much of the past counts at each step, 0 to 0.99. Default: 0.9.
    pub adaptive_decay: f32,
    /// Mirostat instead of the stages. Default: off.
    pub mirostat: Mirostat,
    /// Mirostat: the surprise to hold, in bits, 0 to 100. Default: 5.
    pub mirostat_tau: f32,
    /// Mirostat: how fast it corrects, 0 to 10. Default: 0.1.
    pub mirostat_eta: f32,
    /// Bans every token that ends the generation. Default: false.
    pub ignore_eos: bool,
    /// Added before any stage. The model's own list of tokens to suppress is banned in any case. Default: empty.
    #[doc(alias = "llama_sampler_init_logit_bias")]
    #[doc(alias = "llama_vocab_get_suppress_tokens")]
    pub logit_bias: Vec<LogitBias>,
    /// What the text has to follow. Default: nothing.
    pub grammar: Option<Grammar>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            seed: Seed::Random,
            stages: Stage::DEFAULT_ORDER.to_vec(),
            min_keep: 0,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            typical_p: 1.0,
            top_n_sigma: -1.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            temperature: 0.8,
            dynatemp_range: 0.0,
            dynatemp_exponent: 1.0,
            penalty_last_n: 64,
            penalty_repeat: 1.0,
            penalty_frequency: 0.0,
            penalty_presence: 0.0,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_penalty_last_n: 64,
            dry_breakers: ["\n", ":", "\"", "*"].map(String::from).to_vec(),
            adaptive_target: -1.0,
            adaptive_decay: 0.9,
            mirostat: Mirostat::Off,
            mirostat_tau: 5.0,
            mirostat_eta: 0.1,
            ignore_eos: false,
            logit_bias: Vec::new(),
            grammar: None,
        }
    }
}

const MAX_LAST_N: u32 = 1 << 20;
const MAX_BREAKERS: usize = 64;
/// Upstream cuts longer ones.
const MAX_BREAKER: usize = 40;
/// The infill stage compares every candidate with every other.
const MAX_INFILL: u32 = 1024;

impl SamplingParams {
    /// Always takes the likeliest token.
    #[doc(alias = "llama_sampler_init_greedy")]
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Sets the seed; see [`Seed`].
    #[must_use]
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = seed.into();
        self
    }

    /// Sets the temperature.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the grammar.
    #[must_use]
    pub fn grammar(mut self, grammar: Grammar) -> Self {
        self.grammar = Some(grammar);
        self
    }

    /// Checks everything that can be checked without a model.
    ///
    /// # Errors
    ///
    /// [`SamplerError::InvalidParam`] with the first value that is out of its range.
    pub fn validate(&self) -> Result<(), SamplerError> {
        within("top_p", self.top_p, 0.0, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        within("typical_p", self.typical_p, 0.0, 1.0)?;
        within("top_n_sigma", self.top_n_sigma, -1e6, 1e6)?;
        within("xtc_probability", self.xtc_probability, 0.0, 1.0)?;
        within("xtc_threshold", self.xtc_threshold, 0.0, 1.0)?;
        within("temperature", self.temperature, -1e6, 1e6)?;
        within("dynatemp_range", self.dynatemp_range, 0.0, 1e6)?;
        within("dynatemp_exponent", self.dynatemp_exponent, 0.0, 100.0)?;
        within("penalty_repeat", self.penalty_repeat, 1e-3, 1e3)?;
        within("penalty_frequency", self.penalty_frequency, -100.0, 100.0)?;
        within("penalty_presence", self.penalty_presence, -100.0, 100.0)?;
        within("dry_multiplier", self.dry_multiplier, 0.0, 1e3)?;
        within("dry_base", self.dry_base, 0.0, 1e3)?;
        within("adaptive_target", self.adaptive_target, -1e6, 1.0)?;
        within("adaptive_decay", self.adaptive_decay, 0.0, 0.99)?;
        within("mirostat_tau", self.mirostat_tau, 0.0, 100.0)?;
        within("mirostat_eta", self.mirostat_eta, 0.0, 10.0)?;
        at_most("penalty_last_n", self.penalty_last_n, MAX_LAST_N)?;
        at_most("dry_penalty_last_n", self.dry_penalty_last_n, MAX_LAST_N)?;
        at_most("dry_allowed_length", self.dry_allowed_length, MAX_LAST_N)?;
        self.validate_breakers()?;
        self.validate_stages()?;
        for LogitBias { token, bias } in &self.logit_bias {
            if *bias != f32::NEG_INFINITY && !(-1e6..=1e6).contains(bias) {
                let why = format!("of token {token} has to be within -1e6 and 1e6, or negative infinity");
                return Err(invalid("logit_bias", bias, why));
            }
        }
        Ok(())
    }

    fn validate_breakers(&self) -> Result<(), SamplerError> {
        if self.dry_breakers.len() > MAX_BREAKERS {
            return Err(invalid("dry_breakers", self.dry_breakers.len(), format!("has to be {MAX_BREAKERS} at most")));
        }
        match self.dry_breakers.iter().find(|text| !(1..=MAX_BREAKER).contains(&text.len()) || text.contains('\0')) {
            Some(text) => {
                let why = format!("has to be 1 to {MAX_BREAKER} bytes without NUL");
                Err(invalid("dry_breakers", format_args!("{text:?}"), why))
            }
            None => Ok(()),
        }
    }

    fn validate_stages(&self) -> Result<(), SamplerError> {
        for (i, stage) in self.stages.iter().enumerate() {
            if self.stages[..i].contains(stage) {
                return Err(invalid("stages", format_args!("{stage:?}"), "appears twice"));
            }
        }
        let place = |wanted| self.stages.iter().position(|stage| *stage == wanted);
        if let (Some(infill), Mirostat::Off) = (place(Stage::Infill), self.mirostat) {
            let cut = (1..=MAX_INFILL).contains(&self.top_k) && place(Stage::TopK).is_some_and(|top_k| top_k < infill);
            if !cut {
                let why = format!("has to come after TopK, with top_k within 1 and {MAX_INFILL}");
                return Err(invalid("stages", "Infill", why));
            }
        }
        Ok(())
    }

    /// The temperature as upstream gets it: next to zero its logits would overflow, so there it is zero.
    pub(super) fn effective_temperature(&self) -> f32 {
        if self.temperature < 1e-6 { 0.0 } else { self.temperature }
    }

    /// Whether the chain would choose the largest logit, whatever it is: it need not run.
    ///
    /// Top-k, top-p, min-p and top-n-sigma never drop the largest logit, so they do not matter.
    pub(super) fn takes_argmax(&self) -> bool {
        let plain = |stage: &Stage| match stage {
            Stage::TopNSigma | Stage::TopK | Stage::TopP | Stage::MinP | Stage::Temperature => true,
            Stage::Penalties => !self.penalises(),
            Stage::Dry => !self.looks_for_repetitions(),
            Stage::TypicalP => self.typical_p >= 1.0,
            Stage::Xtc => self.xtc_probability <= 0.0 || self.xtc_threshold > 0.5,
            Stage::Infill | Stage::AdaptiveP => false,
        };
        self.mirostat == Mirostat::Off
            && self.stages.contains(&Stage::Temperature)
            && self.effective_temperature() <= 0.0
            && self.dynatemp_range <= 0.0
            && self.stages.iter().all(plain)
    }
}

impl SamplingParams {
    /// Whether the penalties, where they are among the stages, do anything.
    pub(super) fn penalises(&self) -> bool {
        self.penalty_last_n > 0
            && (self.penalty_repeat != 1.0 || self.penalty_frequency != 0.0 || self.penalty_presence != 0.0)
    }

    /// Whether DRY, where it is among the stages, does anything.
    pub(super) fn looks_for_repetitions(&self) -> bool {
        self.dry_multiplier != 0.0 && self.dry_base >= 1.0 && self.dry_penalty_last_n > 0
    }
}

fn within(name: &'static str, value: f32, low: f32, high: f32) -> Result<(), SamplerError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(invalid(name, value, format!("has to be within {low} and {high}")))
}

fn at_most(name: &'static str, value: u32, high: u32) -> Result<(), SamplerError> {
    if value <= high {
        return Ok(());
    }
    Err(invalid(name, value, format!("has to be {high} at most")))
}

pub(super) fn invalid(name: &'static str, value: impl ToString, why: impl Into<String>) -> SamplerError {
    SamplerError::InvalidParam { name, value: value.to_string(), why: why.into() }
}
