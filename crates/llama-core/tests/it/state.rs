//! A saved sequence goes on as the original would have, and nothing else is taken for one.

use crate::setup::{feed, load};
use llama_core::{
    Batch, CacheType, Context, ContextParams, FlashAttention, Model, ModelParams, Pos, SavedSequence, SeqId,
    StateError, Token, Want,
};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::golden;
use llama_testkit::models::Llama;
use std::path::Path;

const ONE: SeqId = SeqId(1);

fn params() -> ContextParams {
    let mut params = ContextParams::default();
    params.n_ctx = Some(256);
    params.n_threads = Some(1);
    params
}

fn context(model: &Model) -> Context {
    Context::new(model, params()).unwrap()
}

fn prompt(n: i32) -> Vec<Token> {
    (0..n).map(|i| Token(7 + (i * 31) % 200)).collect()
}

/// The last position of a sequence. (A recurrent state has no first one.)
fn last(ctx: &mut Context, seq: SeqId) -> Option<i32> {
    ctx.memory().unwrap().positions(seq).unwrap().map(|range| *range.end())
}

/// The context computes as a fresh one does.
fn assert_works(ctx: &mut Context, seq: SeqId) {
    ctx.memory().unwrap().remove(seq, ..).unwrap();
    let mut fresh = context(&ctx.model().clone());
    assert_eq!(feed(ctx, &prompt(5), seq), feed(&mut fresh, &prompt(5), SeqId::ZERO));
}

fn sealed(path: &Path) -> (Context, Vec<u8>) {
    let mut ctx = context(&load(path));
    feed(&mut ctx, &prompt(20), SeqId::ZERO);
    let bytes = ctx.save_sequence(SeqId::ZERO, &prompt(20)).unwrap();
    (ctx, bytes)
}

#[test]
fn a_loaded_sequence_goes_on_with_identical_logits() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid(), &golden::demo_model_path()] {
        let model = load(path);
        let mut original = context(&model);
        feed(&mut original, &prompt(40), SeqId::ZERO);
        let bytes = original.save_sequence(SeqId::ZERO, &prompt(40)).unwrap();
        println!("{}: {} bytes for 40 tokens", path.display(), bytes.len());

        let mut other = context(&model);
        feed(&mut other, &prompt(7), SeqId::ZERO);
        assert_eq!(other.load_sequence(SeqId::ZERO, &bytes).unwrap(), prompt(40));
        assert_eq!(last(&mut other, SeqId::ZERO), Some(39));
        for token in [3, 50, 99] {
            let expected = feed(&mut original, &[Token(token)], SeqId::ZERO);
            assert_eq!(feed(&mut other, &[Token(token)], SeqId::ZERO), expected, "{}", path.display());
        }
    }
}

#[test]
fn a_sequence_that_was_shifted_and_has_a_hole_comes_back_as_it_was() {
    let model = load(fixtures::tiny_llama());
    let mut original = context(&model);
    feed(&mut original, &prompt(60), SeqId::ZERO);
    let mut memory = original.memory().unwrap();
    memory.remove(SeqId::ZERO, 10..20).unwrap();
    memory.shift(SeqId::ZERO, 40.., 200).unwrap();
    feed(&mut original, &[Token(9)], SeqId::ZERO);
    let bytes = original.save_sequence(SeqId::ZERO, &[]).unwrap();
    let mut other = context(&model);
    assert_eq!(other.load_sequence(SeqId::ZERO, &bytes).unwrap(), []);
    assert_eq!(last(&mut other, SeqId::ZERO), Some(260));
    // The cells lie in another order now, so the sums round differently.
    let expected = feed(&mut original, &[Token(5)], SeqId::ZERO);
    let found = feed(&mut other, &[Token(5)], SeqId::ZERO);
    assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 2e-2));
}

