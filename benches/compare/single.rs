//! One answer through the whole program against the bare loop of its `bench`.

use std::time::Duration;

use serde::Deserialize;

use super::child;
use super::results::{Case, Measure, Section, Side};
use super::run::{Run, turns};
use super::tools;
use crate::Failure;
use crate::models::{Shape, TYPES};

const LIMIT: Duration = Duration::from_secs(120);
const STEPS: &str = "96";

/// What `run --json` prints, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Printed {
    usage: Usage,
    timings: Timings,
}

#[derive(Debug, Deserialize)]
struct Usage {
    completion_tokens: u32,
}

#[derive(Debug, Deserialize)]
struct Timings {
    /// From the first token to the end.
    generation_ms: f64,
}

pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let shape = Shape::Small;
    let model = shape.file(TYPES[0])?;
    run.begin(Section::Single);
    let case = Case::new(Measure::Single, shape.name(), TYPES[0].name, 1);
    let mut rounds = run.rounds(Section::Single);
    while let Some(round) = rounds.next() {
        for side in turns(&[Side::On, Side::Bare], round) {
            run.attempt(side, "single", |run| {
                let mut command = child::command(&run.programs.ours, &run.programs.home);
                command.arg(if side == Side::Bare { "bench" } else { "run" }).arg("-m").arg(&model);
                command.args(["-n", STEPS, "-t", &run.options.threads.to_string(), "--kernels", "on"]);
                if side == Side::Bare {
                    command.args(["-p", "0", "-r", "1", "-o", "json"]);
                } else {
                    command.args(["--raw", "-p", "x", "--temp", "0", "--ignore-eos", "--json"]);
                }
                let line = child::shown(&command);
                let printed = child::run(command, LIMIT)?.stdout;
                let rate = rate(side, &printed).map_err(|why| child::not_understood(line, why))?;
                run.results.push(case.clone(), side, round, rate);
                Ok(())
            });
        }
        run.save()?;
    }
    Ok(())
}

fn rate(side: Side, printed: &str) -> Result<f64, String> {
    if side == Side::Bare {
        let speeds = tools::of_bench(printed, Some("on"))?;
        let decode = speeds.iter().find(|speed| speed.measure == Measure::Decode);
        return decode.map(|speed| speed.rate).ok_or_else(|| "there is no row of decoding".to_owned());
    }
    let printed: Printed = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    // The first token was there already when the time began.
    let steps = f64::from(printed.usage.completion_tokens.saturating_sub(1));
    Ok(steps * 1e3 / printed.timings.generation_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_have_a_rate() {
        let run = r#"{"text": "a", "usage": {"completion_tokens": 21}, "timings": {"generation_ms": 100.0}}"#;
        assert_eq!(rate(Side::On, run), Ok(200.0));
        let bench = r#"[{"n_prompt": 0, "n_gen": 96, "samples_ts": [201.0], "kernels": "on"}]"#;
        assert_eq!(rate(Side::Bare, bench), Ok(201.0));
        assert!(rate(Side::Bare, "[]").is_err());
    }
}
