//! Decoding one to sixteen sequences, and prompts, for every type and both shapes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::results::{Case, Measure, Section, Side};
use super::run::{Run, turns};
use super::tools::{self, Job};
use super::{memory, say};
use crate::Failure;
use crate::models::{self, FileType, Shape};

/// Sequences decoded together.
pub(crate) const WIDTHS: [usize; 6] = [1, 2, 3, 4, 8, 16];
const QUICK_WIDTHS: [usize; 4] = [1, 2, 4, 8];

struct File {
    shape: Shape,
    file_type: FileType,
    path: PathBuf,
}

impl File {
    fn name(&self) -> String {
        format!("{}/{}", self.shape.name(), self.file_type.name)
    }

    /// Tokens of the prompt and steps of the answers: half a second of work together, about.
    fn amount(&self) -> (u32, u32) {
        match self.shape {
            Shape::Small => (256, 12),
            Shape::Large => (128, 6),
        }
    }
}

pub(crate) fn measure(run: &mut Run<'_>) -> Result<(), Failure> {
    let mut files = Vec::new();
    for shape in run.options.shapes() {
        for file_type in run.options.types() {
            files.push(File { shape, file_type, path: shape.file(file_type)? });
        }
    }
    run.begin(Section::Speeds);
    for file in &files {
        run.results.step_bytes.insert(file.name(), models::bytes_of_a_step(&file.path)?);
    }
    let mut rounds = run.rounds(Section::Speeds);
    for threads in BTreeSet::from([1, run.options.threads]) {
        let found = memory::bandwidth_of_memory(threads);
        say(&format!("  {threads} threads read {:.1} GB/s", found / 1e9));
        if let Some(how) = run.results.last_run(Section::Speeds) {
            how.memory.insert(threads, found);
        }
    }
    while let Some(round) = rounds.next() {
        for file in &files {
            one_round(run, file, round);
        }
        run.save()?;
    }
    Ok(())
}

fn one_round(run: &mut Run<'_>, file: &File, round: usize) {
    let upstream =
        ["LLAMA_BENCH_BIN", "LLAMA_BATCHED_BENCH_BIN"].iter().any(|name| run.programs.upstream(name).is_some());
    let sides = [Side::On, Side::Off, Side::Upstream];
    let sides = if upstream { &sides[..] } else { &sides[..2] };
    let (prompt, steps) = file.amount();
    let widths = if run.options.quick { &QUICK_WIDTHS[..] } else { &WIDTHS };
    let job = Job { model: &file.path, prompt, steps, widths, threads: run.options.threads };
    for side in turns(sides, round) {
        run.attempt(side, &file.name(), |run| {
            let mut speeds = Vec::new();
            let result = tools::speeds(run.programs, side, &job, &mut speeds);
            for speed in speeds {
                let case = Case::new(speed.measure, file.shape.name(), file.file_type.name, speed.width);
                run.results.push(case, side, round, speed.rate);
            }
            Ok(result?)
        });
    }
    let ratio = |measure, width| {
        let case = Case::new(measure, file.shape.name(), file.file_type.name, width);
        let of = |side| {
            run.results.ratio(&case, Side::On, side).map_or("-".to_owned(), |ratio| format!("{:.2}", ratio.median))
        };
        format!("{}/{}", of(Side::Off), of(Side::Upstream))
    };
    let decode: Vec<String> =
        widths.iter().map(|width| format!("{width}: {}", ratio(Measure::Decode, *width))).collect();
    say(&format!(
        "  round {}, {}: kernels on to off/upstream, decoding {}, prompt {}",
        round + 1,
        file.name(),
        decode.join("  "),
        ratio(Measure::Prefill, 1)
    ));
}