#[test]
fn a_state_loads_into_another_sequence() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let model = load(path);
        for kv_unified in [false, true] {
            let mut params = params();
            params.n_ctx = Some(1024);
            params.n_seq_max = 3;
            params.kv_unified = kv_unified;
            let mut ctx = Context::new(&model, params).unwrap();
            feed(&mut ctx, &prompt(9), SeqId(2));
            let bystander = ctx.save_sequence(SeqId(2), &[]).unwrap();
            feed(&mut ctx, &prompt(30), SeqId::ZERO);
            let bytes = ctx.save_sequence(SeqId::ZERO, &prompt(30)).unwrap();
            feed(&mut ctx, &prompt(3), ONE);
            ctx.load_sequence(ONE, &bytes).unwrap();
            let expected = feed(&mut ctx, &[Token(4)], SeqId::ZERO);
            let found = feed(&mut ctx, &[Token(4)], ONE);
            assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 2e-2), "{}", path.display());
            assert_eq!(ctx.save_sequence(SeqId(2), &[]).unwrap().len(), bystander.len(), "others are untouched");
            assert_eq!(last(&mut ctx, SeqId(2)), Some(8));
        }
    }
}

/// Logits after a text, computed by a context that does nothing else.
fn truth(model: &Model, tokens: &[Token]) -> Vec<f32> {
    feed(&mut context(model), tokens, SeqId::ZERO)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // The flash attention kernels round differently, and so do other orders of cells.
    assert!(worst < 5e-2, "{what}: off by {worst}");
}

#[test]
fn sequences_that_share_cells_are_saved_and_loaded_apart() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let model = load(path);
        for kv_unified in [false, true] {
            let mut params = params();
            params.n_ctx = Some(1024);
            params.n_seq_max = 4;
            params.kv_unified = kv_unified;
            let mut ctx = Context::new(&model, params).unwrap();
            feed(&mut ctx, &prompt(12), SeqId::ZERO);
            for to in [1, 2] {
                ctx.memory().unwrap().copy(SeqId::ZERO, SeqId(to), ..).unwrap();
            }
            // Settles what is pending.
            feed(&mut ctx, &prompt(2), SeqId(3));
            let shared = ctx.save_sequence(ONE, &prompt(12)).unwrap();
            // Load over a sharer, let it go its own way, save and load again.
            ctx.load_sequence(ONE, &shared).unwrap();
            ctx.load_sequence(SeqId(2), &shared).unwrap();
            feed(&mut ctx, &[Token(40)], ONE);
            let longer = ctx.save_sequence(ONE, &[]).unwrap();
            ctx.load_sequence(SeqId(3), &longer).unwrap();
            let (short, long) = (prompt(12), [prompt(12), vec![Token(40)]].concat());
            for (seq, text) in [(0, &short), (1, &long), (2, &short), (3, &long)] {
                let expected = truth(&model, &[&text[..], &[Token(77)]].concat());
                let found = feed(&mut ctx, &[Token(77)], SeqId(seq));
                assert_close(&found, &expected, &format!("{} {kv_unified} {seq}", path.display()));
            }
        }
    }
}

