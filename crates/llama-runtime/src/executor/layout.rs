//! Which contexts a model gets: how many sequences, how large, laid out how.

use llama_core::{Context, ContextParams, Model, ModelFacts};

/// Sequence ids upstream has at most.
const MAX_SEQUENCES: usize = 256;
/// Ids beyond the running ones, where a kept prefix costs no more than its cells.
const SPARE: usize = 8;
/// Ids beyond the running ones, where each takes memory for a whole state.
const SPARE_STATES: usize = 2;
/// Inputs that are embedded together.
pub(super) const EMBED_BATCH: usize = 16;
/// Longest input to embed, in tokens, that room is made for unasked: the buffers for attention grow with its square.
const LONGEST_EMBED: u32 = 2048;

/// The context that generates: for `running` sequences at a time, and `params.n_batch` tokens in a step.
///
/// **One pool of cells.** A prefix is shared by copying it to another id without copying a byte, a long sequence may use what
/// short ones leave, and ids for kept prefixes cost no cells. What it costs is that the attention of each sequence looks over
/// the cells of all of them and masks the others out; `docs/performance.md` has the figures.
///
/// **Sequences.** Prefixes are kept under ids of their own. There are as many for them as for running sequences, and some
/// more (the layers of a sliding window hold a window for each, but no more than the others hold); but a recurrent state
/// takes its memory for every id, used or not, so there are just two more.
///
/// **One micro-batch a step.** A step is never cut up inside, so that its time is that of what was planned.
pub(super) fn generation(facts: &ModelFacts, params: &ContextParams, running: usize) -> ContextParams {
    let mut params = params.clone();
    params.kv_unified = true;
    params.embeddings = false;
    params.n_ubatch = params.n_batch;
    let running = running.max(1);
    let wanted = if is_stateful(facts) {
        running.saturating_add(SPARE_STATES)
    } else {
        running.saturating_mul(2).saturating_add(SPARE)
    };
    params.n_seq_max = u32::try_from(wanted.min(MAX_SEQUENCES)).unwrap_or(1);
    params
}

/// Whether a sequence can be cut, and the beginning of one copied: not where there is a recurrent state, nor where a sliding
/// window has dropped what comes before it.
pub(super) fn is_partial(context: &mut Context, params: &ContextParams) -> bool {
    let keeps_all = context.model().facts().n_swa == 0 || params.swa_full;
    let can = context.memory().map(|memory| memory.capabilities());
    keeps_all && can.is_ok_and(|can| can.partial_removal && can.partial_copy)
}

fn is_stateful(facts: &ModelFacts) -> bool {
    facts.is_recurrent || facts.is_hybrid
}

/// The context that embeds. A text is pooled in one piece, so all of it has to fit into one micro-batch.
///
/// An encoder takes texts as long as `params.n_ctx`, by default as the model was trained with, but at most 2048 tokens. A model
/// that generates as well makes this context beside the other one, and its `n_ctx` is that of the other one: it takes 2048
/// tokens at most, or a step if that is more.
pub(super) fn embedding(model: &Model, params: &ContextParams, generates: bool) -> ContextParams {
    let trained = model.facts().n_ctx_train.max(1);
    let longest = match params.n_ctx {
        Some(n_ctx) if !generates => n_ctx,
        other => other.unwrap_or(trained).min(trained).min(LONGEST_EMBED),
    };
    let sequences = u32::try_from(EMBED_BATCH).unwrap_or(1);
    let tokens = longest.max(params.n_batch).max(sequences);
    let mut params = params.clone();
    params.n_ctx = Some(tokens);
    params.n_batch = tokens;
    params.n_ubatch = tokens;
    params.n_seq_max = sequences;
    params.kv_unified = true;
    params.embeddings = true;
    params
}

/// The longest text to embed, in tokens, in a context made with these parameters.
pub(super) fn embed_limit(model: &Model, embedding: &ContextParams) -> usize {
    let positions = model.learned_positions().unwrap_or(u64::MAX);
    usize::try_from(positions.min(u64::from(embedding.n_batch))).unwrap_or(usize::MAX)
}
