//! Tokens with their logits and probabilities, apart from any sampler.

use crate::ids::Token;
use crate::outputs::{OutputError, Row};

/// A token that could come next.
#[derive(Debug, Clone, Copy, PartialEq)]
#[doc(alias = "llama_token_data")]
pub struct Candidate {
    /// The token.
    pub token: Token,
    /// How much the model prefers it, in natural-logarithm units without a zero point.
    pub logit: f32,
    /// Its probability among the candidates; 0 before sampling.
    pub p: f32,
}

impl Candidate {
    /// A candidate before sampling.
    pub fn new(token: Token, logit: f32) -> Self {
        Self { token, logit, p: 0.0 }
    }
}

/// The probability of a token as the model gave it, before any stage of sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: Token,
    /// The natural logarithm of its probability; 0 is certain. NaN if the logits are.
    pub logprob: f32,
}

impl Row<'_> {
    /// The `n` likeliest tokens, likeliest first, the smaller id first where two are equally likely.
    ///
    /// # Errors
    ///
    /// As [`Row::logits`].
    pub fn top_logprobs(&self, n: usize) -> Result<Vec<TokenLogprob>, OutputError> {
        self.logits().map(|logits| top_logprobs(logits, n))
    }

    /// How likely a token is; `None` if it is not of the vocabulary.
    ///
    /// # Errors
    ///
    /// As [`Row::logits`].
    pub fn logprob(&self, token: Token) -> Result<Option<TokenLogprob>, OutputError> {
        let logits = self.logits()?;
        let logit = usize::try_from(token.0).ok().and_then(|id| logits.get(id));
        Ok(logit.map(|logit| TokenLogprob { token, logprob: logit - log_sum_exp(logits) }))
    }
}

fn top_logprobs(logits: &[f32], n: usize) -> Vec<TokenLogprob> {
    let total = log_sum_exp(logits);
    let mut ids: Vec<i32> = (0_i32..).take(logits.len()).collect();
    let logit = |id: i32| logits[id.unsigned_abs() as usize];
    // A total order, so that NaN cannot confuse the sorting.
    let likelier = |a: &i32, b: &i32| logit(*b).total_cmp(&logit(*a)).then(a.cmp(b));
    let n = n.min(ids.len());
    if n == 0 {
        return Vec::new();
    }
    ids.select_nth_unstable_by(n - 1, likelier);
    ids.truncate(n);
    ids.sort_unstable_by(likelier);
    ids.into_iter().map(|id| TokenLogprob { token: Token(id), logprob: logit(id) - total }).collect()
}

/// `ln(sum(exp(x)))`, without overflow.
fn log_sum_exp(logits: &[f32]) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return if logits.iter().any(|logit| logit.is_nan()) { f32::NAN } else { max };
    }
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - max).exp()).sum();
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm of a sum that is at least 1 fits")]
    let log = sum.ln() as f32;
    max + log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logprobs_are_normalised_and_sorted_with_ties_by_id() {
        let top = top_logprobs(&[1.0, 3.0, 1.0, 3.0], 3);
        assert_eq!(top.iter().map(|entry| entry.token.0).collect::<Vec<_>>(), [1, 3, 0]);
        let all = top_logprobs(&[1.0, 3.0, 1.0, 3.0], 9);
        let total: f32 = all.iter().map(|entry| entry.logprob.exp()).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }

    #[test]
    fn logprobs_of_unusable_logits_do_not_panic() {
        assert!(top_logprobs(&[], 5).is_empty());
        assert!(top_logprobs(&[1.0], 0).is_empty());
        assert!(top_logprobs(&[f32::NAN, 1.0, f32::NAN], 3).iter().all(|entry| entry.logprob.is_nan()));
        assert_eq!(top_logprobs(&[f32::NEG_INFINITY, 0.0], 2)[1].logprob, f32::NEG_INFINITY);
    }
}
