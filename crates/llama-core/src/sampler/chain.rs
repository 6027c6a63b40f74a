//! Builds upstream's chain from [`SamplingParams`], and owns it.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr::{NonNull, null_mut};

use llama_sys as ffi;

use super::params::{Mirostat, SamplingParams, Stage, invalid};
use super::shortlist::{Short, Shortlist};
use super::{Candidate, SampleError, SamplerError};
use crate::ids::Token;
use crate::model::Model;
use crate::raw::{self, Failure};
use crate::vocab::VocabKind;

/// Upstream's number of tokens that mirostat estimates from.
const MIROSTAT_M: i32 = 100;

/// A shim sampler: the chain, the biases before it, the buffer of candidates; and what it need not look at.
pub(super) struct Chain {
    raw: NonNull<ffi::lrs_sampler>,
    /// For chains that begin by dropping nearly all tokens.
    shortlist: Option<Shortlist>,
}

// SAFETY: the chain is plain data and random number generators on the heap, with no tie to a thread (llama-sampler.cpp:
// no thread-local state); it is used through `&mut` only, and `Chain` is not `Sync`.
unsafe impl Send for Chain {}

impl Chain {
    pub(super) fn new(model: &Model, params: &SamplingParams, seed: u32) -> Result<Self, SamplerError> {
        let biases = biases(model, params)?;
        let stages = Stages::new(model, params, seed)?;
        let options = ffi::lrs_sampler_params {
            n_vocab: n_vocab(model),
            greedy: params.takes_argmax(),
            biases: biases.as_ptr(),
            n_biases: biases.len(),
        };
        let mut out = null_mut();
        // SAFETY: the chain is live and given away; `biases` outlives the call, which copies it; they are sorted and in
        // range by `biases()`.
        raw::check(unsafe { ffi::lrs_sampler_new(stages.into_raw(), options, &raw mut out) }).map_err(broken)?;
        Self::own(out, Shortlist::new(params, &biases)).map_err(broken)
    }

    pub(super) fn try_clone(&self) -> Result<Self, SamplerError> {
        let mut out = null_mut();
        // SAFETY: `raw` is live, and every stage of upstream's that we build can be cloned.
        raw::check(unsafe { ffi::lrs_sampler_clone(self.raw.as_ptr(), &raw mut out) }).map_err(broken)?;
        Self::own(out, self.shortlist.clone()).map_err(broken)
    }

    fn own(raw: *mut ffi::lrs_sampler, shortlist: Option<Shortlist>) -> Result<Self, Failure> {
        NonNull::new(raw).map(|raw| Self { raw, shortlist }).ok_or(Failure::Null)
    }

    pub(super) fn reset(&mut self) -> Result<(), SampleError> {
        if let Some(shortlist) = &mut self.shortlist {
            shortlist.reset();
        }
        // SAFETY: `raw` is live and borrowed for us alone.
        raw::check(unsafe { ffi::lrs_sampler_reset(self.raw.as_ptr()) }).map_err(refused)
    }

    pub(super) fn accept(&mut self, token: Token) -> Result<(), SampleError> {
        // SAFETY: `raw` is live and borrowed for us alone; the callers checked that the token is of the vocabulary.
        raw::check(unsafe { ffi::lrs_sampler_accept(self.raw.as_ptr(), token.0) }).map_err(refused)?;
        if let Some(shortlist) = &mut self.shortlist {
            shortlist.accept(token.0);
        }
        Ok(())
    }

    /// `logits` are one per token of the vocabulary; `allowed` has one bit per token.
    pub(super) fn sample(&mut self, logits: &[f32], allowed: Option<&[u32]>) -> Result<Token, SampleError> {
        if let Some(shortlist) = &mut self.shortlist {
            match shortlist.of(logits, allowed)? {
                Short::Token(token) => return Ok(Token(token)),
                Short::List(list) => return choose(self.raw, list).map(|(token, _)| Token(token)),
                Short::Whole => {}
            }
        }
        let allowed = allowed.map_or(std::ptr::null(), <[u32]>::as_ptr);
        let mut token = 0;
        // SAFETY: `raw` is live and borrowed for us alone; the callers checked the length of both slices.
        raw::check(unsafe { ffi::lrs_sampler_sample(self.raw.as_ptr(), logits.as_ptr(), allowed, &raw mut token) })
            .map_err(refused)?;
        Ok(Token(token))
    }

    /// Leaves in `candidates` what the last stage chose from. There is at least one, and their tokens are of the
    /// vocabulary.
    pub(super) fn apply(&mut self, candidates: &mut Vec<Candidate>) -> Result<Token, SampleError> {
        let mut data: Vec<ffi::llama_token_data> = candidates
            .iter()
            .map(|candidate| ffi::llama_token_data { id: candidate.token.0, logit: candidate.logit, p: 0.0 })
            .collect();
        let (token, left) = choose(self.raw, &mut data)?;
        candidates.clear();
        candidates.extend(left.iter().map(|data| Candidate { token: Token(data.id), logit: data.logit, p: data.p }));
        Ok(Token(token))
    }
}

