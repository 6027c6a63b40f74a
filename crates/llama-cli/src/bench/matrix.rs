//! From lists of values to tests: every combination, so that models are loaded as rarely as possible.

use anyhow::bail;
use llama_runtime::{CacheType, FlashAttention, GpuLayers, LoadMode};

use super::args::{ComputeArgs, TestArgs};
use super::lists;
use crate::settings::Effective;

/// Most tests of one call.
const MOST: usize = 10_000;

/// Most tokens of a prompt, of an answer, and in the cache before it.
const MAX_TOKENS: u32 = 1 << 24;

/// One test, and how it is computed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) load: Load,
    pub(super) layout: Layout,
    pub(super) test: Test,
}

/// How a model is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load {
    /// Which of the models.
    pub(super) model: usize,
    pub(super) gpu_layers: GpuLayers,
    pub(super) load_mode: LoadMode,
    pub(super) repack: bool,
}

/// How its context is made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) n_batch: u32,
    pub(super) n_ubatch: u32,
    pub(super) type_k: CacheType,
    pub(super) type_v: CacheType,
    pub(super) flash: FlashAttention,
    pub(super) kv_offload: bool,
    pub(super) op_offload: bool,
    /// `None` where it is left to the program.
    pub(super) threads: Option<u32>,
    /// For prompts; `None` where it is as many, or left to the program.
    pub(super) threads_batch: Option<u32>,
}

impl Layout {
    /// Most tokens that are computed at once.
    pub(super) fn at_once(&self) -> u32 {
        self.n_ubatch.min(self.n_batch)
    }
}

/// What is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) n_prompt: u32,
    pub(super) n_gen: u32,
    pub(super) n_depth: u32,
    pub(super) n_parallel: u32,
    /// Sequences have one prompt.
    pub(super) shared: bool,
    /// Sequences have one cache.
    pub(super) unified: bool,
}

impl Test {
    /// Tokens that are computed while the clock runs.
    pub(super) fn tokens(&self) -> u64 {
        let prompts = if self.shared { 1 } else { self.n_parallel };
        u64::from(prompts) * u64::from(self.n_prompt) + u64::from(self.n_parallel) * u64::from(self.n_gen)
    }

    /// Cells of the KV cache that it needs.
    pub(super) fn cells(&self) -> u64 {
        let before = u64::from(self.n_depth) + u64::from(self.n_prompt);
        let sequences = u64::from(self.n_parallel);
        let answers = sequences * u64::from(self.n_gen);
        match (self.shared && self.n_parallel > 1, self.unified) {
            (true, true) => before + answers,
            // One more for each: a shared prompt is brought to its sequences by computing a token.
            (true, false) => sequences * (before + 1) + answers,
            (false, _) => sequences * before + answers,
        }
    }

    /// What upstream calls it: `pp512`, `tg128 @ d512`.
    pub(super) fn name(&self) -> String {
        let mut name = match (self.n_prompt, self.n_gen) {
            (prompt, 0) => format!("pp{prompt}"),
            (0, answer) => format!("tg{answer}"),
            (prompt, answer) => format!("pp{prompt}+tg{answer}"),
        };
        if self.n_depth > 0 {
            name.push_str(&format!(" @ d{}", self.n_depth));
        }
        name
    }
}

/// Every way to compute that was asked for, without tests; `models` of them.
///
/// # Errors
///
/// A value that is out of range, with its flag.
pub(super) fn ways(args: &ComputeArgs, effective: &Effective, models: usize) -> anyhow::Result<Vec<Case>> {
    let settings = &effective.settings;
    let (weights, context) = (&settings.hardware.weights, &settings.context);
    let first = Case {
        load: Load {
            model: 0,
            gpu_layers: weights.gpu_layers,
            load_mode: weights.load_mode,
            repack: weights.use_extra_buffers,
        },
        layout: Layout {
            n_batch: 2048,
            n_ubatch: settings.batch.step_tokens,
            type_k: context.cache_k,
            type_v: context.cache_v,
            flash: context.flash_attention,
            kv_offload: context.offload_kqv,
            op_offload: context.op_offload,
            threads: context.threads,
            threads_batch: threads_batch(args, effective),
        },
        test: Test { n_parallel: 1, ..Test::default() },
    };
    let off = |given: &[lists::List<bool>]| -> Vec<bool> { lists::all(given).into_iter().map(|no| !no).collect() };
    let threads = within(lists::all(&args.threads), 1..=512, "-t/--threads")?;
    let mut cases = vec![first];
    cross(&mut cases, (0..models).collect(), |case, model| case.load.model = model)?;
    cross(&mut cases, lists::all(&args.gpu_layers), |case, layers| case.load.gpu_layers = layers)?;
    cross(&mut cases, lists::all(&args.load_mode), |case, mode| case.load.load_mode = mode)?;
    cross(&mut cases, lists::all(&args.repack), |case, repack| case.load.repack = repack)?;
    cross(&mut cases, off(&args.no_op_offload), |case, on| case.layout.op_offload = on)?;
    let sizes = within(lists::all(&args.batch_size), 1..=MAX_TOKENS, "-b/--batch-size")?;
    cross(&mut cases, sizes, |case, size| case.layout.n_batch = size)?;
    let sizes = within(lists::all(&args.ubatch_size), 1..=65_536, "-ub/--ubatch-size")?;
    cross(&mut cases, sizes, |case, size| case.layout.n_ubatch = size)?;
    cross(&mut cases, lists::all(&args.cache_type_k), |case, kind| case.layout.type_k = kind)?;
    cross(&mut cases, lists::all(&args.cache_type_v), |case, kind| case.layout.type_v = kind)?;
    cross(&mut cases, off(&args.no_kv_offload), |case, on| case.layout.kv_offload = on)?;
    cross(&mut cases, lists::all(&args.flash_attn), |case, flash| case.layout.flash = flash)?;
    cross(&mut cases, threads, |case, threads| case.layout.threads = Some(threads))?;
    Ok(cases)
}

