//! What was measured, and the file it is kept in: tables and plots are drawn from it, so that nothing is measured twice.
//!
//! A row has the samples of all sides, one for each round, in the order of the rounds: the first of one side and the first
//! of another were measured one after the other. A side that failed has fewer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::statistics::Spread;
use crate::Failure;

/// Far more than a file of results has.
const MOST_BYTES: u64 = 16 << 20;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    /// How each section was measured.
    pub(crate) sections: BTreeMap<Section, How>,
    /// Bytes per second of plain reading, by number of threads.
    pub(crate) memory: BTreeMap<u32, f64>,
    /// Bytes of weights that a step reads, by model and type.
    pub(crate) step_bytes: BTreeMap<String, u64>,
    /// What was measured.
    pub(crate) rows: Vec<Row>,
}

/// A part of the run that can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Section {
    /// Decoding at several widths, and prompts.
    Speeds,
    /// Clients that share a prefix.
    Serving,
    /// One answer of the program against the bare loop.
    Single,
    /// Whole processes that write one token.
    Start,
}

impl Section {
    pub(crate) const ALL: [Self; 4] = [Self::Speeds, Self::Serving, Self::Single, Self::Start];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Speeds => "speeds",
            Self::Serving => "serving",
            Self::Single => "single",
            Self::Start => "start",
        }
    }
}

/// Where and when a section was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// The processor's name.
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Threads that computed.
    pub(crate) threads: u32,
    /// The load average when it began, if the system tells.
    pub(crate) load: Option<f64>,
    /// The instructions of our kernels.
    pub(crate) kernels: String,
    /// What upstream's program said when asked for its version, if one was named.
    pub(crate) upstream: Option<String>,
    /// A short run for trying, whose figures mean little.
    pub(crate) quick: bool,
    /// Whatever else a reader has to know.
    pub(crate) notes: Vec<String>,
}

/// Who computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// Ours, with our kernels.
    On,
    /// Ours, without them.
    Off,
    /// Upstream's program.
    Upstream,
    /// Upstream's `llama-cli`, where `Upstream` is its `llama-completion`.
    UpstreamCli,
    /// The loop of `bench`, where `On` is `run`.
    Bare,
}

impl Side {
    /// As tables and messages call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::On => "kernels on",
            Self::Off => "kernels off",
            Self::Upstream => "upstream",
            Self::UpstreamCli => "upstream's llama-cli",
            Self::Bare => "the bare loop",
        }
    }
}

/// What a row's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Tokens per second of a prompt.
    Prefill,
    /// Tokens per second of answers, all sequences together.
    Decode,
    /// Tokens per second of all clients together.
    ServeRate,
    /// Milliseconds to the first token, median of the requests.
    ServeFirst,
    /// Milliseconds between two tokens, median.
    ServeGap,
    /// The same, 99th percentile.
    ServeLongGap,
    /// Tokens per second of one answer.
    Single,
    /// Milliseconds of a whole process.
    Start,
}

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) measure: Measure,
    /// The shape's name.
    pub(crate) model: String,
    /// The type of its matrices.
    pub(crate) file_type: String,
    /// Sequences or clients; 1 where there is only one.
    pub(crate) width: usize,
    /// Whether another process kept a core busy.
    pub(crate) neighbour: bool,
}

impl Case {
    pub(crate) fn new(measure: Measure, model: &str, file_type: &str, width: usize) -> Self {
        Self { measure, model: model.to_owned(), file_type: file_type.to_owned(), width, neighbour: false }
    }

    /// The section that measures it.
    pub(crate) fn section(&self) -> Section {
        match self.measure {
            Measure::Prefill | Measure::Decode => Section::Speeds,
            Measure::ServeRate | Measure::ServeFirst | Measure::ServeGap | Measure::ServeLongGap => Section::Serving,
            Measure::Single => Section::Single,
            Measure::Start => Section::Start,
        }
    }
}

/// A case with its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) case: Case,
    /// A sample for each round.
    pub(crate) samples: BTreeMap<Side, Vec<f64>>,
}

impl Results {
    /// Forgets what an earlier run measured of a section.
    pub(crate) fn begin(&mut self, section: Section, how: How) {
        self.rows.retain(|row| row.case.section() != section);
        self.sections.insert(section, how);
    }