/// Has the chain choose from tokens of the vocabulary, at least one, and tells what the last stage chose from. `raw` is live
/// and borrowed for the caller alone.
fn choose(
    raw: NonNull<ffi::lrs_sampler>,
    data: &mut [ffi::llama_token_data],
) -> Result<(i32, &[ffi::llama_token_data]), SampleError> {
    let mut array =
        ffi::llama_token_data_array { data: data.as_mut_ptr(), size: data.len(), selected: -1, sorted: false };
    let mut token = 0;
    // SAFETY: `raw` is live and not used by anyone else; `array` describes `data`, which outlives the call.
    raw::check(unsafe { ffi::lrs_sampler_apply(raw.as_ptr(), &raw mut array, &raw mut token) }).map_err(refused)?;
    // SAFETY: a stage only moves `array.data` forward within `data` and lowers `array.size` by at least as much.
    Ok((token, unsafe { std::slice::from_raw_parts(array.data, array.size) }))
}

impl Drop for Chain {
    fn drop(&mut self) {
        // SAFETY: `raw` came from the shim and is freed only here.
        unsafe { ffi::lrs_sampler_free(self.raw.as_ptr()) };
    }
}

/// A chain while it is being built.
struct Stages {
    raw: NonNull<ffi::llama_sampler>,
}

impl Stages {
    fn new(model: &Model, params: &SamplingParams, seed: u32) -> Result<Self, SamplerError> {
        // SAFETY: the parameters come from upstream; the timing they can turn on is not read by anyone here.
        let raw = unsafe {
            let mut chain_params = ffi::llama_sampler_chain_default_params();
            chain_params.no_perf = true;
            ffi::llama_sampler_chain_init(chain_params)
        };
        let mut stages = Self { raw: NonNull::new(raw).ok_or(Failure::Null).map_err(broken)? };
        if params.mirostat == Mirostat::Off {
            for stage in params.stages.iter().filter(|stage| **stage != Stage::AdaptiveP) {
                stages.add(stage_of(*stage, model, params, seed)?)?;
            }
        } else {
            // SAFETY: a constructor without preconditions.
            stages.add(unsafe { ffi::llama_sampler_init_temp(params.effective_temperature()) })?;
        }
        stages.add(choice_of(model, params, seed))?;
        Ok(stages)
    }

    fn add(&mut self, stage: *mut ffi::llama_sampler) -> Result<(), SamplerError> {
        if stage.is_null() {
            return Err(broken(Failure::Null));
        }
        // SAFETY: both are live, and the chain takes ownership of the stage.
        unsafe { ffi::llama_sampler_chain_add(self.raw.as_ptr(), stage) };
        Ok(())
    }

    fn into_raw(self) -> *mut ffi::llama_sampler {
        std::mem::ManuallyDrop::new(self).raw.as_ptr()
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        // SAFETY: `raw` came from upstream, was not given away, and is freed only here.
        unsafe { ffi::llama_sampler_free(self.raw.as_ptr()) };
    }
}

/// The stage that draws a token.
fn choice_of(model: &Model, params: &SamplingParams, seed: u32) -> *mut ffi::llama_sampler {
    let (tau, eta) = (params.mirostat_tau, params.mirostat_eta);
    // SAFETY: constructors without preconditions; `validate` bounded every number.
    unsafe {
        match params.mirostat {
            Mirostat::V1 => ffi::llama_sampler_init_mirostat(n_vocab(model), seed, tau, eta, MIROSTAT_M),
            Mirostat::V2 => ffi::llama_sampler_init_mirostat_v2(seed, tau, eta),
            Mirostat::Off if params.stages.contains(&Stage::AdaptiveP) => {
                ffi::llama_sampler_init_adaptive_p(params.adaptive_target, params.adaptive_decay, seed)
            }
            Mirostat::Off => ffi::llama_sampler_init_dist(seed),
        }
    }
}

fn stage_of(
    stage: Stage,
    model: &Model,
    params: &SamplingParams,
    seed: u32,
) -> Result<*mut ffi::llama_sampler, SamplerError> {
    let min_keep = params.min_keep as usize;
    let n_vocab = n_vocab(model);
    let last_n = params.penalty_last_n.cast_signed();
    // SAFETY: constructors without preconditions; `validate` bounded every number.
    let made = unsafe {
        match stage {
            Stage::TopNSigma => ffi::llama_sampler_init_top_n_sigma(params.top_n_sigma),
            Stage::TopK => ffi::llama_sampler_init_top_k(i32::try_from(params.top_k).unwrap_or(i32::MAX)),
            Stage::TypicalP => ffi::llama_sampler_init_typical(params.typical_p, min_keep),
            Stage::TopP => ffi::llama_sampler_init_top_p(params.top_p, min_keep),
            Stage::MinP => ffi::llama_sampler_init_min_p(params.min_p, min_keep),
            Stage::Xtc => ffi::llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, min_keep, seed),
            Stage::Temperature => ffi::llama_sampler_init_temp_ext(
                params.effective_temperature(),
                params.dynatemp_range,
                params.dynatemp_exponent,
            ),
            Stage::Penalties => ffi::llama_sampler_init_penalties(
                n_vocab,
                last_n,
                params.penalty_repeat,
                params.penalty_frequency,
                params.penalty_presence,
            ),
            Stage::Dry => return dry(model, params),
            Stage::Infill => return infill(model),
            // It draws a token: `choice_of` adds it last.
            Stage::AdaptiveP => null_mut(),
        }
    };
    Ok(made)
}