#[test]
fn what_the_next_decode_will_carry_out_is_not_saved_before() {
    let model = load(fixtures::tiny_llama());
    let mut params = params();
    params.n_ctx = Some(512);
    params.n_seq_max = 2;
    let mut ctx = Context::new(&model, params).unwrap();
    feed(&mut ctx, &prompt(30), SeqId::ZERO);
    let state = ctx.save_sequence(SeqId::ZERO, &[]).unwrap();
    ctx.memory().unwrap().copy(SeqId::ZERO, ONE, ..).unwrap();
    assert!(matches!(ctx.save_sequence(ONE, &[]), Err(StateError::Unsettled { what: "copy" })));
    let result = ctx.load_sequence(SeqId::ZERO, &state);
    assert!(matches!(result, Err(StateError::Unsettled { what: "copy" })), "{result:?}");
    feed(&mut ctx, &[Token(3)], SeqId::ZERO);
    let copied = ctx.save_sequence(ONE, &[]).unwrap();
    ctx.load_sequence(SeqId::ZERO, &copied).unwrap();
    let expected = truth(&model, &[&prompt(30)[..], &[Token(8)]].concat());
    assert_close(&feed(&mut ctx, &[Token(8)], SeqId::ZERO), &expected, "copied");

    let mut memory = ctx.memory().unwrap();
    memory.remove(ONE, 0..10).unwrap();
    memory.shift(ONE, 10.., -10).unwrap();
    assert!(matches!(ctx.save_sequence(ONE, &[]), Err(StateError::Unsettled { what: "shift" })));
    ctx.load_sequence(SeqId::ZERO, &copied).unwrap();
    feed(&mut ctx, &[Token(4)], ONE);
    let shifted = ctx.save_sequence(ONE, &[]).unwrap();
    ctx.load_sequence(SeqId::ZERO, &shifted).unwrap();
    let expected = feed(&mut ctx, &[Token(5)], ONE);
    assert_close(&feed(&mut ctx, &[Token(5)], SeqId::ZERO), &expected, "shifted");
}

#[test]
fn an_empty_sequence_can_be_saved_and_empties_the_one_it_is_loaded_into() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let mut ctx = context(&load(path));
        let empty = ctx.save_sequence(SeqId::ZERO, &prompt(2)).unwrap();
        feed(&mut ctx, &prompt(5), SeqId::ZERO);
        assert_eq!(ctx.load_sequence(SeqId::ZERO, &empty).unwrap(), prompt(2));
        assert_eq!(last(&mut ctx, SeqId::ZERO), None);
        assert_works(&mut ctx, SeqId::ZERO);
    }
}

#[test]
fn a_state_cut_anywhere_is_refused_and_changes_nothing() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let (mut ctx, bytes) = sealed(path);
        for len in (0..bytes.len()).step_by(37).chain(bytes.len() - 20..bytes.len()) {
            let result = ctx.load_sequence(SeqId::ZERO, &bytes[..len]);
            assert!(matches!(result, Err(StateError::Truncated { .. })), "cut at {len}: {result:?}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(ctx.load_sequence(SeqId::ZERO, &longer), Err(StateError::TrailingBytes { extra: 1 })));
        assert_eq!(last(&mut ctx, SeqId::ZERO), Some(19));
        assert_works(&mut ctx, SeqId::ZERO);
    }
}

#[test]
fn a_state_with_a_flipped_bit_is_refused_and_changes_nothing() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let (mut ctx, bytes) = sealed(path);
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for _ in 0..300 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let bit = usize::try_from(random).unwrap() % (bytes.len() * 8);
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(ctx.load_sequence(SeqId::ZERO, &damaged).is_err(), "bit {bit}");
        }
        assert_eq!(last(&mut ctx, SeqId::ZERO), Some(19));
        assert_works(&mut ctx, SeqId::ZERO);
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let (_, bytes) = sealed(fixtures::tiny_llama());
    for path in
        [fixtures::tiny_llama_spm(), fixtures::tiny_mamba(), fixtures::tiny_hybrid(), &golden::demo_model_path()]
    {
        let mut ctx = context(&load(path));
        let result = ctx.load_sequence(SeqId::ZERO, &bytes);
        assert!(matches!(result, Err(StateError::OtherModel { .. })), "{}: {result:?}", path.display());
        assert_works(&mut ctx, SeqId::ZERO);
    }
}

#[test]
fn a_state_of_a_model_that_differs_in_its_weights_only_is_refused() {
    let folder = TempModels::new().unwrap();
    let path = folder.write("twin.gguf", &Llama { seed: 999, ..Llama::tiny() }.file()).unwrap();
    let (_, bytes) = sealed(fixtures::tiny_llama());
    let result = context(&load(&path)).load_sequence(SeqId::ZERO, &bytes);
    assert!(matches!(result, Err(StateError::OtherModel { .. })), "{result:?}");
}