/// Threads for prompts. `-t` stands for both kinds where only a file says something else: who gives `-t` does not think of that.
fn threads_batch(args: &ComputeArgs, effective: &Effective) -> Option<u32> {
    let is_typed = effective.flag_of(&["context.threads_batch"]).is_some();
    effective.settings.context.threads_batch.filter(|_| is_typed || args.threads.is_empty())
}

/// Every test in every one of these ways.
///
/// # Errors
///
/// A value that is out of range, with its flag, and when there is nothing to do.
pub(super) fn cases(args: &TestArgs, mut ways: Vec<Case>) -> anyhow::Result<Vec<Case>> {
    let tests = tests(args)?;
    cross(&mut ways, tests, |case, test| case.test = test)?;
    Ok(ways)
}

fn tests(args: &TestArgs) -> anyhow::Result<Vec<Test>> {
    let as_batched = !(args.n_pp.is_empty() && args.n_tg.is_empty());
    // Where only the flags of `batched-bench` are given, those of `bench` have no defaults.
    let or = |given: &[lists::List<u32>], default: u32| match lists::all(given) {
        values if values.is_empty() && !as_batched => vec![default],
        values => values,
    };
    let prompts = within(or(&args.n_prompt, 512), 0..=MAX_TOKENS, "-p/--n-prompt")?;
    let answers = within(or(&args.n_gen, 128), 0..=MAX_TOKENS, "-n/--n-gen")?;
    let pairs = args.pg.iter().copied();
    let pairs = within(pairs.clone().flat_map(|(a, b)| [a, b]).collect(), 0..=MAX_TOKENS, "-pg").map(|_| pairs)?;
    let widths = within(lists::all(&args.n_parallel), 1..=256, "-npl/--n-parallel")?;
    let widths = if widths.is_empty() { vec![1] } else { widths };
    let mut depths = within(lists::all(&args.n_depth), 0..=MAX_TOKENS, "-d/--n-depth")?;
    if depths.is_empty() {
        depths.push(0);
    }
    let mut found = Vec::new();
    for depth in depths {
        let plain = prompts.iter().map(|n| (*n, 0, 0)).chain(answers.iter().map(|n| (0, *n, 0)));
        let pairs = pairs.clone().map(|(prompt, answer)| (prompt, answer, 0));
        for (n_prompt, n_gen, more) in plain.chain(pairs).chain(batched(args)?) {
            let n_depth = depth.saturating_add(more);
            let test = |n_parallel: &u32| Test {
                n_prompt,
                n_gen,
                n_depth,
                n_parallel: *n_parallel,
                shared: args.pp_shared,
                unified: args.kv_unified,
            };
            if n_prompt + n_gen > 0 {
                found.extend(widths.iter().map(test));
            }
        }
    }
    match found.iter().find(|test| test.cells() > u64::from(MAX_TOKENS)) {
        _ if found.is_empty() => bail!("there is nothing to measure: give a number above 0 to -p, -n or -pg"),
        Some(test) => {
            bail!(
                "{} for {} sequences needs {} cells of the KV cache; {MAX_TOKENS} is the most",
                test.name(),
                test.n_parallel,
                test.cells()
            )
        }
        None => Ok(found),
    }
}

/// Prompt, answer and depth as `batched-bench` has them: an answer goes on where its prompt ends.
fn batched(args: &TestArgs) -> anyhow::Result<Vec<(u32, u32, u32)>> {
    let prompts = within(lists::all(&args.n_pp), 0..=MAX_TOKENS, "-npp/--n-pp")?;
    let answers = within(lists::all(&args.n_tg), 0..=MAX_TOKENS, "-ntg/--n-tg")?;
    if prompts.is_empty() {
        return Ok(answers.into_iter().map(|answer| (0, answer, 0)).collect());
    }
    let one = |prompt: u32| {
        let after = answers.iter().map(move |answer| (0, *answer, prompt));
        std::iter::once((prompt, 0, 0)).chain(after).collect::<Vec<_>>()
    };
    Ok(prompts.into_iter().flat_map(one).collect())
}

/// Every one of `cases` with every one of `values`; as they are where there is no value.
fn cross<T: Clone>(cases: &mut Vec<Case>, values: Vec<T>, set: impl Fn(&mut Case, T)) -> anyhow::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    if cases.len().saturating_mul(values.len()) > MOST {
        bail!("these lists make more than {MOST} tests; give fewer values");
    }
    let made = cases.iter().flat_map(|case| {
        values.iter().map(|value| {
            let mut case = case.clone();
            set(&mut case, value.clone());
            case
        })
    });
    *cases = made.collect();
    Ok(())
}

fn within(values: Vec<u32>, range: std::ops::RangeInclusive<u32>, flag: &str) -> anyhow::Result<Vec<u32>> {
    match values.iter().find(|value| !range.contains(value)) {
        Some(value) => bail!("{flag} is {value}, must be from {} to {}", range.start(), range.end()),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests;
