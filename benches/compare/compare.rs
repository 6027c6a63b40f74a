//! Ours against upstream's programs, in turns in one run: `cargo bench --bench compare`, see `../README.md`.
//!
//! Every side is a process of its own, as a person would start it, on the same files with the same settings: ours with our
//! kernels, ours without them, and upstream's where variables name its programs. Results are kept in a file; the tables and
//! plots of `docs/performance.md` are drawn from it. What our types cost beside raw calls is not measured here, but by the
//! other benchmarks.
#![allow(clippy::print_stdout, reason = "a benchmark's result is its output")]

mod chart;
mod child;
mod client;
mod docs;
mod goals;
mod group;
mod memory;
mod options;
mod plots;
mod programs;
mod results;
mod run;
mod server;
mod serving;
mod single;
mod speeds;
mod start;
mod statistics;
mod svg;
mod tables;
mod tools;
mod workload;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use llama_testkit::fixtures::TempModels;
use options::{Options, Task};
use programs::Programs;
use results::{Results, Section};
use run::Run;

use crate::Failure;
use crate::models::Shape;
use crate::neighbour;

/// Does what the command line asks for. The exit code is 1 for a command line that is not understood, programs that are not
/// where they should be, files that cannot be written, and when a program failed while it was measured: that one is told and
/// left out, and the others go on.
pub fn main() -> ExitCode {
    asked().unwrap_or_else(|error| {
        complain(&format!("error: {error}"));
        ExitCode::FAILURE
    })
}

fn asked() -> Result<ExitCode, Failure> {
    let options = Options::parse(env::args().skip(1))?;
    match &options.task {
        Task::Help => say(Options::usage().trim_end()),
        Task::Nothing => say("nothing is measured without cargo bench"),
        Task::Spin => neighbour::spin(),
        Task::Models => models(&options)?,
        Task::Draw(file) => docs::draw(&Results::load(file.as_deref().unwrap_or(&kept()))?, &top())?,
        Task::Measure => return measure(&options),
    }
    Ok(ExitCode::SUCCESS)
}

/// The top of the workspace.
fn top() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The results that the documents show.
fn kept() -> PathBuf {
    top().join("docs").join("performance.json")
}

fn models(options: &Options) -> Result<(), Failure> {
    let shapes = if options.shapes.is_empty() { Shape::ALL.to_vec() } else { options.shapes() };
    for shape in shapes {
        for file_type in if options.types.is_empty() { crate::models::TYPES.to_vec() } else { options.types() } {
            say(&format!("{} {} {}", shape.name(), file_type.name, shape.file(file_type)?.display()));
        }
    }
    Ok(())
}

/// What measures a section.
type Measuring = fn(&mut Run<'_>) -> Result<(), Failure>;

fn measure(options: &Options) -> Result<ExitCode, Failure> {
    group::end_all_on_interrupt()?;
    let home = TempModels::new()?;
    let programs = Programs::find(&env::current_exe()?, home.path(), |name| env::var_os(name))?;
    programs.left_out().for_each(|sentence| say(&sentence));
    let own_file = options.out.as_deref().map(std::path::absolute).transpose()?;
    let keep = own_file.clone().or_else(|| (!options.quick).then(kept));
    let mut run = Run::new(options, &programs, keep)?;
    let sections: [(Section, Measuring); 4] = [
        (Section::Start, start::measure),
        (Section::Single, single::measure),
        (Section::Serving, serving::measure),
        (Section::Speeds, speeds::measure),
    ];
    for (section, measure) in sections {
        if options.wants(section) {
            measure(&mut run)?;
        }
    }
    run.finish()?;
    say(&tables::all(&run.results));
    if !options.quick && own_file.is_none() {
        docs::draw(&run.results, &top())?;
    }
    Ok(if run.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say(text: &str) {
    println!("{text}");
}

fn complain(text: &str) {
    eprintln!("{text}");
}