#[test]
fn the_same_model_from_memory_or_in_parts_takes_the_state() {
    let (mut original, bytes) = sealed(fixtures::tiny_llama());
    let expected = feed(&mut original, &[Token(8)], SeqId::ZERO);
    let image = std::fs::read(fixtures::tiny_llama()).unwrap();
    let folder = TempModels::new().unwrap();
    let parts = Llama::tiny().file().save_split(folder.path(), "tiny", 3).unwrap();
    for model in [Model::from_bytes(&image, ModelParams::default()).unwrap(), load(&parts[0])] {
        let mut ctx = context(&model);
        ctx.load_sequence(SeqId::ZERO, &bytes).unwrap();
        assert_eq!(feed(&mut ctx, &[Token(8)], SeqId::ZERO), expected);
    }
}

#[test]
fn a_state_of_another_cache_layout_is_refused_with_the_parameter() {
    let model = load(fixtures::tiny_llama());
    let (_, bytes) = sealed(fixtures::tiny_llama());
    let mut others: Vec<(&str, ContextParams)> = Vec::new();
    for (what, change) in [
        ("cache_k", (|p| p.cache_k = CacheType::F32) as fn(&mut ContextParams)),
        ("cache_v", |p| p.cache_v = CacheType::BF16),
        ("separate caches (n_seq_max, or 1 with kv_unified):", |p| p.n_seq_max = 2),
        ("swa_full", |p| p.swa_full = true),
        ("RoPE scaling", |p| p.rope.freq_base = Some(12345.0)),
    ] {
        let mut params = params();
        change(&mut params);
        others.push((what, params));
    }
    for (what, params) in others {
        let mut ctx = Context::new(&model, params).unwrap();
        feed(&mut ctx, &prompt(3), SeqId::ZERO);
        let result = ctx.load_sequence(SeqId::ZERO, &bytes);
        assert!(matches!(result, Err(StateError::OtherContext { what: w, .. }) if w == what), "{what}: {result:?}");
        assert_eq!(last(&mut ctx, SeqId::ZERO), Some(2), "unchanged");
    }
}

#[test]
fn what_only_llama_cpp_can_tell_apart_leaves_the_sequence_empty() {
    let model = load(fixtures::tiny_llama());
    let with = |flash_attention| {
        let mut params = params();
        params.flash_attention = flash_attention;
        Context::new(&model, params).unwrap()
    };
    let (mut on, mut off) = (with(FlashAttention::On), with(FlashAttention::Off));
    feed(&mut on, &prompt(10), SeqId::ZERO);
    feed(&mut off, &prompt(4), SeqId::ZERO);
    let bytes = on.save_sequence(SeqId::ZERO, &[]).unwrap();
    let result = off.load_sequence(SeqId::ZERO, &bytes);
    assert!(matches!(&result, Err(StateError::Refused { reason }) if reason.contains("transposition")), "{result:?}");
    assert_eq!(last(&mut off, SeqId::ZERO), None);
    feed(&mut off, &prompt(4), SeqId::ZERO);
}

#[test]
fn a_state_fits_a_context_of_another_length_if_it_is_not_too_long() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid()] {
        let model = load(path);
        let mut params = params();
        params.n_ctx = Some(512);
        let mut large = Context::new(&model, params).unwrap();
        feed(&mut large, &prompt(200), SeqId::ZERO);
        let fits = large.save_sequence(SeqId::ZERO, &[]).unwrap();
        feed(&mut large, &prompt(200), SeqId::ZERO);
        let too_long = large.save_sequence(SeqId::ZERO, &[]).unwrap();

        let mut small = context(&model);
        small.load_sequence(SeqId::ZERO, &fits).unwrap();
        let result = small.load_sequence(SeqId::ZERO, &too_long);
        if model.facts().is_recurrent {
            assert!(result.is_ok(), "one size for any length");
        } else {
            assert!(matches!(result, Err(StateError::TooLong { cells: 400, n_ctx_seq: 256 })), "{result:?}");
            assert_eq!(last(&mut small, SeqId::ZERO), Some(199), "unchanged");
        }
    }
}

