//! Clients that share a prefix: through our runtime (`bench --serve-like`) and through upstream's server with the best of some
//! settings; alone on the machine and beside a process that keeps a core busy.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::results::{Case, Measure, Section, Side};
use super::run::{Run, turns};
use super::server::{Served, Server};
use super::workload::{Size, Workload};
use super::{child, say};
use crate::Failure;
use crate::models::{Shape, TYPES};
use crate::neighbour::Neighbour;

const LIMIT: Duration = Duration::from_secs(180);
const N_VOCAB: u32 = 102_400;
const FULL: Size =
    Size { clients: 8, requests: 32, shared_prefix: 256, own: [8, 32, 16, 24], answers: [16, 32, 48, 32] };
const QUICK: Size = Size { requests: 16, ..FULL };

/// What our program prints, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Printed {
    kernels: String,
    errors: usize,
    median_ts: f64,
    ttft_ms_p50: f64,
    itl_ms_p50: f64,
    itl_ms_p99: f64,
}

struct Setting {
    model: PathBuf,
    workload: Workload,
    /// The same as a file.
    file: PathBuf,
}

pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let model = Shape::Small.file(TYPES[0])?;
    run.begin(Section::Serving);
    let workload = Workload::new(if run.options.quick { &QUICK } else { &FULL }, N_VOCAB);
    let file = run.programs.home.join("workload.json");
    workload.write(&file)?;
    run.note(
        Section::Serving,
        format!(
            "{} clients send {} requests, each when the last is answered: {} tokens in common and 8 to 32 of its own, answers of \
             16 to 48 tokens, {} in all",
            workload.clients,
            workload.requests.len(),
            workload.shared_prefix,
            workload.answer_tokens()
        ),
    );
    let setting = Setting { model, workload, file };
    let mut rounds = run.rounds(Section::Serving);
    let upstream = run.programs.upstream("LLAMA_SERVER_BIN").map(Path::to_owned);
    // With a core taken away, other settings may be the best ones.
    let mut best = [None, None];
    if let Some(program) = &upstream {
        for (busy, best) in [false, true].into_iter().zip(&mut best) {
            *best = run.attempt(Side::Upstream, work(busy), |run| choose(run, program, &setting, busy));
            run.save()?;
        }
    }
    while let Some(round) = rounds.next() {
        for busy in [false, true] {
            for side in turns(&[Side::On, Side::Off, Side::Upstream], round) {
                let chosen = upstream.as_deref().zip(best[usize::from(busy)].as_deref());
                if side == Side::Upstream && chosen.is_none() {
                    continue;
                }
                run.attempt(side, work(busy), |run| {
                    let _neighbour = busy.then(Neighbour::start).transpose()?;
                    let served = match chosen.filter(|_| side == Side::Upstream) {
                        Some((program, args)) => upstreams(run, program, &setting, args)?,
                        None => ours(run, &setting, side == Side::On)?,
                    };
                    for (measure, sample) in samples(served) {
                        run.results.push(case(measure, busy), side, round, sample);
                    }
                    Ok(())
                });
            }
        }
        run.save()?;
        tell(run, round);
    }
    Ok(())
}

fn case(measure: Measure, busy: bool) -> Case {
    Case { neighbour: busy, ..Case::new(measure, Shape::Small.name(), TYPES[0].name, FULL.clients) }
}

/// What a side is left out of when it fails.
fn work(busy: bool) -> &'static str {
    if busy { "serving beside a neighbour" } else { "serving" }
}

fn samples(served: Served) -> [(Measure, f64); 4] {
    let Served { rate, first, gaps: [gap, long_gap] } = served;
    [
        (Measure::ServeRate, rate),
        (Measure::ServeFirst, first),
        (Measure::ServeGap, gap),
        (Measure::ServeLongGap, long_gap),
    ]
}

fn tell(run: &Run<'_>, round: usize) {
    for busy in [false, true] {
        let of = |side| {
            let ratio = run.results.ratio(&case(Measure::ServeRate, busy), Side::On, side);
            ratio.map_or("-".to_owned(), |ratio| ratio.to_string())
        };
        let beside = if busy { ", beside a neighbour" } else { "" };
        say(&format!(
            "  round {}{beside}: tok/s on to off {}, to upstream {}",
            round + 1,
            of(Side::Off),
            of(Side::Upstream)
        ));
    }
}

fn ours(run: &Run<'_>, setting: &Setting, kernels: bool) -> Result<Served, Failure> {
    let state = if kernels { "on" } else { "off" };
    let mut command = child::command(&run.programs.ours, &run.programs.home);
    command.args(["bench", "--serve-like", "--kernels", state, "-o", "json", "-m"]).arg(&setting.model);
    command.arg("--workload").arg(&setting.file).args(["-t", &run.options.threads.to_string()]);
    let line = child::shown(&command);
    let printed = child::run(command, LIMIT)?.stdout;
    Ok(of_ours(&printed, state).map_err(|why| child::not_understood(line, why))?)
}

