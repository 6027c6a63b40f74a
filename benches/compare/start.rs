//! Whole processes: the demo model is loaded, answers with one token, and the process ends.

use std::process::Command;
use std::time::Duration;

use llama_testkit::golden;

use super::child;
use super::results::{Case, Measure, Section, Side};
use super::run::{Run, turns};
use crate::Failure;

const LIMIT: Duration = Duration::from_secs(30);
const PROMPT: &str = "Who are you?";
/// The demo model's first token, of the chat that its template makes of the prompt.
const ANSWER: &str = "I";
/// Processes of each side in a round.
const AT_ONCE: usize = 5;

pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    run.begin(Section::Start);
    let named = [(Side::Upstream, "LLAMA_COMPLETION_BIN"), (Side::UpstreamCli, "LLAMA_UPSTREAM_CLI_BIN")];
    let named = named.into_iter().filter(|(_, name)| run.programs.upstream(name).is_some()).map(|(side, _)| side);
    let sides: Vec<Side> = [Side::On, Side::Off].into_iter().chain(named).collect();
    let case = Case::new(Measure::Start, "demo", "q8_0", 1);
    let mut rounds = run.rounds(Section::Start);
    while let Some(round) = rounds.next() {
        for again in 0..AT_ONCE {
            for side in turns(&sides, round) {
                run.attempt(side, "start", |run| {
                    let command = command(run, side);
                    let line = child::shown(&command);
                    let finished = child::run(command, LIMIT)?;
                    if !answers(side, &finished.stdout) {
                        return Err(child::not_understood(line, format!("no line is `{ANSWER}`")).into());
                    }
                    let took = finished.took;
                    run.results.push(case.clone(), side, round * AT_ONCE + again, took.as_secs_f64() * 1e3);
                    Ok(())
                });
            }
        }
        run.save()?;
    }
    Ok(())
}

/// Whether the token is there: upstream's `llama-cli` prints more than its answer, and a program that answered nothing did less
/// than the others.
///
/// Upstream's `llama-completion` writes through a thread that it does not always wait for at its end: seen, a fifth of the processes computed the answer and printed nothing.
fn answers(side: Side, printed: &str) -> bool {
    let lost = side == Side::Upstream && printed.trim().is_empty();
    lost || printed.lines().any(|line| line.trim() == ANSWER)
}

/// A process of a side that writes one token, the prompt being put into the template of the model on every side.
fn command(run: &Run<'_>, side: Side) -> Command {
    let upstream = match side {
        Side::Upstream => run.programs.upstream("LLAMA_COMPLETION_BIN"),
        Side::UpstreamCli => run.programs.upstream("LLAMA_UPSTREAM_CLI_BIN"),
        _ => None,
    };
    let mut command = child::command(upstream.unwrap_or(&run.programs.ours), &run.programs.home);
    match side {
        Side::Upstream | Side::UpstreamCli => _ = command.args(["-st", "--no-display-prompt"]),
        Side::On => _ = command.args(["run", "--kernels", "on"]),
        _ => _ = command.args(["run", "--kernels", "off"]),
    }
    command.arg("-m").arg(golden::demo_model_path()).args(["-p", PROMPT, "-n", "1", "--temp", "0"]);
    command.args(["-t", &run.options.threads.to_string()]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_line_of_its_own() {
        let ours = |printed| answers(Side::On, printed);
        assert!(ours("I\n") && ours("banner\n\n> Who are you?\n I\n\n[ Prompt: 1 t/s ]\n"));
        assert!(!ours("") && !ours("Who are you? [end of text]\n") && !ours("Info\n"));
        assert!(answers(Side::Upstream, "\n") && !answers(Side::Upstream, "Info\n"));
    }
}