#[test]
fn no_room_beside_other_sequences_is_told_and_leaves_the_sequence_empty() {
    for path in [fixtures::tiny_llama(), fixtures::tiny_hybrid()] {
        let mut params = params();
        params.n_seq_max = 2;
        params.kv_unified = true;
        let mut ctx = Context::new(&load(path), params).unwrap();
        feed(&mut ctx, &prompt(200), ONE);
        let bytes = ctx.save_sequence(ONE, &[]).unwrap();
        feed(&mut ctx, &prompt(5), SeqId::ZERO);
        let result = ctx.load_sequence(SeqId::ZERO, &bytes);
        assert!(matches!(result, Err(StateError::NoRoom { cells: 200 })), "{result:?}");
        assert_eq!(last(&mut ctx, SeqId::ZERO), None);
        ctx.memory().unwrap().remove(ONE, ..).unwrap();
        ctx.load_sequence(SeqId::ZERO, &bytes).unwrap();
    }
}

#[test]
fn wrong_arguments_are_typed_errors() {
    let mut ctx = context(&load(fixtures::tiny_llama()));
    for seq in [-1, 1, i32::MAX, i32::MIN].map(SeqId) {
        assert!(matches!(ctx.save_sequence(seq, &[]), Err(StateError::SequenceOutOfRange { .. })));
        assert!(matches!(ctx.load_sequence(seq, &[]), Err(StateError::SequenceOutOfRange { .. })));
    }
    for token in [-1, i32::MAX].map(Token) {
        let result = ctx.save_sequence(SeqId::ZERO, &[Token(1), token]);
        assert!(matches!(result, Err(StateError::TokenOutOfRange { index: 1, .. })));
    }
    assert!(matches!(ctx.load_sequence(SeqId::ZERO, b"something else"), Err(StateError::NotAState)));

    let mut encoder = context(&load(fixtures::tiny_embedding()));
    assert!(matches!(encoder.save_sequence(SeqId::ZERO, &[]), Err(StateError::NoMemory)));
    assert!(matches!(encoder.load_sequence(SeqId::ZERO, &[]), Err(StateError::NoMemory)));
}

#[test]
fn a_file_holds_what_was_saved_and_is_replaced_whole() {
    let folder = TempModels::new().unwrap();
    let path = folder.path().join("chat.state");
    let mut ctx = context(&load(fixtures::tiny_llama()));
    feed(&mut ctx, &prompt(5), SeqId::ZERO);
    ctx.save_sequence_to(SeqId::ZERO, &prompt(5), &path).unwrap();
    feed(&mut ctx, &prompt(6), SeqId::ZERO);
    ctx.save_sequence_to(SeqId::ZERO, &prompt(6), &path).unwrap();
    assert_eq!(ctx.load_sequence_from(SeqId::ZERO, &path).unwrap(), prompt(6));
    assert_eq!(last(&mut ctx, SeqId::ZERO), Some(10));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["chat.state"], "no draft stays");
}

