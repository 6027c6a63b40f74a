//! What the measuring programs are told, and what they print: ours, upstream's `llama-bench` and its `llama-batched-bench`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::child::{self, ProgramError};
use super::programs::Programs;
use super::results::{Measure, Side};

/// Far longer than one of them takes with any of our models.
const LIMIT: Duration = Duration::from_secs(300);

/// What is run on a file in one go.
#[derive(Debug, Clone)]
pub(crate) struct Job<'a> {
    pub(crate) model: &'a Path,
    /// Tokens of the prompt.
    pub(crate) prompt: u32,
    /// Steps of each answer.
    pub(crate) steps: u32,
    /// Sequences that are computed together; the first is 1.
    pub(crate) widths: &'a [usize],
    pub(crate) threads: u32,
}

/// Tokens of the prompt that every sequence has before it decodes, where there are several.
const BEFORE: u32 = 16;

/// One number of a job, in tokens per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    pub(crate) measure: Measure,
    pub(crate) width: usize,
    pub(crate) rate: f64,
}

/// A row of `bench -o json`, ours or upstream's `llama-bench`; only the names that both have, and ours.
#[derive(Debug, Deserialize)]
struct BenchRow {
    n_prompt: u32,
    n_gen: u32,
    samples_ts: Vec<f64>,
    n_parallel: Option<usize>,
    kernels: Option<String>,
}

/// A line of upstream's `llama-batched-bench --output-format jsonl`.
#[derive(Debug, Deserialize)]
struct BatchedRow {
    pl: usize,
    speed_tg: f64,
}

/// Runs a job on a side and adds the figures, those before an error too; upstream's part of it that no program is named for
/// is left out.
pub(crate) fn speeds(
    programs: &Programs,
    side: Side,
    job: &Job<'_>,
    into: &mut Vec<Speed>,
) -> Result<(), ProgramError> {
    let several: Vec<usize> = job.widths.iter().copied().filter(|width| *width > 1).collect();
    match side {
        Side::Upstream => upstreams(programs, job, &several, into),
        _ => ours(programs, side == Side::On, job, &several, into),
    }
}

/// A prompt and one sequence, then several.
fn ours(
    programs: &Programs,
    kernels: bool,
    job: &Job<'_>,
    several: &[usize],
    into: &mut Vec<Speed>,
) -> Result<(), ProgramError> {
    let Job { model, steps, threads, .. } = job;
    let state = if kernels { "on" } else { "off" };
    let command = |args: String| {
        let mut command = child::command(&programs.ours, &programs.home);
        command.args(["bench", "--kernels", state, "-m"]).arg(model).args(args.split(' '));
        command
    };
    into.extend(read(command(alone(job)), |text| of_bench(text, Some(state)))?);
    if !several.is_empty() {
        let widths = listed(several);
        let together = command(format!("-p 0 -n {steps} -d {BEFORE} -npl {widths} -t {threads} -r 1 -o json"));
        into.extend(read(together, |text| of_bench(text, Some(state)))?);
    }
    Ok(())
}

fn upstreams(programs: &Programs, job: &Job<'_>, several: &[usize], into: &mut Vec<Speed>) -> Result<(), ProgramError> {
    let Job { model, steps, threads, .. } = job;
    let command = |program, args: String| {
        let mut command = child::command(program, &programs.home);
        command.arg("-m").arg(model).args(args.split(' '));
        command
    };
    if let Some(program) = programs.upstream("LLAMA_BENCH_BIN") {
        into.extend(read(command(program, alone(job)), |text| of_bench(text, None))?);
    }
    if let Some(program) = programs.upstream("LLAMA_BATCHED_BENCH_BIN").filter(|_| !several.is_empty()) {
        let cells = several.iter().max().map_or(0, |most| *most * (BEFORE + steps) as usize);
        let args = format!(
            "-npp {BEFORE} -ntg {steps} -npl {} -c {cells} -b 2048 -ub 512 -t {threads} -tb {threads} --output-format jsonl",
            listed(several)
        );
        let lost =
            |speeds: &[Speed]| several.iter().copied().find(|width| speeds.iter().all(|one| one.width != *width));
        let mut found = read(command(program, args.clone()), of_batched_bench)?;
        if lost(&found).is_some() {
            // It prints from a thread of its own, and on a busy machine may end before its last line is out.
            found = read(command(program, args.clone()), of_batched_bench)?;
        }
        let lost = lost(&found);
        into.extend(found);
        if let Some(width) = lost {
            let line = child::shown(&command(program, args));
            return Err(child::not_understood(line, format!("twice without a line for {width} sequences")));
        }
    }
    Ok(())
}

