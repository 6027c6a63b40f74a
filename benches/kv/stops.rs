//! How long a decode goes on after it was told to stop.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::rig::{Layout, Rig};
use crate::{Setting, ms, on_off};
use llama_core::DecodeError;
use llama_rs_benches::{Failure, Piece, rounds};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// From `AbortHandle::abort` to the return of a decode, at points spread evenly over a micro-batch.
pub(crate) fn stops(setting: &Setting<'_>) -> Result<(), Failure> {
    let (prompt, threads) = (setting.scale.prompt, setting.threads);
    println!("  stopping a micro-batch of {prompt} rows, time that passed");
    println!("  flash  micro-batch ms  stopped   p50 ms   p99 ms   max ms  p50 and p99 in the time of a micro-batch");
    for flash in [true, false] {
        let layout = Layout { unified: true, flash, sequences: 1, cells: prompt, ubatch: 512, threads };
        let mut rig = Rig::new(setting.model, layout)?;
        let mut pieces: [Piece<'_>; 1] = [Box::new(|| {
            rig.clear()?;
            rig.decode(&[(0, prompt)])
        })];
        let whole = ms(&rounds(setting.rounds, false, &mut pieces)?[0]);
        drop(pieces);
        let mut delays = Vec::new();
        for i in 0..setting.scale.stops {
            #[allow(clippy::cast_precision_loss, reason = "a small number")]
            let share = (i as f64 + 0.5) / setting.scale.stops as f64;
            delays.extend(stop_after(&mut rig, prompt, Duration::from_secs_f64(share * whole / 1000.0))?);
        }
        delays.sort();
        let at = |percent: usize| {
            let i = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
            delays.get(i).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1000.0)
        };
        let (n, p50, p99, max) = (delays.len(), at(50), at(99), at(100));
        // On a busy machine both are longer, and this stays about the same.
        let (of_p50, of_p99) = (p50 / whole, p99 / whole);
        println!("  {:<7}{whole:>14.1}{n:>9}{p50:>9.2}{p99:>9.2}{max:>9.2}  {of_p50:.4}  {of_p99:.4}", on_off(flash));
    }
    Ok(())
}

/// `None` if the decode was through before it was stopped.
fn stop_after(rig: &mut Rig, prompt: usize, wait: Duration) -> Result<Option<Duration>, Failure> {
    rig.clear()?;
    let handle = rig.ctx.abort_handle();
    let start = Barrier::new(2);
    let (result, end, asked) = thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            start.wait();
            #[allow(clippy::disallowed_methods, reason = "a decode tells nobody how far it is")]
            thread::sleep(wait);
            let asked = Instant::now();
            handle.abort();
            asked
        });
        start.wait();
        let result = rig.decode(&[(0, prompt)]);
        (result, Instant::now(), stopper.join())
    });
    rig.ctx.clear_abort();
    let asked = asked.map_err(|_| "the thread that stops the decode has panicked")?;
    match result {
        Ok(_) => Ok(None),
        Err(error) => match error.downcast_ref::<DecodeError>() {
            Some(DecodeError::Aborted) => Ok(Some(end.saturating_duration_since(asked))),
            _ => Err(error),
        },
    }
}
