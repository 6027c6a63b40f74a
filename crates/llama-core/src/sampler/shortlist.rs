//! Which tokens a chain has to look at: [`Shortlist`].
//!
//! Upstream's stages go over every token of the vocabulary, some of them more than once, and the penalties look each one up in
//! a table: with 150 000 tokens that takes as long as a tenth of a step of a small model, or all of one. But a chain that begins
//! with top-k drops all but a few dozen, and what comes before that (biases, penalties, DRY) changes only tokens that can be
//! named. So the chain gets those tokens, and the largest of all others; it chooses what it would have chosen.
//!
//! Where several tokens are equally likely, upstream's order of them depends on all the others. Then, and where the chain needs
//! more than its beginning, there is no short list, and the chain gets the whole vocabulary.
//!
//! One case is left: equals are looked for before penalties and DRY, which are upstream's to compute. Where these make a logit of
//! the list equal to another to the last bit, the list may be sorted otherwise than the vocabulary would have been, and if
//! top-k cuts between the two or the draw falls on them, the other one is chosen. They are equally likely; but a token may
//! then differ from that of upstream with the same seed.

use std::collections::{HashMap, VecDeque};

use llama_sys as ffi;

use super::SampleError;
use super::largest::Largest;
use super::params::{Mirostat, SamplingParams, Stage};

/// Upstream sorts by `int(6.4 * logit + 64)`, which is undefined far beyond this; no model comes near it.
const LOGIT_LIMIT: f32 = 1e8;
/// Longest list, in tokens. A longer one would not be much shorter than a vocabulary.
const MOST: usize = 4096;

/// Makes the list of one row after the other.
#[derive(Debug, Clone)]
pub(super) struct Shortlist {
    /// Tokens that the first stage which drops any leaves.
    keep: usize,
    /// Only the likeliest is wanted: which one it is among equals is settled.
    greedy: bool,
    /// Tokens with a bias, in order.
    biases: Vec<ffi::llama_logit_bias>,
    recent: Recent,
    largest: Largest,
    list: Vec<ffi::llama_token_data>,
    masked: Vec<f32>,
    sorted: Vec<f32>,
}

/// What a row of logits comes down to.
#[derive(Debug)]
pub(super) enum Short<'s> {
    /// This token is the answer.
    Token(i32),
    /// The chain chooses what it would have chosen from all, biases not yet added.
    List(&'s mut Vec<ffi::llama_token_data>),
    /// There is no short list.
    Whole,
}

impl Shortlist {
    /// For a chain of these parameters, with biases in order; `None` if it needs the whole vocabulary.
    pub(super) fn new(params: &SamplingParams, biases: &[ffi::llama_logit_bias]) -> Option<Self> {
        let greedy = params.takes_argmax();
        let keep = if greedy { Some(1) } else { kept(params) }?;
        let most = keep.checked_add(biases.len())?;
        (most <= MOST).then(|| Self {
            keep,
            greedy,
            biases: biases.to_vec(),
            recent: Recent::new(params),
            largest: Largest::default(),
            list: Vec::new(),
            masked: Vec::new(),
            sorted: Vec::new(),
        })
    }

    /// Takes note of a token of the text.
    pub(super) fn accept(&mut self, token: i32) {
        self.recent.accept(token);
    }

    /// Forgets the text.
    pub(super) fn reset(&mut self) {
        self.recent.clear();
    }

