//! Memory stays where it is: over many rounds, and over files that lie about their size.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::print_stdout, reason = "the figures are what these tests are for")]

use llama_core::{
    AddSpecial, Batch, Context, ContextParams, LoraAdapter, Model, ModelParams, Pos, SeqId, Specials, Token,
};
use llama_testkit::fixtures::{self, TempModels};
use llama_testkit::golden;
use llama_testkit::mutate::{self, Defect, truncations};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

/// The tests measure the process, so they run one after the other.
static ALONE: Mutex<()> = Mutex::new(());

/// Resident memory in KiB.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    // Pages are 4 KiB on every platform this is tested on; on others the figure is off by a factor, not the verdict.
    pages * 4
}

/// The most memory that was ever resident, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Loads, generates some tokens, drops everything.
fn round(path: &Path, adapter: Option<&Path>, n: usize) {
    let mut reports = 0;
    let model = Model::load_with(path, ModelParams::default(), |_| {
        reports += 1;
        llama_core::Progress::Continue
    });
    let model = model.unwrap();
    assert!(reports > 0);
    let mut params = ContextParams::default();
    (params.n_ctx, params.n_threads) = (Some(256), Some(1));
    let mut ctx = Context::new(&model, params).unwrap();
    if let Some(adapter) = adapter {
        ctx.set_adapters(&[(LoraAdapter::load(&model, adapter).unwrap(), 1.0)]).unwrap();
    }
    let vocab = model.vocab();
    let mut tokens = vocab.tokenize_with("Hello world", Specials::Parse, AddSpecial::AsModelWants).unwrap();
    let mut batch = Batch::new(64);
    let mut pos = 0;
    for _ in 0..n {
        batch.clear();
        let row = batch.push_run(&tokens, Pos(pos), SeqId::ZERO).unwrap().unwrap();
        pos += i32::try_from(tokens.len()).unwrap();
        let outputs = ctx.decode(&mut batch).unwrap();
        let logits = outputs.row(row).unwrap().logits().unwrap();
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        tokens = vec![Token(i32::try_from(best).unwrap())];
        vocab.piece(tokens[0], Specials::Parse).unwrap();
    }
    // Errors must not leak either.
    batch.clear();
    ctx.decode(&mut batch).unwrap_err();
    Model::load(fixtures::vocab_bpe(), ModelParams::default()).unwrap_err();
}

fn stays_flat(name: &str, rounds: usize, limit: u64, round: impl Fn()) {
    let _alone = ALONE.lock().unwrap();
    // The first rounds fill what is kept for the life of the process: allocator pools, tables, the page cache's share.
    (0..rounds / 10).for_each(|_| round());
    let before = resident();
    (0..rounds).for_each(|_| round());
    let grown = resident().saturating_sub(before);
    println!("{name}: {rounds} rounds, {before} KiB before, {grown} KiB more after");
    assert!(grown < limit, "{name}: {grown} KiB more after {rounds} rounds");
}

#[test]
fn two_hundred_rounds_of_the_tiny_model_stay_flat() {
    let _ = (fixtures::tiny_llama(), fixtures::lora(), fixtures::vocab_bpe());
    stays_flat("tiny", 200, 4096, || round(fixtures::tiny_llama(), Some(fixtures::lora()), 8));
}

#[test]
fn rounds_of_the_demo_model_stay_flat() {
    let path = golden::demo_model_path();
    stays_flat("demo", 40, 8192, || round(&path, None, 4));
}

#[test]
fn bad_files_take_no_memory() {
    let folder = TempModels::new().unwrap();
    let bytes = fs::read(fixtures::tiny_llama()).unwrap();
    let cuts = truncations(bytes.len(), 200, 12).map(|len| bytes[..len].to_vec());
    let broken = Defect::ALL.into_iter().filter_map(|defect| defect.apply(&bytes));
    let unloadable = mutate::unloadable().into_iter().map(|bad| bad.file.to_bytes().unwrap());
    let bad: Vec<_> = cuts.chain(broken).chain(unloadable).collect();
    let _alone = ALONE.lock().unwrap();
    let before = peak();
    for bytes in &bad {
        let path = folder.write_bytes("bad.gguf", bytes).unwrap();
        Model::load(path, ModelParams::default()).unwrap_err();
    }
    let grown = peak() - before;
    println!("{} bad files: peak {before} KiB before, {grown} KiB more after", bad.len());
    assert!(grown < 32 * 1024, "{grown} KiB");
}