/// What ours and upstream's `llama-bench` are told alike.
fn alone(job: &Job<'_>) -> String {
    format!("-p {} -n {} -t {} -r 1 -o json", job.prompt, job.steps, job.threads)
}

fn listed(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Runs a program and reads its output.
fn read(command: Command, parse: impl Fn(&str) -> Result<Vec<Speed>, String>) -> Result<Vec<Speed>, ProgramError> {
    let line = child::shown(&command);
    let finished = child::run(command, LIMIT)?;
    let speeds = parse(&finished.stdout).map_err(|why| child::not_understood(line.clone(), why))?;
    if speeds.is_empty() {
        return Err(child::not_understood(line, "there is no figure in it"));
    }
    Ok(speeds)
}

/// `kernels`: what every row has to say, so that nobody compares a thing with itself.
pub(crate) fn of_bench(text: &str, kernels: Option<&str>) -> Result<Vec<Speed>, String> {
    let rows: Vec<BenchRow> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut speeds = Vec::new();
    for row in rows {
        if let Some(wanted) = kernels.filter(|wanted| row.kernels.as_deref() != Some(wanted)) {
            return Err(format!("kernels were to be {wanted}, a row says {:?}", row.kernels));
        }
        let measure = match (row.n_prompt, row.n_gen) {
            (1.., 0) => Measure::Prefill,
            (0, 1..) => Measure::Decode,
            // A prompt and its answer as one figure.
            _ => continue,
        };
        let Some(rate) = middle(&row.samples_ts) else { return Err("a row has no samples".to_owned()) };
        speeds.push(Speed { measure, width: row.n_parallel.unwrap_or(1), rate });
    }
    Ok(speeds)
}

/// Reads lines that are objects; whatever else is printed does not matter.
pub(crate) fn of_batched_bench(text: &str) -> Result<Vec<Speed>, String> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| {
            let row: BatchedRow = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            Ok(Speed { measure: Measure::Decode, width: row.pl, rate: row.speed_tg })
        })
        .collect()
}