fn dry(model: &Model, params: &SamplingParams) -> Result<*mut ffi::llama_sampler, SamplerError> {
    let texts: Result<Vec<CString>, _> = params.dry_breakers.iter().map(|text| raw::c_string(text)).collect();
    let texts = texts.map_err(|_| invalid("dry_breakers", "a text", "has to be without NUL"))?;
    let vocab = model.vocab();
    // Upstream looks every breaker up in the text of every token, and aborts where tokens have none.
    let usable = vocab.kind() != VocabKind::None;
    let mut breakers: Vec<*const c_char> = texts.iter().filter(|_| usable).map(|text| text.as_ptr()).collect();
    let mut out = null_mut();
    // SAFETY: the vocabulary lives as long as the model; the texts outlive the call, which copies what it needs of them;
    // `validate` bounded every number.
    let code = unsafe {
        ffi::lrs_sampler_init_dry(
            vocab.as_ptr(),
            params.dry_multiplier,
            params.dry_base,
            params.dry_allowed_length.cast_signed(),
            params.dry_penalty_last_n.cast_signed(),
            breakers.as_mut_ptr(),
            breakers.len(),
            &raw mut out,
        )
    };
    raw::check(code).map_err(broken)?;
    Ok(out)
}

fn infill(model: &Model) -> Result<*mut ffi::llama_sampler, SamplerError> {
    let vocab = model.vocab();
    if vocab.kind() == VocabKind::None || vocab.eot().or_else(|| vocab.eos()).is_none() {
        let reason = "the infill stage ends a text with EOT or EOS, and this model has neither";
        return Err(SamplerError::Unsupported { reason: reason.into() });
    }
    let mut out = null_mut();
    // SAFETY: the vocabulary lives as long as the model, which the sampler holds.
    raw::check(unsafe { ffi::lrs_sampler_init_infill(vocab.as_ptr(), &raw mut out) }).map_err(broken)?;
    Ok(out)
}

/// All that is added to logits, each token once, in order.
fn biases(model: &Model, params: &SamplingParams) -> Result<Vec<ffi::llama_logit_bias>, SamplerError> {
    let vocab = model.vocab();
    let mut sums: BTreeMap<i32, f32> = BTreeMap::new();
    for bias in &params.logit_bias {
        if !vocab.contains(bias.token) {
            return Err(SamplerError::TokenOutOfRange { token: bias.token, n_vocab: model.facts().n_vocab });
        }
        let sum = sums.entry(bias.token.0).or_insert(0.0);
        // Kept where adding to a logit cannot reach what upstream's sorting takes.
        *sum = (*sum + bias.bias).clamp(f32::NEG_INFINITY, 1e6);
    }
    let mut banned: Vec<i32> = suppressed(model).to_vec();
    if params.ignore_eos {
        banned.extend((0..n_vocab(model)).filter(|token| vocab.is_eog(Token(*token))));
    }
    for token in banned.into_iter().filter(|token| vocab.contains(Token(*token))) {
        sums.insert(token, f32::NEG_INFINITY);
    }
    Ok(sums.into_iter().map(|(token, bias)| ffi::llama_logit_bias { token, bias }).collect())
}

/// Tokens that the model's file says never to sample.
fn suppressed(model: &Model) -> &[ffi::llama_token] {
    let mut n = 0;
    // SAFETY: reads the live vocabulary.
    let tokens = unsafe { ffi::llama_vocab_get_suppress_tokens(model.vocab().as_ptr(), &raw mut n) };
    match usize::try_from(n) {
        // SAFETY: not null and `n` tokens long; it belongs to the vocabulary, which lives as long as the model and does
        // not change after the load.
        Ok(n) if !tokens.is_null() && n > 0 => unsafe { std::slice::from_raw_parts(tokens, n) },
        _ => &[],
    }
}

fn n_vocab(model: &Model) -> i32 {
    // It came from an `int32_t`.
    model.facts().n_vocab.cast_signed()
}

fn broken(failure: Failure) -> SamplerError {
    SamplerError::Internal { reason: failure.explain("") }
}

fn refused(failure: Failure) -> SampleError {
    match failure {
        Failure::Status(ffi::LRS_BAD_LOGITS) => SampleError::NanLogits,
        Failure::Status(ffi::LRS_NO_CANDIDATE) => SampleError::NoCandidate,
        other => SampleError::Internal { reason: other.explain("") },
    }
}
