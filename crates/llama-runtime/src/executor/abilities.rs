//! What a context can do, asked of the context itself.

use llama_core::{Batch, Context, DecodeError, Pos, SeqId, StateError, Token};

use super::{Abilities, layout};

/// Of a context that generates. It is empty afterwards.
pub(super) fn of_context(context: &mut Context, partial: bool, embed_limit: usize) -> Result<Abilities, DecodeError> {
    let (saved_bytes, saved_bytes_per_token) = measure(context)?;
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
/// computed for it, which also reads the weights in, and shows now what would fail at the first request.
fn measure(context: &mut Context) -> Result<(usize, usize), DecodeError> {
    let vocab = context.model().vocab();
    let token = vocab.bos().or(vocab.eos()).unwrap_or(Token(0));
    let mut one = sizes(context, token, Pos(0))?;
    let two = sizes(context, token, Pos(1))?;
    if let Ok(mut memory) = context.memory()
        && let Err(error) = memory.clear()
    {
        one = Err(error.into());
    }
    match (one, two) {
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

/// Bytes of the first sequence when it is saved after one more token.
fn sizes(context: &mut Context, token: Token, pos: Pos) -> Result<Result<usize, StateError>, DecodeError> {
    let mut batch = Batch::new(1);
    batch
        .push_run(&[token], pos, SeqId::ZERO)
        .map_err(|full| DecodeError::TooLarge { tokens: full.capacity + 1, limit: 1 })?;
    context.decode(&mut batch)?;
    let tokens = vec![token; usize::try_from(pos.0).unwrap_or(0) + 1];
    Ok(context.save_sequence(SeqId::ZERO, &tokens).map(|bytes| bytes.len()))
}
