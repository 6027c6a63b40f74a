//! One run of the comparison: what all sections need, what failed, and for how long a section goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::options::Options;
use super::programs::Programs;
use super::results::{How, Results, Section, Side};
use crate::{Failure, load_warning};

/// See the module.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    pub(crate) programs: &'a Programs,
    pub(crate) results: Results,
    /// Where results are kept; nowhere in a quick run that names no file.
    keep: Option<PathBuf>,
    upstream: Option<String>,
    /// Before anything was measured: later it would be the load of the measurement itself.
    load: Option<f64>,
    failures: usize,
    section: Option<Section>,
    /// Sides that failed, with the piece of work that they failed at: they are not tried again.
    dropped: BTreeSet<(Side, String)>,
}

impl<'a> Run<'a> {
    /// Goes on with the results that are kept already: what is not measured anew stays.
    pub(crate) fn new(options: &'a Options, programs: &'a Programs, keep: Option<PathBuf>) -> Result<Self, Failure> {
        let load = load();
        if let Some(warning) = load_warning() {
            super::say(&format!("  {warning}"));
        }
        let there = keep.as_deref().filter(|path| path.is_file());
        let results = there.map(Results::load).transpose()?.unwrap_or_default();
        let upstream = programs.upstream_version();
        Ok(Self {
            options,
            programs,
            results,
            keep,
            upstream,
            load,
            failures: 0,
            section: None,
            dropped: BTreeSet::new(),
        })
    }

    /// Begins a section.
    pub(crate) fn begin(&mut self, section: Section) {
        super::say(&format!("\n{}", section.name()));
        let how = How {
            processor: processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads: self.options.threads,
            load: self.load,
            kernels: llama_core::kernels_in_use().unwrap_or("none").to_owned(),
            upstream: self.upstream.clone(),
            quick: self.options.quick,
            ..How::default()
        };
        self.results.begin(section, how);
        self.section = Some(section);
    }

    /// Adds what a reader of the section has to know.
    pub(crate) fn note(&mut self, section: Section, note: String) {
        super::say(&format!("  {note}"));
        if let Some(how) = self.results.last_run(section) {
            how.notes.push(note);
        }
    }

    /// Runs a side's part of a piece of work, unless it failed at it before. An error is told and noted, and the others go on.
    pub(crate) fn attempt<T>(
        &mut self,
        side: Side,
        work: &str,
        part: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Option<T> {
        if self.dropped.contains(&(side, work.to_owned())) {
            return None;
        }
        match part(self) {
            Ok(found) => Some(found),
            Err(error) => {
                super::complain(&format!("error: {work}, {}: {error}\n  it is left out from here on", side.title()));
                self.failures += 1;
                if let Some(how) = self.section.and_then(|section| self.results.last_run(section)) {
                    // Further lines have the whole command, with the paths of this machine.
                    let text = error.to_string();
                    let why = text.lines().next().unwrap_or_default();
                    how.notes.push(format!("{work}, {}: failed, and was left out from there on: {why}", side.title()));
                }
                self.dropped.insert((side, work.to_owned()));
                None
            }
        }
    }

    /// Keeps what was measured until now.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        self.keep.as_deref().map_or(Ok(()), |path| self.results.save(path))
    }

    /// Keeps all of it, and tells what the file has no longer.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.results.prune();
        for lost in self.results.lost() {
            super::say(&format!(
                "measured anew without a side that it had before, whose samples were taken away: {lost}"
            ));
        }
        self.save()
    }

    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    /// Rounds of a section, of which `spent` of its time is gone.
    pub(crate) fn rounds(&self, section: Section) -> Rounds {
        let end = Instant::now() + self.options.time_for(section);
        Rounds { end, begun: None, done: 0, most: self.options.rounds }
    }
}

/// As many rounds as there is time for: at least one.
#[derive(Debug)]
pub(crate) struct Rounds {
    end: Instant,
    begun: Option<Instant>,
    done: usize,
    most: usize,
}

impl Rounds {
    /// The number of the next round, if it will be through in time when it takes as long as the last one.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.next_at(Instant::now())
    }

    fn next_at(&mut self, now: Instant) -> Option<usize> {
        let last = self.begun.map_or(Duration::ZERO, |begun| now - begun);
        let goes_on = self.done == 0 || (self.done < self.most && now + last <= self.end);
        self.begun = Some(now);
        goes_on.then(|| {
            self.done += 1;
            self.done - 1
        })
    }
}

/// The sides in turns: every other round goes backwards, so that what drifts evenly hits all alike.
pub(crate) fn turns(sides: &[Side], round: usize) -> Vec<Side> {
    let mut order = sides.to_vec();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// The processor's name, where the system tells.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_end_before_the_time_does() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rounds = Rounds { end: at(10), begun: None, done: 0, most: 9 };
        let begun: Vec<_> = [0, 3, 6, 8].map(|seconds| rounds.next_at(at(seconds))).into();
        assert_eq!(begun, [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(rounds.next_at(at(10)), None);
    }

    #[test]
    fn there_is_a_round_however_short_the_time_and_never_more_than_asked_for() {
        let start = Instant::now();
        let mut rounds = Rounds { end: start, begun: None, done: 0, most: 2 };
        assert_eq!(rounds.next_at(start + Duration::from_secs(1)), Some(0));
        assert_eq!(rounds.next_at(start + Duration::from_secs(2)), None);
        let mut rounds = Rounds { end: start + Duration::from_secs(99), begun: None, done: 0, most: 2 };
        let begun: Vec<_> = (0..3).map(|_| rounds.next_at(start)).collect();
        assert_eq!(begun, [Some(0), Some(1), None]);
    }

    #[test]
    fn every_other_round_goes_backwards() {
        let sides = [Side::On, Side::Off, Side::Upstream];
        assert_eq!(turns(&sides, 0), sides);
        assert_eq!(turns(&sides, 1), [Side::Upstream, Side::Off, Side::On]);
    }
}
