//! All inputs of a job but those that have a record: [`Source`].

use anyhow::{Context, bail};

use super::done::{Done, Found};
use super::input::{Format, Input};
use super::lines::Line;

/// All inputs of a job.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) inputs: Vec<Input>,
    /// Those that have a record.
    pub(super) done: Done,
    /// The file of records, for messages.
    pub(super) output: String,
}

impl Source {
    /// Reads all inputs once, to see that they are those of the records, and how many have none.
    ///
    /// # Errors
    ///
    /// What is not as it was.
    pub(super) fn verify(&self) -> anyhow::Result<u64> {
        let mut new = 0;
        self.each(|_, _, _| {
            new += 1;
            true
        })?;
        Ok(new)
    }

    /// Visits every input without a record, in order, until `visit` has seen enough.
    ///
    /// # Errors
    ///
    /// What cannot be read, or is not what was read before.
    pub(super) fn each(&self, mut visit: impl FnMut(&Input, Format, Line) -> bool) -> anyhow::Result<()> {
        let mut found = 0;
        for input in &self.inputs {
            let mut reading = input.open()?;
            while let Some(line) = reading.next().with_context(|| format!("cannot read {}", input.name()))? {
                match self.done.find(input.number, line.number, line.print) {
                    Found::Done => found += 1,
                    Found::Changed => return self.changed(input, line.number),
                    Found::New if !visit(input, reading.format, line) => return Ok(()),
                    Found::New => {}
                }
            }
        }
        if found < self.done.len() {
            bail!(
                "{} has records ({}) of prompts that are not in the input; give the files that the job was begun with, \
                 in the same order, or start anew with --overwrite",
                self.output,
                self.done.len() - found
            );
        }
        Ok(())
    }

    fn changed(&self, input: &Input, line: u64) -> anyhow::Result<()> {
        bail!(
            "line {line} of {} is not what it was when its record in {} was written; restore the file (files come in the \
             same order, and --lines is as it was), or start anew with --overwrite",
            input.name(),
            self.output
        )
    }
}