fn of_ours(printed: &str, kernels: &str) -> Result<Served, String> {
    let rows: Vec<Printed> = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    let [row] = &rows[..] else { return Err(format!("{} rows instead of one", rows.len())) };
    if row.kernels != kernels {
        return Err(format!("kernels were to be {kernels}, the row says {}", row.kernels));
    }
    if row.errors > 0 {
        return Err(format!("{} requests failed", row.errors));
    }
    Ok(Served { rate: row.median_ts, first: row.ttft_ms_p50, gaps: [row.itl_ms_p50, row.itl_ms_p99] })
}

/// Starts the server, has every client compute the prefix once, and then measures.
fn upstreams(run: &Run<'_>, program: &Path, setting: &Setting, args: &[String]) -> Result<Served, Failure> {
    let server = Server::start(program, &run.programs.home, &setting.model, args)?;
    let (server, _) = server.drive(&setting.workload.warm_up())?;
    let (_, served) = server.drive(&setting.workload)?;
    Ok(served)
}

/// The settings with which upstream's server answers the fastest, as far as there is time to try them: a sixth of the section's
/// for each of the two cases, then no other is begun.
fn choose(run: &mut Run<'_>, program: &Path, setting: &Setting, busy: bool) -> Result<Vec<String>, Failure> {
    let mut tried = Vec::new();
    let mut last_error = None;
    let mut settings = settings(&setting.workload, run.options.threads);
    if busy {
        // Beside a neighbour the one with a thread less is the likeliest.
        settings.reverse();
    }
    let end = Instant::now() + run.options.time_for(Section::Serving) / 6;
    for args in settings {
        if !tried.is_empty() && Instant::now() > end {
            break;
        }
        let _neighbour = busy.then(Neighbour::start).transpose()?;
        match upstreams(run, program, setting, &args) {
            Ok(served) => tried.push((served.rate, args)),
            // Other versions may not know a flag.
            Err(error) => last_error = Some(error),
        }
    }
    tried.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let Some((_, best)) = tried.first().cloned() else {
        return Err(last_error.unwrap_or_else(|| "there are no settings".into()));
    };
    let list: Vec<String> = tried.iter().map(|(rate, args)| format!("`{}` {rate:.0} tok/s", args.join(" "))).collect();
    let beside = if busy { " beside a neighbour" } else { "" };
    run.note(Section::Serving, format!("upstream's settings{beside}, the best first: {}", list.join("; ")));
    if let Some(error) = last_error {
        run.note(Section::Serving, format!("one of upstream's settings failed: {}", first_line(&error.to_string())));
    }
    Ok(best)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Settings to try: continuous batching and prompt caching always; one cache or one for each; one thread less.
fn settings(workload: &Workload, threads: u32) -> Vec<Vec<String>> {
    let clients = workload.clients;
    let cells = clients * (workload.longest() + 8).next_multiple_of(64);
    let base = format!("-np {clients} -cb --cache-prompt -c {cells}");
    let mut lines = vec![
        format!("{base} -kvu -t {threads} -tb {threads}"),
        format!("{base} -no-kvu -t {threads} -tb {threads}"),
        format!("{base} -no-kvu -fa off -t {threads} -tb {threads}"),
    ];
    if threads > 1 {
        lines.push(format!("{base} -no-kvu -t {} -tb {threads}", threads - 1));
    }
    lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_program_says_what_it_served_and_with_which_kernels() {
        let row = r#"[{"test": "serve-like", "kernels": "on", "errors": 0, "median_ts": 900.0, "ttft_ms_p50": 30.0,
                       "itl_ms_p50": 8.0, "itl_ms_p99": 20.0}]"#;
        assert_eq!(of_ours(row, "on"), Ok(Served { rate: 900.0, first: 30.0, gaps: [8.0, 20.0] }));
        let failed = row.replace("\"errors\": 0", "\"errors\": 2");
        assert_eq!(of_ours(&failed, "on"), Err("2 requests failed".to_owned()));
        assert!(of_ours(row, "off").is_err() && of_ours("[]", "on").is_err());
    }

    #[test]
    fn every_setting_has_room_for_all_clients() {
        let all = settings(&Workload::new(&FULL, N_VOCAB), 2);
        assert_eq!(all.len(), 4);
        for args in all {
            let at = args.iter().position(|arg| arg == "-c").expect("cells");
            let cells: usize = args[at + 1].parse().expect("a number");
            assert!(cells >= 8 * (256 + 32 + 48 + 8), "{cells}");
        }
    }
}
