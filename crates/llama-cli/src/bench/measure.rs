//! Every test in turn, its repetitions with our kernels on and off in turns: [`Measurement`].

use std::time::{Duration, Instant};

use llama_runtime::kernels_in_use;

use super::matrix::Case;
use super::options::Options;
use super::print::Printer;
use super::progress::Progress;
use super::rig::{Broken, Rig};
use super::row::Row;
use super::stop::Stop;
use super::subject::{self, Machine, Source, Subject};
use super::table::{self, Columns};
use crate::settings::Effective;

/// What holds for all tests.
#[derive(Debug)]
pub(super) struct Measurement<'a> {
    pub(super) effective: &'a Effective,
    pub(super) sources: Vec<Source>,
    /// States of our kernels.
    pub(super) variants: Vec<bool>,
    pub(super) repetitions: u32,
    pub(super) warm_up: bool,
    pub(super) delay: Duration,
    /// Most cells of a KV cache.
    pub(super) cells: Option<u32>,
    pub(super) stop: Stop,
    pub(super) progress: Progress,
}

/// One state of our kernels while a test is measured.
#[derive(Debug)]
struct Side {
    kernels: bool,
    /// The instructions that they use.
    isa: Option<&'static str>,
    rig: Rig,
    samples: Vec<Duration>,
}

impl Measurement<'_> {
    /// Measures and prints all of it, or until Ctrl+C.
    ///
    /// # Errors
    ///
    /// Why a test could not be measured; what was measured before is printed.
    pub(super) fn run(&mut self, cases: &[Case], printer: &mut Printer) -> anyhow::Result<()> {
        let mut rows = Vec::new();
        let measured = self.all(cases, printer, &mut rows);
        self.progress.clear();
        if measured.is_ok() || printer.has_begun() {
            printer.end(&if rows.is_empty() { Vec::new() } else { table::notes(&rows) })?;
        }
        measured
    }

    fn all(&mut self, cases: &[Case], printer: &mut Printer, rows: &mut Vec<Row>) -> anyhow::Result<()> {
        let (machine, columns) = (Machine::look(), Columns::of(cases));
        let mut subjects: Vec<Subject> = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            self.progress.test(number, cases.len(), case);
            if !subject::fits(&case.test, self.cells) {
                self.progress.skipped(case);
                continue;
            }
            if !self.delay.is_zero() {
                self.progress.waiting(self.delay.as_secs());
            }
            if self.stop.is_set() || !self.stop.wait_until(Instant::now() + self.delay) {
                break;
            }
            let (sides, broken) = match self.load(case, &mut subjects) {
                Ok(()) => self.measure(case, &subjects),
                Err(broken) => (Vec::new(), Some(broken)),
            };
            self.progress.clear();
            for (side, subject) in sides.iter().zip(&subjects).filter(|(side, _)| !side.samples.is_empty()) {
                let row = self.row(case, side, subject, &machine);
                printer.row(&table::object(&row)?, &columns.cells(&row))?;
                rows.push(row);
            }
            match broken {
                Some(Broken::Failed(error)) => return Err(error),
                Some(Broken::Stopped) => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Loads what this test needs, for each state of our kernels. The models of the test before are kept if they are the same.
    fn load(&self, case: &Case, subjects: &mut Vec<Subject>) -> Result<(), Broken> {
        let fit = subjects.len() == self.variants.len()
            && subjects.iter().zip(&self.variants).all(|(subject, kernels)| subject.is_for(&case.load, *kernels));
        if fit {
            return Ok(());
        }
        // Two models at once may be more than the memory holds.
        subjects.clear();
        for kernels in &self.variants {
            // A press while the one before was loaded.
            if self.stop.is_set() {
                return Err(Broken::Stopped);
            }
            let source = &self.sources[case.load.model];
            self.progress.loading(&source.name());
            subjects.push(Subject::new(source, &case.load, *kernels, self.effective).map_err(Broken::Failed)?);
        }
        Ok(())
    }

    /// The repetitions of one test, as far as they came.
    fn measure(&self, case: &Case, subjects: &[Subject]) -> (Vec<Side>, Option<Broken>) {
        let mut sides = Vec::new();
        let broken = self.prepare(case, subjects, &mut sides).and_then(|()| {
            for repetition in 0..self.repetitions {
                for side in &mut sides {
                    self.progress.repetition(repetition, self.repetitions, side.kernels);
                    let spent = self.stoppable(side, Rig::run)?;
                    side.samples.push(spent);
                }
            }
            Ok(())
        });
        (sides, broken.err())
    }

    fn prepare(&self, case: &Case, subjects: &[Subject], sides: &mut Vec<Side>) -> Result<(), Broken> {
        for (subject, kernels) in subjects.iter().zip(&self.variants) {
            let context = subject.context(case, self.effective).map_err(Broken::Failed)?;
            subject::switch(*kernels);
            let (isa, rig) = (kernels_in_use(), Rig::new(context, case.test));
            sides.push(Side { kernels: *kernels, isa, rig, samples: Vec::new() });
        }
        for side in sides.iter_mut().filter(|_| self.warm_up) {
            self.progress.warming_up();
            self.stoppable(side, Rig::warm_up)?;
        }
        Ok(())
    }

    /// Computes with the kernels of this side until Ctrl+C.
    fn stoppable<T>(&self, side: &mut Side, work: impl FnOnce(&mut Rig) -> Result<T, Broken>) -> Result<T, Broken> {
        subject::switch(side.kernels);
        let abort = side.rig.context().abort_handle();
        let _guard = self.stop.ends(move || abort.abort());
        if self.stop.is_set() {
            return Err(Broken::Stopped);
        }
        work(&mut side.rig)
    }

    fn row(&self, case: &Case, side: &Side, subject: &Subject, machine: &Machine) -> Row {
        let facts = subject.model.facts();
        let context = side.rig.context();
        let mut row = Row::of(&case.test, Options::of(case, context.threads()), machine, side.isa);
        row.model_filename = self.sources[case.load.model].name();
        row.model_type.clone_from(&facts.description);
        row.model_size = facts.size;
        row.model_n_params = facts.n_params;
        row.measured(&side.samples, case.test.tokens());
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::args::ComputeArgs;
    use crate::bench::matrix;
    use clap::{Args, Command, FromArgMatches};

    #[test]
    fn no_model_is_loaded_after_ctrl_c() {
        let effective = Effective::default();
        let stop = Stop::default();
        let measurement = Measurement {
            effective: &effective,
            sources: vec![Source::File("missing.gguf".into())],
            variants: vec![false],
            repetitions: 1,
            warm_up: false,
            delay: Duration::ZERO,
            cells: None,
            stop: stop.clone(),
            progress: Progress::new(false),
        };
        let flags = ComputeArgs::augment_args(Command::new("bench")).get_matches_from(["bench"]);
        let case = &matrix::ways(&ComputeArgs::from_arg_matches(&flags).unwrap(), &effective, 1).unwrap()[0];
        let load = || measurement.load(case, &mut Vec::new());
        assert!(matches!(load(), Err(Broken::Failed(_))), "there is no such model");
        stop.set();
        assert!(matches!(load(), Err(Broken::Stopped)));
    }
}