    /// The list for a row. `allowed` has one bit per token.
    pub(super) fn of(&mut self, logits: &[f32], allowed: Option<&[u32]>) -> Result<Short<'_>, SampleError> {
        let changed = self.biases.len() + self.recent.counts.len();
        let count = self.keep + changed;
        if count > MOST || count * 2 > logits.len() {
            return Ok(Short::Whole);
        }
        let row = match allowed {
            None => logits,
            Some(mask) => {
                masked_row(&mut self.masked, logits, mask)?;
                &self.masked
            }
        };
        self.largest.read(row, LOGIT_LIMIT, count).map_err(|_| SampleError::NanLogits)?;
        if self.greedy && changed == 0 {
            let first = self.largest.first(row).ok_or(SampleError::NoCandidate)?;
            return Ok(Short::Token(id(first)));
        }
        // Fewer tokens than that are possible at all.
        let Some(threshold) = self.largest.threshold(count) else { return Ok(Short::Whole) };
        self.list.clear();
        let list = &mut self.list;
        let entry = |place: usize| ffi::llama_token_data { id: id(place), logit: row[place], p: 0.0 };
        self.largest.at_least(row, threshold, |place| list.push(entry(place)));
        let named = self.biases.iter().map(|bias| bias.token).chain(self.recent.counts.keys().copied());
        list.extend(
            named.filter_map(|token| usize::try_from(token).ok().filter(|place| *place < row.len())).map(entry),
        );
        // In the order of the vocabulary, as the whole row would be.
        list.sort_unstable_by_key(|entry| entry.id);
        list.dedup_by_key(|entry| entry.id);
        if self.greedy {
            return self.likeliest().map(Short::Token);
        }
        if self.has_equals() { Ok(Short::Whole) } else { Ok(Short::List(&mut self.list)) }
    }

    /// The token with the largest sum of logit and bias.
    fn likeliest(&self) -> Result<i32, SampleError> {
        let mut best = (f32::NEG_INFINITY, None);
        for entry in &self.list {
            let logit = entry.logit + self.bias(entry.id);
            if logit > best.0 {
                best = (logit, Some(entry.id));
            }
        }
        best.1.ok_or(SampleError::NoCandidate)
    }

    /// Whether two tokens of the list are equally likely, before penalties.
    fn has_equals(&mut self) -> bool {
        self.sorted.clear();
        for i in 0..self.list.len() {
            let entry = self.list[i];
            self.sorted.push(entry.logit + self.bias(entry.id));
        }
        self.sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        self.sorted.windows(2).any(|pair| pair[0] == pair[1] && pair[0] > f32::NEG_INFINITY)
    }

    fn bias(&self, token: i32) -> f32 {
        self.biases.binary_search_by_key(&token, |bias| bias.token).map_or(0.0, |at| self.biases[at].bias)
    }
}

/// How many tokens a top-k leaves that comes before any other stage which drops tokens or looks at all of them.
fn kept(params: &SamplingParams) -> Option<usize> {
    if params.mirostat != Mirostat::Off {
        return None;
    }
    for stage in &params.stages {
        let passes = match stage {
            Stage::TopK if params.top_k > 0 => return usize::try_from(params.top_k).ok(),
            // They change the logits of tokens that are in the text, see `Recent`.
            Stage::TopK | Stage::Penalties | Stage::Dry => true,
            Stage::TopNSigma => params.top_n_sigma <= 0.0,
            Stage::TypicalP => params.typical_p >= 1.0,
            Stage::TopP => params.top_p >= 1.0,
            Stage::MinP => params.min_p <= 0.0,
            Stage::Xtc => params.xtc_probability <= 0.0 || params.xtc_threshold > 0.5,
            // It runs last, wherever it is named.
            Stage::AdaptiveP => true,
            Stage::Temperature | Stage::Infill => false,
        };
        if !passes {
            return None;
        }
    }
    None
}

/// The row with what is not allowed made impossible. A logit that is none is told, allowed or not.
fn masked_row(masked: &mut Vec<f32>, logits: &[f32], mask: &[u32]) -> Result<(), SampleError> {
    masked.clear();
    let mut usable = true;
    for (logits, word) in logits.chunks(32).zip(mask) {
        for (bit, logit) in logits.iter().enumerate() {
            usable &= *logit < LOGIT_LIMIT;
            masked.push(if word >> bit & 1 == 1 { *logit } else { f32::NEG_INFINITY });
        }
    }
    if usable { Ok(()) } else { Err(SampleError::NanLogits) }
}

