//! One pool of cells for all sequences, against cells of its own for each.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::rig::{Layout, MOST_STEPS, Rig, Total, seq_id};
use crate::{Setting, ms, on_off, ratio};
use llama_rs_benches::{Failure, Piece, Samples, Spent, rounds, time};

const UBATCH: u32 = 512;
/// Sequences that share a prefix.
const SHARERS: usize = 8;

impl Setting<'_> {
    /// A context for `sequences` of up to `cells` tokens.
    fn rig(&self, unified: bool, flash: bool, sequences: usize, cells: usize) -> Result<Rig, Failure> {
        let layout = Layout { unified, flash, sequences, cells, ubatch: UBATCH, threads: self.threads };
        Rig::new(self.model, layout)
    }

    fn measure(&self, pieces: &mut [Piece<'_>]) -> Result<Vec<Samples>, Failure> {
        rounds(self.rounds, self.threads == 1, pieces)
    }

    /// Measures `work` in a unified context and in a split one with the same sequences filled.
    fn compare(
        &self,
        (flash, sequences, filled, length): (bool, usize, usize, usize),
        work: impl Fn(&mut Rig) -> Result<Spent, Failure> + Copy,
    ) -> Result<[Samples; 2], Failure> {
        let cells = length.max(self.scale.prompt) + MOST_STEPS + 1;
        let cells = if filled == sequences { length + MOST_STEPS + 1 } else { cells };
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for unified in [true, false] {
            let mut rig = self.rig(unified, flash, sequences, cells)?;
            rig.fill(&(0..filled).collect::<Vec<_>>(), length)?;
            pieces.push(Box::new(move || work(&mut rig)));
        }
        let mut samples = self.measure(&mut pieces)?.into_iter();
        samples.next().zip(samples.next()).map(|(a, b)| [a, b]).ok_or_else(|| "two pieces give two samples".into())
    }
}

/// A decode step with a row of every sequence.
pub(crate) fn steps(setting: &Setting<'_>) -> Result<(), Failure> {
    println!("  flash  tokens each  sequences  unified ms  split ms  unified/split, quartiles");
    for flash in [true, false] {
        for &length in setting.scale.lengths {
            for &n in setting.scale.sequences {
                let [unified, split] =
                    setting.compare((flash, n, n, length), |rig| rig.step(&(0..n).collect::<Vec<_>>()))?;
                let (a, b) = (ms(&unified), ms(&split));
                println!("  {:<7}{length:>11}{n:>11}{a:>12.2}{b:>10.2}  {}", on_off(flash), ratio(&unified, &split));
            }
        }
    }
    Ok(())
}

/// A long prompt while other sequences lie in the cache.
pub(crate) fn prefill(setting: &Setting<'_>) -> Result<(), Failure> {
    let prompt = setting.scale.prompt;
    println!("  prompt of {prompt} tokens beside others of as many");
    println!("  flash  others  unified ms  split ms  unified/split, quartiles");
    for flash in [true, false] {
        for &others in setting.scale.others {
            let [unified, split] =
                setting.compare((flash, others + 1, others, prompt), |rig| rig.once(&[(others, prompt)]))?;
            let (a, b) = (ms(&unified), ms(&split));
            println!("  {:<7}{others:>6}{a:>12.1}{b:>10.1}  {}", on_off(flash), ratio(&unified, &split));
        }
    }
    Ok(())
}

/// Batches that a split cache cuts up: it computes together only equally long runs of neighbouring sequences.
pub(crate) fn shapes(setting: &Setting<'_>) -> Result<(), Failure> {
    let (n, length) = (16, setting.scale.lengths[0]);
    let chunk = setting.scale.prompt / 4;
    let each = |seqs: &[usize], tokens: usize| seqs.iter().map(|&seq| (seq, tokens)).collect::<Vec<_>>();
    let neighbours: Vec<usize> = (0..8).collect();
    let apart: Vec<usize> = (0..8).map(|i| 2 * i).collect();
    let mut mixed = each(&neighbours[..7], 1);
    mixed.push((7, chunk));
    let unequal: Vec<(usize, usize)> = neighbours.iter().map(|&seq| (seq, (seq + 1) * chunk / 9)).collect();
    let shapes = [
        ("a row of sequences 0 to 7".to_owned(), each(&neighbours, 1)),
        ("a row of every second sequence".to_owned(), each(&apart, 1)),
        (format!("7 rows and {chunk} tokens of a prompt"), mixed),
        (format!("{} tokens of each of 8 prompts", chunk / 2), each(&neighbours, chunk / 2)),
        (format!("{} to {} tokens of 8 prompts", chunk / 9, 8 * chunk / 9), unequal),
    ];
    println!("  flash  batch, beside {n} sequences of {length}    unified ms  split ms  unified/split, quartiles");
    for flash in [true, false] {
        for (name, runs) in &shapes {
            let mut pieces: Vec<Piece<'_>> = Vec::new();
            for unified in [true, false] {
                let mut rig = setting.rig(unified, flash, n, length + chunk)?;
                rig.fill(&(0..n).collect::<Vec<_>>(), length)?;
                pieces.push(Box::new(move || {
                    rig.once(runs)?;
                    rig.once(runs)
                }));
            }
            let samples = setting.measure(&mut pieces)?;
            let (a, b) = (ms(&samples[0]), ms(&samples[1]));
            let quotient = ratio(&samples[0], &samples[1]);
            println!("  {:<7}{name:<38}{a:>10.2}{b:>10.2}  {quotient}", on_off(flash));
        }
    }
    Ok(())
}