#[test]
fn bad_files_are_typed_errors_and_are_not_read_whole() {
    let folder = TempModels::new().unwrap();
    let path = folder.path().join("x.state");
    let (mut ctx, bytes) = sealed(fixtures::tiny_llama());
    let mut load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        ctx.load_sequence_from(SeqId::ZERO, &path)
    };
    assert!(matches!(load(b""), Err(StateError::Truncated { .. })));
    assert!(matches!(load(b"GGUF and so on"), Err(StateError::NotAState)));
    assert!(matches!(load(&bytes[..bytes.len() / 2]), Err(StateError::Truncated { .. })));
    assert!(matches!(load(&[&bytes[..], b"more"].concat()), Err(StateError::TrailingBytes { extra: 4 })));
    let mut damaged = bytes.clone();
    damaged[1000] ^= 4;
    assert!(matches!(load(&damaged), Err(StateError::Damaged)));
    assert!(load(&bytes).is_ok());

    // A file of a terabyte that takes no space, with a header that agrees.
    let huge = 1_u64 << 40;
    let mut header = bytes[..200].to_vec();
    header[12..20].copy_from_slice(&huge.to_le_bytes());
    std::fs::write(&path, &header).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(huge).is_ok() {
        let result = ctx.load_sequence_from(SeqId::ZERO, &path);
        assert!(matches!(result, Err(StateError::TooLarge { bytes, .. }) if bytes == huge), "{result:?}");
    }
    let missing = folder.path().join("missing");
    assert!(
        matches!(ctx.load_sequence_from(SeqId::ZERO, &missing), Err(StateError::Io { path, .. }) if path == missing)
    );
    assert!(matches!(ctx.load_sequence_from(SeqId::ZERO, folder.path()), Err(StateError::Io { .. })));
    let nowhere = folder.path().join("no/such/folder/x");
    assert!(matches!(ctx.save_sequence_to(SeqId::ZERO, &[], &nowhere), Err(StateError::Io { .. })));
    assert!(matches!(ctx.save_sequence_to(SeqId::ZERO, &[], folder.path()), Err(StateError::Io { .. })));
    assert!(
        !std::fs::read_dir(folder.path().parent().unwrap())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".part") })
    );
}

#[test]
fn the_size_of_a_state_is_what_the_docs_say() {
    for (path, bytes) in [(fixtures::tiny_llama(), 268), (&golden::demo_model_path(), 2572)] {
        let mut ctx = context(&load(path));
        // What the cache takes for a cell, and 12 bytes for its place.
        let cache = ctx.memory_use().unwrap().context() / u64::from(ctx.n_ctx());
        assert_eq!(cache + 12, bytes, "{}", path.display());
        let mut sizes = Vec::new();
        for _ in 0..3 {
            feed(&mut ctx, &prompt(10), SeqId::ZERO);
            sizes.push(ctx.save_sequence(SeqId::ZERO, &[]).unwrap().len() as u64);
        }
        assert_eq!(sizes[1] - sizes[0], 10 * bytes);
        assert_eq!(sizes[2] - sizes[1], 10 * bytes);
    }
    let mut ctx = context(&load(fixtures::tiny_mamba()));
    feed(&mut ctx, &prompt(10), SeqId::ZERO);
    let short = ctx.save_sequence(SeqId::ZERO, &[]).unwrap().len();
    feed(&mut ctx, &prompt(100), SeqId::ZERO);
    assert_eq!(ctx.save_sequence(SeqId::ZERO, &[]).unwrap().len(), short, "a recurrent state does not grow");
}

#[test]
fn outputs_of_the_last_decode_survive_a_save_and_a_load() {
    let mut ctx = context(&load(fixtures::tiny_llama()));
    let mut batch = Batch::new(1);
    let row = batch.push(Token(5), Pos(0), SeqId::ZERO, Want::Output).unwrap();
    let before = ctx.decode(&mut batch).unwrap().row(row).unwrap().logits().unwrap().to_vec();
    let bytes = ctx.save_sequence(SeqId::ZERO, &[]).unwrap();
    ctx.load_sequence(SeqId::ZERO, &bytes).unwrap();
    assert_eq!(ctx.outputs().row(row).unwrap().logits().unwrap(), before);
}

#[test]
fn a_saved_sequence_can_be_read_and_checked_without_loading_it() {
    let (ctx, bytes) = sealed(fixtures::tiny_llama());
    let saved = SavedSequence::read(&bytes).unwrap();
    assert_eq!((&*saved.tokens, saved.next_position), (&*prompt(20), 20));
    assert_eq!(ctx.check_sequence(&bytes).unwrap(), saved);
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    assert!(matches!(SavedSequence::read(&damaged), Err(StateError::Damaged)));
    let other = context(&load(fixtures::tiny_mamba()));
    assert!(matches!(other.check_sequence(&bytes), Err(StateError::OtherModel { .. })));
}