    /// Adds a sample.
    pub(crate) fn push(&mut self, case: Case, side: Side, sample: f64) {
        let found = self.rows.iter().position(|row| row.case == case);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row { case, samples: BTreeMap::new() });
            self.rows.len() - 1
        });
        self.rows[at].samples.entry(side).or_default().push(rounded(sample));
    }

    /// The samples of a side; none if there are none.
    fn samples(&self, case: &Case, side: Side) -> &[f64] {
        let row = self.rows.iter().find(|row| row.case == *case);
        row.and_then(|row| row.samples.get(&side)).map_or(&[], Vec::as_slice)
    }

    /// What one side reached.
    pub(crate) fn of(&self, case: &Case, side: Side) -> Option<Spread> {
        Spread::of(self.samples(case, side))
    }

    /// One side's samples divided by another's, round by round.
    pub(crate) fn ratio(&self, case: &Case, side: Side, reference: Side) -> Option<Spread> {
        Spread::of_ratios(self.samples(case, side), self.samples(case, reference))
    }

    /// The steps per second that reading the weights alone would allow, with as many threads as decoding had.
    pub(crate) fn floor(&self, model: &str, file_type: &str) -> Option<f64> {
        let threads = self.sections.get(&Section::Speeds)?.threads;
        let bytes = *self.step_bytes.get(&format!("{model}/{file_type}"))?;
        #[allow(clippy::cast_precision_loss, reason = "no file has 2^52 bytes")]
        Some(self.memory.get(&threads)? / bytes as f64)
    }

    /// Reads a file of results.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let told = |what: &dyn std::fmt::Display| Failure::from(format!("{}: {what}", path.display()));
        let size = fs::metadata(path).map_err(|error| told(&error))?.len();
        if size > MOST_BYTES {
            return Err(told(&"too large for a file of results"));
        }
        let text = fs::read_to_string(path).map_err(|error| told(&error))?;
        serde_json::from_str(&text).map_err(|error| told(&error))
    }

    /// Writes it; a file of that name is replaced only by a complete one.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let draft = path.with_extension("draft");
        let written = fs::write(&draft, serde_json::to_string_pretty(self)? + "\n");
        written.and_then(|()| fs::rename(&draft, path)).map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

/// To what a clock tells, so that the file stays readable.
fn rounded(sample: f64) -> f64 {
    (sample * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case::new(Measure::Decode, "0.2b", "q8_0", 4)
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let mut results = Results::default();
        for (off, on) in [(10.0, 20.0), (100.0, 300.0), (1.0, 2.5)] {
            results.push(case(), Side::Off, off);
            results.push(case(), Side::On, on);
        }
        results.push(case(), Side::Off, 1000.0);
        assert_eq!(results.ratio(&case(), Side::On, Side::Off).map(|ratio| ratio.median), Some(2.5));
        assert_eq!(results.ratio(&case(), Side::On, Side::Upstream), None);
        assert_eq!(results.rows.len(), 1);
    }

    #[test]
    fn a_section_that_begins_anew_leaves_the_others() {
        let mut results = Results::default();
        results.push(case(), Side::On, 1.0);
        let start = Case::new(Measure::Start, "demo", "q8_0", 1);
        results.push(start.clone(), Side::On, 1.0);
        results.begin(Section::Speeds, How::default());
        assert_eq!(results.rows.iter().map(|row| &row.case).collect::<Vec<_>>(), [&start]);
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        let path = folder.path().join("results.json");
        let mut results = Results::default();
        results.begin(Section::Speeds, How { threads: 2, ..How::default() });
        results.push(case(), Side::Upstream, 1.5);
        results.memory.insert(2, 6e9);
        results.step_bytes.insert("0.2b/q8_0".to_owned(), 200_000_000);
        results.save(&path).expect("it is written");
        let read = Results::load(&path).expect("it is read");
        assert_eq!(read, results);
        assert_eq!(read.floor("0.2b", "q8_0"), Some(30.0));
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let missing = Results::load(Path::new("no-such-results.json")).expect_err("there is none");
        assert!(missing.to_string().contains("no-such-results.json"));
    }
}