fn middle(samples: &[f64]) -> Option<f64> {
    super::statistics::Spread::of(samples).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_llama_bench_are_a_prompt_and_a_sequence() {
        let text = r#"[
          {"build_commit": "x", "model_type": "llama", "n_prompt": 256, "n_gen": 0, "n_depth": 0, "test_time": "t",
           "avg_ns": 1, "stddev_ns": 0, "avg_ts": 400.0, "stddev_ts": 1.0, "samples_ns": [1], "samples_ts": [400.0]},
          {"n_prompt": 0, "n_gen": 24, "n_depth": 0, "avg_ts": 30.0, "stddev_ts": 0.0, "samples_ts": [30.0, 10.0, 50.0]}
        ]"#;
        let speeds = of_bench(text, None).expect("two rows");
        let speed = |measure, rate| Speed { measure, width: 1, rate };
        assert_eq!(speeds, [speed(Measure::Prefill, 400.0), speed(Measure::Decode, 30.0)]);
    }

    #[test]
    fn rows_of_ours_have_to_say_what_the_kernels_were() {
        let text = r#"[{"n_prompt": 0, "n_gen": 8, "samples_ts": [90.0], "n_parallel": 4, "kernels": "off"}]"#;
        let speeds = of_bench(text, Some("off")).expect("a row");
        assert_eq!(speeds, [Speed { measure: Measure::Decode, width: 4, rate: 90.0 }]);
        assert!(of_bench(text, Some("on")).expect_err("they were off").contains("off"));
    }

    #[test]
    fn rows_of_batched_bench_stand_between_other_lines() {
        let text = "main: some line\n\n{\"n_kv_max\": 640, \"pp\": 16, \"tg\": 24, \"pl\": 8, \"n_kv\": 320, \"t_pp\": 0.1, \
                    \"speed_pp\": 1280.0, \"t_tg\": 0.5, \"speed_tg\": 384.0, \"t\": 0.6, \"speed\": 533.3}\nend\n";
        let speeds = of_batched_bench(text).expect("a row");
        assert_eq!(speeds, [Speed { measure: Measure::Decode, width: 8, rate: 384.0 }]);
        assert!(of_batched_bench("{\"pl\": 8").is_err());
        assert_eq!(of_batched_bench("nothing"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(of_bench("error: cannot load", None).is_err());
        assert!(of_bench(r#"[{"n_prompt": 1, "n_gen": 0, "samples_ts": []}]"#, None).is_err());
    }

    /// A folder with programs that print what they are given, and where they are.
    #[cfg(unix)]
    fn scripts(scripts: &[(&str, &str)]) -> (llama_testkit::fixtures::TempModels, Programs) {
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        for (name, script) in scripts {
            // Written by another process: a file that any thread here has open for writing cannot be started.
            let mut writer = Command::new("/bin/sh");
            writer.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"", "sh"]);
            writer.arg(folder.path().join(name)).arg(script);
            assert!(writer.status().expect("a shell").success());
        }
        let find = |name: &str| {
            let path = folder.path().join(name);
            path.is_file().then(|| path.into_os_string())
        };
        let own = folder.path().join("deps").join("compare");
        let programs = Programs::find(&own, folder.path(), find).expect("all are there");
        (folder, programs)
    }

    #[cfg(unix)]
    #[test]
    fn what_was_measured_before_a_failure_is_kept() {
        let rows = r#"echo '[{"n_prompt": 0, "n_gen": 12, "samples_ts": [7.5]}]'"#;
        let (folder, programs) = scripts(&[
            ("llama-cli", "exit 1"),
            ("LLAMA_BENCH_BIN", rows),
            ("LLAMA_BATCHED_BENCH_BIN", "echo no memory >&2; exit 3"),
        ]);
        let model = folder.path().join("model.gguf");
        let job = Job { model: &model, prompt: 8, steps: 12, widths: &[1, 4], threads: 1 };
        let mut found = Vec::new();
        let error = speeds(&programs, Side::Upstream, &job, &mut found).expect_err("status 3").to_string();
        assert_eq!(found, [Speed { measure: Measure::Decode, width: 1, rate: 7.5 }]);
        assert!(error.contains("| no memory") && error.contains("-npl 4 ") && error.contains("model.gguf"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_line_that_got_lost_is_measured_again() {
        let lost = r#"echo "{\"pl\": 2, \"speed_tg\": 5.0}"; [ -e again ] && echo "{\"pl\": 4, \"speed_tg\": 6.0}"; touch again"#;
        let (folder, programs) = scripts(&[("llama-cli", "exit 1"), ("LLAMA_BATCHED_BENCH_BIN", lost)]);
        let model = folder.path().join("model.gguf");
        let job = Job { model: &model, prompt: 8, steps: 12, widths: &[1, 2, 4], threads: 1 };
        let mut found = Vec::new();
        speeds(&programs, Side::Upstream, &job, &mut found).expect("the second time");
        assert_eq!(found.iter().map(|speed| speed.width).collect::<Vec<_>>(), [2, 4]);
    }

    #[cfg(unix)]
    #[test]
    fn a_line_that_is_lost_twice_is_an_error() {
        let lost = r#"echo "{\"pl\": 2, \"speed_tg\": 5.0}""#;
        let (folder, programs) = scripts(&[("llama-cli", "exit 1"), ("LLAMA_BATCHED_BENCH_BIN", lost)]);
        let model = folder.path().join("model.gguf");
        let job = Job { model: &model, prompt: 8, steps: 12, widths: &[1, 2, 4], threads: 1 };
        let mut found = Vec::new();
        let error = speeds(&programs, Side::Upstream, &job, &mut found).expect_err("no line for 4").to_string();
        assert!(error.contains("4 sequences"), "{error}");
        assert_eq!(found.iter().map(|speed| speed.width).collect::<Vec<_>>(), [2]);
    }
}
