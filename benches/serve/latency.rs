//! How steadily answers grow while a long prompt is computed beside them.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

use crate::Setting;
use crate::server::{Server, finish, is_text};
use llama_rs_benches::{Failure, Percentiles};
use llama_runtime::Generation;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Tokens of a stream before the prompt comes.
const BEFORE: usize = 12;
/// Tokens of the prompts of the streams.
const PROMPT: usize = 16;
/// The time of a step that is asked for, and the most tokens of one: the default, whole steps, the prompt in one piece.
const WAYS: [(Duration, u32); 3] =
    [(Duration::from_millis(50), 512), (Duration::from_secs(10), 512), (Duration::from_secs(10), 2048)];

/// What happened in one run.
struct Run {
    /// Between two tokens of a stream, before the prompt came.
    quiet: Vec<Duration>,
    /// The same while it was computed.
    disturbed: Vec<Duration>,
    /// From the submission of the prompt to its first token.
    first: Duration,
}

/// Streams beside which a long prompt arrives, with steps cut short and without.
pub(crate) fn latency(setting: &Setting) -> Result<(), Failure> {
    let (streams, prompt) = setting.scale.disturbed;
    println!("  {streams} streams, and a prompt of {prompt} tokens; times that passed, in ms");
    println!("  step time  step tokens   quiet p50  disturbed p50      p99      max  in quiet p50   first token");
    let servers = WAYS.map(|(time, tokens)| {
        Server::new(&setting.path, setting.threads, |config| {
            config.batch.step_time = time;
            config.batch.step_tokens = tokens;
        })
    });
    let mut runs: Vec<Vec<Run>> = WAYS.map(|_| Vec::new()).into();
    for round in 0..setting.rounds {
        for turn in 0..WAYS.len() {
            let way = if round % 2 == 0 { turn } else { WAYS.len() - 1 - turn };
            let server = servers[way].as_ref().map_err(ToString::to_string)?;
            runs[way].push(run(server, streams, prompt)?);
        }
    }
    for ((time, tokens), runs) in WAYS.into_iter().zip(runs) {
        let first = Percentiles::of(runs.iter().map(|run| run.first).collect()).at(50.0);
        let quiet = Percentiles::of(runs.iter().flat_map(|run| run.quiet.clone()).collect()).at(50.0);
        let disturbed = Percentiles::of(runs.into_iter().flat_map(|run| run.disturbed).collect());
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| disturbed.at(percent));
        println!(
            "  {:<11}{tokens:>11}{:>12.1}{:>15.1}{:>9.1}{:>9.1}{:>7.1} {:>5.1}{:>13.0}",
            format!("{time:?}"),
            quiet * 1000.0,
            p50 * 1000.0,
            p99 * 1000.0,
            max * 1000.0,
            p50 / quiet,
            p99 / quiet,
            first * 1000.0
        );
    }
    Ok(())
}

fn run(server: &Server, streams: usize, prompt: usize) -> Result<Run, Failure> {
    let (sender, begun) = sync_channel(streams);
    let mut handles = Vec::new();
    let mut readers = Vec::new();
    for number in 0..streams {
        let generation = server.runtime.submit(server.request(number, PROMPT, 1200)?)?;
        handles.push(generation.cancel_handle());
        let sender = sender.clone();
        readers.push(thread::spawn(move || read(generation, &sender)));
    }
    for _ in 0..streams {
        begun.recv().map_err(|_| "a stream ended too early")?;
    }
    let submitted = Instant::now();
    let finished = finish(server.runtime.submit(server.request(100, prompt, 1)?)?)?;
    let ended = Instant::now();
    handles.iter().for_each(llama_runtime::CancelHandle::cancel);
    let mut run = Run { quiet: Vec::new(), disturbed: Vec::new(), first: finished.timings.total };
    for reader in readers {
        let times = reader.join().map_err(|_| "a reader has panicked")?;
        for pair in times.windows(2) {
            let gap = pair[1].saturating_duration_since(pair[0]);
            if pair[1] <= submitted {
                run.quiet.push(gap);
            } else if pair[0] < ended {
                run.disturbed.push(gap);
            }
        }
    }
    Ok(run)
}

/// When each token came. Says when there are so many that a prompt may come.
fn read(generation: Generation, begun: &SyncSender<()>) -> Vec<Instant> {
    let mut times = Vec::new();
    for event in generation.blocking().filter(is_text) {
        drop(event);
        times.push(Instant::now());
        if times.len() == BEFORE {
            let _ = begun.send(());
        }
    }
    times
}
