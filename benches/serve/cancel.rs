//! How long a request goes on after its cancel, and when the next one can begin.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::Setting;
use crate::server::{Server, finish};
use llama_rs_benches::{Failure, Percentiles};
use llama_runtime::{Event, Generation};
use std::thread;
use std::time::{Duration, Instant};

/// Cancels between two measurements of an undisturbed step.
const STEP_EVERY: usize = 10;
/// Steps of the prompt that is cancelled.
const STEPS: usize = 3;
/// The cancels come at moments spread evenly over so many steps.
const SPREAD: f64 = 2.0;

/// What one cancel brought.
struct Cancelled {
    /// From the cancel until the reader has the end.
    silence: Duration,
    /// From the cancel until the request behind it is taken, so that its first step can begin.
    free: Duration,
}

/// Cancels the computing of a long prompt, with another request waiting for its place.
pub(crate) fn cancel(setting: &Setting) -> Result<(), Failure> {
    let (step_tokens, cancels) = setting.scale.cancels;
    let server = Server::new(&setting.path, setting.threads, |config| {
        config.batch.step_tokens = step_tokens;
        config.batch.min_chunk = config.batch.min_chunk.min(step_tokens);
        config.batch.max_sequences = 1;
    })?;
    let step_tokens = step_tokens as usize;
    let (mut steps, mut all) = (Vec::new(), Vec::new());
    for i in 0..cancels {
        if i % STEP_EVERY == 0 {
            steps.push(finish(server.runtime.submit(server.request(0, step_tokens, 1)?)?)?.timings.prompt);
        }
        #[allow(clippy::cast_precision_loss, reason = "a small number")]
        let share = SPREAD * ((i * 7 % cancels) as f64 + 0.5) / cancels as f64;
        let step = Percentiles::of(steps.clone()).at(50.0);
        all.extend(once(&server, STEPS * step_tokens, Duration::from_secs_f64(share * step))?);
    }
    let step = Percentiles::of(steps);
    println!("  a prompt of {STEPS} steps of {step_tokens} tokens, cancelled within the first {SPREAD}");
    println!(
        "  an undisturbed step takes {:.1} ms ({:.1} to {:.1}); the target is p99 below 1 of it",
        step.at(50.0) * 1000.0,
        step.at(0.0) * 1000.0,
        step.at(100.0) * 1000.0
    );
    println!("  from the cancel until         cancels   p50 ms   p99 ms   max ms   p50 and p99 of a step");
    let silence = all.iter().map(|cancelled| cancelled.silence).collect();
    let free = all.iter().map(|cancelled| cancelled.free).collect();
    for (name, times) in [("the reader has the end", silence), ("the next one is taken", free)] {
        let times = Percentiles::of(times);
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| times.at(percent));
        let of_step = [p50, p99].map(|time| time / step.at(50.0));
        let [p50, p99, max] = [p50, p99, max].map(|time| time * 1000.0);
        println!("  {name:<28}{:>9}{p50:>9.2}{p99:>9.2}{max:>9.2}   {:.4}  {:.4}", times.len(), of_step[0], of_step[1]);
    }
    Ok(())
}

/// `None` if the prompt was through before.
fn once(server: &Server, prompt: usize, wait: Duration) -> Result<Option<Cancelled>, Failure> {
    let generation = server.runtime.submit(server.request(1, prompt, 1)?)?;
    let handle = generation.cancel_handle();
    let next = server.request(2, 1, 1)?;
    let submitted = Instant::now();
    let next = server.runtime.submit(next)?;
    let reader = thread::spawn(move || read(generation));
    #[allow(clippy::disallowed_methods, reason = "a step tells nobody how far it is")]
    thread::sleep(wait);
    let asked = Instant::now();
    handle.cancel();
    let (ended, cancelled) = reader.join().map_err(|_| "the reader has panicked")?;
    let taken = submitted + finish(next)?.timings.queued;
    Ok(cancelled.then(|| Cancelled {
        silence: ended.saturating_duration_since(asked),
        free: taken.saturating_duration_since(asked),
    }))
}

/// When it ended, and whether by the cancel.
fn read(generation: Generation) -> (Instant, bool) {
    let mut cancelled = false;
    for event in generation.blocking() {
        if let Event::Finished(finished) = event {
            cancelled = finished.reason.as_str() == "cancelled";
            break;
        }
    }
    (Instant::now(), cancelled)
}