/// A place in a vocabulary, whose size came from an `int32_t`.
fn id(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

/// The tokens at the end of the text, as far back as penalties and DRY look.
#[derive(Debug, Clone)]
struct Recent {
    reach: usize,
    tokens: VecDeque<i32>,
    counts: HashMap<i32, u32>,
}

impl Recent {
    fn new(params: &SamplingParams) -> Self {
        let mut reach = 0;
        if params.stages.contains(&Stage::Penalties) && params.penalises() {
            reach = params.penalty_last_n;
        }
        if params.stages.contains(&Stage::Dry) && params.looks_for_repetitions() {
            reach = reach.max(params.dry_penalty_last_n);
        }
        let reach = usize::try_from(reach).unwrap_or(usize::MAX);
        Self { reach, tokens: VecDeque::new(), counts: HashMap::new() }
    }

    fn accept(&mut self, token: i32) {
        if self.reach == 0 {
            return;
        }
        if self.tokens.len() >= self.reach
            && let Some(old) = self.tokens.pop_front()
            && let Some(count) = self.counts.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
        self.tokens.push_back(token);
        *self.counts.entry(token).or_default() += 1;
    }

    fn clear(&mut self) {
        self.tokens.clear();
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(shortlist: &mut Shortlist, logits: &[f32]) -> Option<Vec<i32>> {
        match shortlist.of(logits, None) {
            Ok(Short::List(list)) => Some(list.iter().map(|entry| entry.id).collect()),
            Ok(Short::Token(token)) => Some(vec![token]),
            Ok(Short::Whole) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn vary(change: impl FnOnce(&mut SamplingParams)) -> SamplingParams {
        let mut params = SamplingParams::default();
        change(&mut params);
        params
    }

    /// Each larger than the one before it, up to `n`.
    fn rising(n: u16) -> Vec<f32> {
        (0..n).map(f32::from).collect()
    }

    #[test]
    fn the_default_stages_look_at_few_tokens_and_every_change_of_all_at_the_whole() {
        let logits = rising(20_000);
        let mut shortlist = Shortlist::new(&SamplingParams::default(), &[]).expect("top-k comes first");
        let seen = list(&mut shortlist, &logits).expect("no two are equal");
        assert!((40..200).contains(&seen.len()) && seen.ends_with(&[19_998, 19_999]), "{seen:?}");
        let whole: [fn(&mut SamplingParams); 7] = [
            |p| p.top_k = 0,
            |p| p.top_n_sigma = 1.0,
            |p| (p.typical_p, p.stages) = (0.9, vec![Stage::TypicalP, Stage::TopK]),
            |p| p.mirostat = Mirostat::V2,
            |p| p.stages = vec![Stage::Temperature, Stage::TopK],
            |p| p.stages = Vec::new(),
            |p| p.top_k = 10_000,
        ];
        for change in whole {
            assert!(Shortlist::new(&vary(change), &[]).is_none());
        }
    }

    #[test]
    fn tokens_that_may_be_changed_are_in_the_list_however_unlikely() {
        let logits = rising(20_000);
        let biases = [ffi::llama_logit_bias { token: 7, bias: 1e5 }];
        let params = vary(|p| (p.penalty_repeat, p.penalty_last_n) = (1.1, 3));
        let mut shortlist = Shortlist::new(&params, &biases).expect("top-k comes first");
        for token in [1, 2, 3, 2, 9] {
            shortlist.accept(token);
        }
        let seen = list(&mut shortlist, &logits).expect("no two are equal");
        assert_eq!(seen[..4], [2, 3, 7, 9], "the last three tokens, and the one with a bias");
        shortlist.reset();
        assert_eq!(list(&mut shortlist, &logits).expect("no two are equal")[..1], [7]);
    }

    #[test]
    fn equally_likely_tokens_are_left_to_the_whole_chain_but_not_the_likeliest() {
        let mut logits = rising(20_000);
        logits[3] = 19_998.0;
        assert_eq!(list(&mut Shortlist::new(&SamplingParams::default(), &[]).expect("top-k"), &logits), None);
        logits[3] = 19_999.0;
        assert_eq!(list(&mut Shortlist::new(&SamplingParams::greedy(), &[]).expect("greedy"), &logits), Some(vec![3]));
    }

    #[test]
    fn the_likeliest_is_chosen_with_its_bias_and_among_those_allowed() {
        let logits = rising(20_000);
        let ban = |token| ffi::llama_logit_bias { token, bias: f32::NEG_INFINITY };
        let mut shortlist = Shortlist::new(&SamplingParams::greedy(), &[ban(19_998), ban(19_999)]).expect("greedy");
        assert_eq!(list(&mut shortlist, &logits), Some(vec![19_997]));
        let mut mask = vec![0_u32; 625];
        mask[3] = 0b101;
        let mut shortlist = Shortlist::new(&SamplingParams::greedy(), &[]).expect("greedy");
        assert!(matches!(shortlist.of(&logits, Some(&mask)), Ok(Short::Token(98))));
        mask[3] = 0;
        assert_eq!(shortlist.of(&logits, Some(&mask)).err(), Some(SampleError::NoCandidate));
    }

    #[test]
    fn a_logit_that_is_none_is_an_error_even_where_it_is_not_allowed() {
        let mut logits = rising(20_000);
        logits[5] = f32::NAN;
        for allowed in [None, Some(vec![!1_u32 << 10; 625])] {
            let mut shortlist = Shortlist::new(&SamplingParams::default(), &[]).expect("top-k comes first");
            assert_eq!(shortlist.of(&logits, allowed.as_deref()).err(), Some(SampleError::NanLogits));
        }
    }
}
