//! How the time of a decode grows with its rows, and whether batching pays.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::rig::{Layout, MOST_STEPS, Rig, Total};
use crate::{Setting, ms, on_off, ratio};
use llama_rs_benches::{Failure, Piece, rounds};

/// Requests that are answered together.
const TOGETHER: usize = 8;
/// Flash attention, cache, largest micro-batch, prompts in one batch. The first two are what the others are held against.
const WAYS: [(bool, &str, u32, usize); 9] = [
    (true, "alone", 512, 1),
    (false, "alone", 512, 1),
    (true, "unified", 512, TOGETHER),
    (true, "unified", 128, TOGETHER),
    (true, "unified", 512, 1),
    (true, "split", 512, TOGETHER),
    (true, "split", 512, 1),
    (false, "unified", 512, 1),
    (false, "split", 512, TOGETHER),
];

/// A step with a row of each of so many sequences, against steps of one.
pub(crate) fn rows(setting: &Setting<'_>) -> Result<(), Failure> {
    let length = setting.scale.lengths[0];
    println!("  unified, {length} tokens each");
    println!("  flash  rows  step ms  ms a row  to as many steps of one row, quartiles");
    for flash in [true, false] {
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for &n in setting.scale.rows {
            let threads = setting.threads;
            let cells = length + MOST_STEPS + 1;
            let mut rig =
                Rig::new(setting.model, Layout { unified: true, flash, sequences: n, cells, ubatch: 512, threads })?;
            rig.fill(&(0..n).collect::<Vec<_>>(), length)?;
            pieces.push(Box::new(move || {
                let spent = rig.step(&(0..n).collect::<Vec<_>>())?;
                let mut per_row = Total::default();
                per_row.add(spent);
                Ok(per_row.share(n))
            }));
        }
        let samples = rounds(setting.rounds, setting.threads == 1, &mut pieces)?;
        for (&n, per_row) in setting.scale.rows.iter().zip(&samples) {
            let (row, step) = (ms(per_row), ms(per_row) * real(n));
            println!("  {:<7}{n:>4}{step:>9.2}{row:>10.3}  {}", on_off(flash), ratio(per_row, &samples[0]));
        }
    }
    Ok(())
}

/// Requests answered in one context together, against the same one after the other in a context of one sequence.
pub(crate) fn requests(setting: &Setting<'_>) -> Result<(), Failure> {
    let threads = setting.threads;
    for &(prompt, generated) in setting.scale.requests {
        let cells = prompt + generated;
        println!("  {TOGETHER} requests, {prompt} tokens of prompt, {generated} of answer");
        println!(
            "  flash  cache    micro-batch  prompts at once  all ms  to the same flash alone   to the faster alone"
        );
        let mut names = Vec::new();
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for (flash, cache, ubatch, at_once) in WAYS {
            let alone = cache == "alone";
            let sequences = if alone { 1 } else { TOGETHER };
            let layout = Layout { unified: cache == "unified", flash, sequences, cells, ubatch, threads };
            let mut rig = Rig::new(setting.model, layout)?;
            names.push((flash, cache, ubatch, at_once));
            pieces.push(Box::new(move || {
                let mut total = Total::default();
                for _ in 0..TOGETHER / sequences {
                    total.add(rig.answer(sequences, at_once, (prompt, generated))?);
                }
                Ok(total.share(1))
            }));
        }
        let samples = rounds(setting.rounds, threads == 1, &mut pieces)?;
        let faster = if samples[0].median() <= samples[1].median() { &samples[0] } else { &samples[1] };
        for ((flash, cache, ubatch, at_once), all) in names.into_iter().zip(&samples) {
            let alone = if flash { &samples[0] } else { &samples[1] };
            println!(
                "  {:<7}{cache:<9}{ubatch:>11}{at_once:>17}{:>8.0}  {:<24}  {}",
                on_off(flash),
                ms(all),
                ratio(all, alone),
                ratio(all, faster)
            );
        }
    }
    Ok(())
}

/// A prompt computed in pieces, and the line `a + b * rows` that fits the pieces best.
pub(crate) fn chunks(setting: &Setting<'_>) -> Result<(), Failure> {
    let (prompt, threads) = (setting.scale.prompt, setting.threads);
    for flash in [true, false] {
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for &chunk in setting.scale.chunks {
            let layout = Layout { unified: true, flash, sequences: 1, cells: prompt, ubatch: 512, threads };
            let mut rig = Rig::new(setting.model, layout)?;
            pieces.push(Box::new(move || {
                rig.clear()?;
                let mut total = Total::default();
                for _ in 0..prompt / chunk {
                    total.add(rig.decode(&[(0, chunk)])?);
                }
                Ok(total.share(1))
            }));
        }
        let samples = rounds(setting.rounds, threads == 1, &mut pieces)?;
        let Some(whole) = samples.last() else { return Ok(()) };
        let points: Vec<(f64, f64)> = setting
            .scale
            .chunks
            .iter()
            .zip(&samples)
            .map(|(&chunk, all)| (real(chunk), ms(all) / real(prompt / chunk)))
            .collect();
        let (a, b) = line(&points);
        println!("  {prompt} tokens, flash {}: a chunk takes {a:.2} ms + {b:.4} ms a row", on_off(flash));
        println!("  rows   chunk ms   by the line   rows/s   prompt to that of the largest chunk, quartiles");
        for (&(rows, chunk), all) in points.iter().zip(&samples) {
            let per_second = rows / chunk * 1000.0;
            let fit = a + b * rows;
            println!("  {rows:>4}{chunk:>11.2}{fit:>14.2}{per_second:>9.0}   {}", ratio(all, whole));
        }
    }
    Ok(())
}

/// The `(a, b)` of the line `a + b * x` with the least sum of squared relative errors.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let sum = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|&(x, y)| f(x, y) / (y * y)).sum::<f64>();
    let (weights, xs, ys) = (sum(&|_, _| 1.0), sum(&|x, _| x), sum(&|_, y| y));
    let (xx, xy) = (sum(&|x, _| x * x), sum(&|x, y| x * y));
    let b = (weights * xy - xs * ys) / (weights * xx - xs * xs);
    ((ys - b * xs) / weights, b)
}

#[allow(clippy::cast_precision_loss, reason = "a number of tokens")]
fn real(n: usize) -> f64 {
    n as f64
}
