//! A job at work: the threads, the records, and the end: [`Job`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context, anyhow};
use llama_runtime::Runtime;

use super::entry::Parser;
use super::journal::Journal;
use super::pool::{Pool, Stop};
use super::progress::Progress;
use super::source::Source;
use super::worker::{self, Answered};
use crate::exit::{self, Ended};
use crate::interrupt::{Interrupts, leave};
use crate::ui;

/// A job that is ready to begin.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) journal: Journal,
    pub(super) progress: Progress,
    pub(super) pool: Arc<Pool>,
    pub(super) workers: usize,
    /// What answers, for the records.
    pub(super) model: String,
    pub(super) quiet: bool,
    pub(super) ordered: bool,
}

impl Job {
    /// Reads, answers and writes to the end.
    ///
    /// # Errors
    ///
    /// Why the job could not go on, or [`Ended`].
    pub(super) fn run(
        mut self,
        source: Source,
        parser: Parser,
        runtime: &Runtime,
        interrupts: &Interrupts,
    ) -> anyhow::Result<()> {
        self.listen(interrupts);
        self.read(source, parser)?;
        let written = self.answer(runtime);
        // From here on there is nothing to finish.
        interrupts.idle(exit::INTERRUPTED);
        self.progress.end();
        let synced = written.and_then(|()| self.journal.sync());
        self.end(synced)
    }

    fn listen(&self, interrupts: &Interrupts) {
        let (pool, bar, quiet) = (Arc::clone(&self.pool), self.progress.bar(), self.quiet);
        interrupts.telling(move |presses| match presses {
            1 => {
                let left = pool.stop(Stop::Drain);
                if !quiet {
                    let text = format!("Finishing {left} answers that have begun; Ctrl+C again stops at once.");
                    bar.suspend(|| ui::note(&text));
                }
            }
            2 => {
                pool.stop(Stop::Now);
            }
            // Whatever keeps the job from ending, the file is as good as after a kill.
            _ => leave(exit::INTERRUPTED),
        });
    }

    /// A thread of its own, which nobody waits for: a pipe may never say anything again.
    fn read(&self, source: Source, parser: Parser) -> anyhow::Result<()> {
        let pool = Arc::clone(&self.pool);
        let read = move || match source.each(|input, format, line| pool.push(parser.entry(input, format, line))) {
            Ok(()) => pool.end(),
            // What was read before is good.
            Err(error) => pool.fail(error, Stop::Drain),
        };
        thread::Builder::new().name("read".into()).spawn(read).context("cannot start a thread")?;
        Ok(())
    }

    fn answer(&mut self, runtime: &Runtime) -> anyhow::Result<()> {
        let pool = Arc::clone(&self.pool);
        let (answers, answered) = sync_channel(self.workers);
        thread::scope(|scope| {
            for number in 0..self.workers {
                let (pool, answers) = (&pool, answers.clone());
                let work = move || worker::work(pool, runtime, &answers);
                let started = thread::Builder::new().name(format!("answer-{number}")).spawn_scoped(scope, work);
                if let Err(error) = started {
                    pool.fail(anyhow!(error).context("cannot start a thread"), Stop::Now);
                }
            }
            drop(answers);
            let written = self.write(&answered);
            if written.is_err() {
                pool.stop(Stop::Now);
            }
            // Workers that have something to send see that nobody takes it.
            drop(answered);
            written
        })
    }

    fn write(&mut self, answered: &Receiver<Answered>) -> anyhow::Result<()> {
        // Of ordered records: those that came before their turn, at most as many as are read ahead.
        let mut early: BTreeMap<u64, Answered> = BTreeMap::new();
        let mut next = 0;
        for answer in answered {
            if !self.ordered {
                self.record(answer)?;
                continue;
            }
            early.insert(answer.order, answer);
            while let Some(answer) = early.remove(&next) {
                self.record(answer)?;
                next += 1;
            }
        }
        // The job was stopped, and one between them was not finished.
        early.into_values().try_for_each(|answer| self.record(answer))
    }

    fn record(&mut self, answer: Answered) -> anyhow::Result<()> {
        let Answered { key, shape, bytes, outcome, .. } = answer;
        let (usage, failed) = (outcome.usage(), outcome.failed());
        self.journal.write(shape.record(key, outcome, &self.model))?;
        self.progress.count(usage, failed);
        self.pool.written(bytes);
        Ok(())
    }

    /// Says what was done, and how the program ends.
    fn end(self, written: anyhow::Result<()>) -> anyhow::Result<()> {
        let closed = |error: &anyhow::Error| {
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if let Err(error) = &written
            && closed(error)
        {
            return written;
        }
        if !self.quiet {
            ui::note(&self.progress.summary());
        }
        written?;
        let how = match &self.journal {
            Journal::File { .. } => "go on with --resume",
            Journal::Stdout | Journal::Special { .. } => "with --output FILE, a job can go on later with --resume",
        };
        if let Some(error) = self.pool.failure() {
            return Err(error.context(format!("the job could not go on ({how})")));
        }
        if !self.pool.is_through() {
            if !self.quiet {
                ui::note(&format!("Interrupted: {how}."));
            }
            return Err(Ended(exit::INTERRUPTED).into());
        }
        if self.progress.all_failed() > 0 { Err(Ended(exit::SOME_FAILED).into()) } else { Ok(()) }
    }
}