/// A prefix that several sequences share.
pub(crate) fn prefix(setting: &Setting<'_>) -> Result<(), Failure> {
    let n = setting.scale.prefix;
    println!("  {n} tokens for {SHARERS} sequences, up to the first step of all");
    println!("  flash  how                           all ms   to recomputing          step after, ms   to recomputed");
    for flash in [true, false] {
        let how = [("computed for each, unified", true, false), ("copied, unified", true, true)];
        let how = [how[0], how[1], ("computed for each, split", false, false), ("copied, split", false, true)];
        let mut first: Vec<Piece<'_>> = Vec::new();
        let mut after: Vec<Piece<'_>> = Vec::new();
        for (_, unified, copied) in how {
            let mut rig = setting.rig(unified, flash, SHARERS, n + MOST_STEPS + 2)?;
            first.push(Box::new(move || share(&mut rig, n, copied)));
            let mut rig = setting.rig(unified, flash, SHARERS, n + MOST_STEPS + 2)?;
            share(&mut rig, n, copied)?;
            after.push(Box::new(move || rig.step(&(0..SHARERS).collect::<Vec<_>>())));
        }
        let (first, after) = (setting.measure(&mut first)?, setting.measure(&mut after)?);
        for (i, (name, ..)) in how.into_iter().enumerate() {
            let (all, step) = (ms(&first[i]), ms(&after[i]));
            let (of_all, of_step) = (ratio(&first[i], &first[0]), ratio(&after[i], &after[0]));
            println!("  {:<7}{name:<28}{all:>8.1}   {of_all:<22}{step:>14.2}   {of_step}", on_off(flash));
        }
    }
    Ok(())
}

/// Fills the sequences with a prefix and decodes a token of each.
fn share(rig: &mut Rig, n: usize, copied: bool) -> Result<Spent, Failure> {
    rig.clear()?;
    let (result, spent) = time(|| -> Result<(), Failure> {
        rig.decode(&[(0, n)])?;
        for seq in 1..SHARERS {
            if copied {
                rig.copy(0, seq)?;
            } else {
                rig.decode(&[(seq, n)])?;
            }
        }
        rig.decode(&(0..SHARERS).map(|seq| (seq, 1)).collect::<Vec<_>>())?;
        Ok(())
    });
    result?;
    Ok(spent)
}

/// Saving and loading a sequence against computing it.
pub(crate) fn park(setting: &Setting<'_>) -> Result<(), Failure> {
    let n = setting.scale.prefix;
    println!("  parking {n} tokens");
    println!("  flash  cache      bytes   save ms  load ms  compute ms  save+load to computing");
    for flash in [true, false] {
        for unified in [true, false] {
            let rig = || -> Result<Rig, Failure> {
                let mut rig = setting.rig(unified, flash, SHARERS, n)?;
                rig.fill(&(0..SHARERS).collect::<Vec<_>>(), n)?;
                Ok(rig)
            };
            let (mut saved, mut loaded, mut moved, mut computed) = (rig()?, rig()?, rig()?, rig()?);
            let state = saved.ctx.save_sequence(seq_id(3)?, &[])?;
            let mut pieces: Vec<Piece<'_>> = vec![
                Box::new(|| {
                    let (result, spent) = time(|| saved.ctx.save_sequence(seq_id(3)?, &[]).map_err(Failure::from));
                    result?;
                    Ok(spent)
                }),
                Box::new(|| {
                    loaded.cut(3, 0)?;
                    let (result, spent) = time(|| loaded.ctx.load_sequence(seq_id(3)?, &state).map_err(Failure::from));
                    result?;
                    Ok(spent)
                }),
                Box::new(|| {
                    let mut total = Total::default();
                    let (state, spent) = time(|| moved.ctx.save_sequence(seq_id(3)?, &[]).map_err(Failure::from));
                    total.add(spent);
                    moved.cut(3, 0)?;
                    let (result, spent) = time(|| moved.ctx.load_sequence(seq_id(3)?, &state?).map_err(Failure::from));
                    result?;
                    total.add(spent);
                    Ok(total.share(1))
                }),
                Box::new(|| {
                    computed.cut(3, 0)?;
                    computed.decode(&[(3, n)])
                }),
            ];
            let samples = rounds(setting.rounds, setting.threads == 1, &mut pieces)?;
            let layout = if unified { "unified" } else { "split" };
            let [save, load, compute] = [0, 1, 3].map(|i| ms(&samples[i]));
            println!(
                "  {:<7}{layout:<8}{:>8}{save:>10.2}{load:>9.2}{compute:>12.1}  {}",
                on_off(flash),
                state.len(),
                ratio(&samples[2], &samples[3])
            );
        }
    }
    Ok(())
}
