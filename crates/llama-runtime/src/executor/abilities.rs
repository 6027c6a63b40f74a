//! What a context can do, asked of the context itself.

use llama_core::{Batch, Context, DecodeError, Pos, SeqId, StateError, Token};

use super::{Abilities, layout};

/// Of a context that generates. It is empty afterwards.
pub(super) fn of_context(context: &mut Context, partial: bool, embed_limit: usize) -> Result<Abilities, DecodeError> {
    let (saved_bytes, saved_bytes_per_token) = measure(context, partial)?;
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let facts = context.model().facts();
    let learned = context.model().learned_positions().map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    Ok(Abilities {
        slots: size(context.n_seq_max()),
        cells: (!facts.is_recurrent).then(|| size(context.n_ctx())),
        sequence_limit: size(context.n_ctx_seq()).min(learned),
        batch_limit: size(context.n_batch()),
        partial,
        generates: true,
        embed_limit,
        embed_batch: layout::EMBED_BATCH,
        saved_bytes,
        saved_bytes_per_token,
    })
}

/// Of a model that only embeds.
pub(super) fn of_encoder(embed_limit: usize) -> Abilities {
    Abilities {
        slots: 0,
        cells: None,
        sequence_limit: 0,
        batch_limit: 0,
        partial: false,
        generates: false,
        embed_limit,
        embed_batch: layout::EMBED_BATCH,
        saved_bytes: 0,
        saved_bytes_per_token: 0,
    }
}

/// Bytes of a saved sequence: the part that does not depend on its length, and the part for each token. Two tokens are
/// computed for it, which also reads the weights in, and shows now what would fail at the first request. Where a sequence can
/// be cut (`partial`), both are computed at once: a step of a large model on a processor takes a second.
fn measure(context: &mut Context, partial: bool) -> Result<(usize, usize), DecodeError> {
    let vocab = context.model().vocab();
    let token = vocab.bos().or(vocab.eos()).unwrap_or(Token(0));
    let (one, two) = if partial && context.n_batch() > 1 {
        compute(context, &[token; 2], Pos(0))?;
        let two = saved(context, &[token; 2]);
        let cut = context.memory().and_then(|mut memory| memory.remove(SeqId::ZERO, 1..));
        (cut.map_err(StateError::from).and_then(|()| saved(context, &[token])), two)
    } else {
        compute(context, &[token], Pos(0))?;
        let one = saved(context, &[token]);
        compute(context, &[token], Pos(1))?;
        (one, saved(context, &[token; 2]))
    };
    let emptied = context.memory().and_then(|mut memory| memory.clear()).map_err(StateError::from);
    match (emptied.and(one), two) {
        (Ok(one), Ok(two)) => {
            let per_token = two.saturating_sub(one);
            Ok((one.saturating_sub(per_token), per_token))
        }
        // Never worth it then.
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "sequences of this model cannot be saved");
            Ok((usize::MAX, 0))
        }
    }
}

/// Adds tokens to the first sequence.
fn compute(context: &mut Context, tokens: &[Token], pos: Pos) -> Result<(), DecodeError> {
    let mut batch = Batch::new(tokens.len());
    batch
        .push_run(tokens, pos, SeqId::ZERO)
        .map_err(|full| DecodeError::TooLarge { tokens: full.capacity + 1, limit: 1 })?;
    context.decode(&mut batch).map(drop)
}

/// Bytes of the first sequence, which has these tokens, when it is saved.
fn saved(context: &mut Context, tokens: &[Token]) -> Result<usize, StateError> {
    context.save_sequence(SeqId::ZERO, tokens).map(|bytes| bytes.len())
}
