//! What a soak came to, for people: [`Report`].

use std::fmt;
use std::time::Duration;

use llama_runtime::ModelStats;

use crate::board::State;

pub(crate) struct Report<'r> {
    pub(crate) name: &'r str,
    pub(crate) took: Duration,
    pub(crate) clients: &'r State,
    pub(crate) stats: &'r ModelStats,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, took, clients, stats } = self;
        let (totals, engine) = (&stats.totals, &stats.engine);
        let a_second = |count: u64| count as f64 / took.as_secs_f64();
        writeln!(f, "{name}: {} requests in {took:.1?}, {:.1}/s", totals.accepted, a_second(totals.accepted))?;
        writeln!(f, "  ends {:?}, {} streams dropped", clients.ends, clients.dropped)?;
        writeln!(f, "  refused {:?}, {} for what they asked", clients.overload, clients.invalid)?;
        writeln!(f, "  {} whole answers with a structure", clients.shaped)?;
        writeln!(
            f,
            "  tokens/s: {:.0} generated, {:.0} of prompts",
            a_second(totals.generated_tokens),
            a_second(totals.prompt_tokens)
        )?;
        writeln!(f, "  first token {}", quantiles(&clients.first_token))?;
        writeln!(f, "  from a cancel to the end {}", quantiles(&clients.silence))?;
        writeln!(
            f,
            "  prompt tokens: {} asked, {} reused ({:.0} %), {} computed",
            totals.prompt_tokens,
            totals.reused_tokens,
            100.0 * totals.reused_tokens as f64 / totals.prompt_tokens.max(1) as f64,
            engine.prompt_computed,
        )?;
        writeln!(f, "  {} parkings, {} KiB of host memory at the end", engine.parkings, engine.host_bytes / 1024)?;
        let [first, second, third] = thirds(&clients.memory).map(mebibytes);
        let peak = mebibytes(clients.memory.iter().copied().max().unwrap_or(0));
        write!(f, "  memory of the thirds {first:.1}, {second:.1}, {third:.1} MiB; peak {peak:.1} MiB")
    }
}

/// The mean of each third; zeros where nothing was measured.
pub(crate) fn thirds(samples: &[u64]) -> [u64; 3] {
    let part = samples.len() / 3;
    [0, 1, 2].map(|third| {
        let part = &samples[third * part..(third + 1) * part];
        part.iter().sum::<u64>() / (part.len() as u64).max(1)
    })
}

/// Half of them are not longer than the first, and 99 of 100 not longer than the second.
pub(crate) fn quantiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() as f64 - 1.0) * share).round().max(0.0) as usize);
    match (at(0.5), at(0.99)) {
        (Some(half), Some(most)) => format!("p50 {half:.1?}, p99 {most:.1?} ({} of them)", times.len()),
        _ => "none".to_owned(),
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
