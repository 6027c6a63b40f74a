//! What was measured, and the file it is kept in: tables and plots are drawn from it, so that nothing is measured twice.
//!
//! A row has the samples of all sides, one for each round, in the order of the rounds: the first of one side and the first
//! of another were measured one after the other. Where a side has none of a round, its place is kept, so that later samples keep
//! their partners. All samples of a row are of the same run: what a
//! later run measures anew takes the place of a row with all its sides, and the other rows stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::statistics::Spread;
use crate::Failure;

/// Far more than a file of results has.
const MOST_BYTES: u64 = 16 << 20;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Results {
    /// How each section was measured: the runs that its rows are of, the last one at the end.
    #[serde(deserialize_with = "one_or_several")]
    pub(crate) sections: BTreeMap<Section, Vec<How>>,
    /// Where files of one run for each section have what is in [`How`] now; empty once such a file is read.
    #[serde(default, skip_serializing)]
    memory: BTreeMap<u32, f64>,
    /// Bytes of weights that a step reads, by model and type.
    pub(crate) step_bytes: BTreeMap<String, u64>,
    /// What was measured.
    pub(crate) rows: Vec<Row>,
    /// Sides that rows had before this run measured them anew.
    #[serde(skip)]
    replaced: BTreeMap<Case, BTreeSet<Side>>,
}

/// Older files have one run for each section, without a list around it.
fn one_or_several<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Section, Vec<How>>, D::Error> {
    let found: BTreeMap<Section, serde_json::Value> = BTreeMap::deserialize(from)?;
    let read = |value: serde_json::Value| {
        let list = if value.is_array() { value } else { serde_json::Value::Array(vec![value]) };
        serde_json::from_value(list).map_err(D::Error::custom)
    };
    found.into_iter().map(|(section, value)| Ok((section, read(value)?))).collect()
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

/// Where and when rows of a section were measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct How {
    /// The number that its rows have.
    #[serde(default)]
    pub(crate) run: u32,
    /// The processor's name.
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Threads that computed.
    pub(crate) threads: u32,
    /// The load average before anything was measured, if the system tells.
    pub(crate) load: Option<f64>,
    /// The instructions of our kernels.
    pub(crate) kernels: String,
    /// What upstream's program said when asked for its version, if one was named.
    pub(crate) upstream: Option<String>,
    /// A short run for trying, whose figures mean little.
    pub(crate) quick: bool,
    /// Bytes per second of plain reading, by number of threads; only of speeds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) memory: BTreeMap<u32, f64>,
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
    /// How it was measured.
    #[serde(default)]
    run: u32,
    /// A sample for each round.
    pub(crate) samples: BTreeMap<Side, Vec<Option<f64>>>,
}

impl Results {
    /// Begins a run of a section. What earlier ones measured stays until a sample of the same is there.
    pub(crate) fn begin(&mut self, section: Section, how: How) {
        self.prune();
        let of_rows = self.rows.iter().filter(|row| row.case.section() == section).map(|row| row.run);
        let run = of_rows.max().map_or(0, |last| last + 1);
        self.sections.entry(section).or_default().push(How { run, ..how });
    }

    /// The run of a section that began last.
    pub(crate) fn last_run(&mut self, section: Section) -> Option<&mut How> {
        self.sections.get_mut(&section)?.last_mut()
    }

    /// Adds the sample of a round of the section's last run. The first of a case takes the place of all that an earlier run measured of
    /// it: ratios are of samples of one run.
    pub(crate) fn push(&mut self, case: Case, side: Side, round: usize, sample: f64) {
        let run = self.last_run(case.section()).map_or(0, |how| how.run);
        let found = self.rows.iter().position(|row| row.case == case);
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row { case, run, samples: BTreeMap::new() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        if row.run != run {
            let before = std::mem::take(&mut row.samples).into_keys().collect();
            self.replaced.insert(row.case.clone(), before);
            row.run = run;
        }
        let samples = row.samples.entry(side).or_default();
        if samples.len() <= round {
            samples.resize(round + 1, None);
        }
        samples[round] = Some(rounded(sample));
    }

    /// What was measured anew without a side that it had before, whose samples are gone with the other ones.
    pub(crate) fn lost(&self) -> BTreeSet<String> {
        let rows = self.rows.iter().filter_map(|row| Some((row, self.replaced.get(&row.case)?)));
        rows.flat_map(|(row, before)| {
            let gone = before.iter().filter(|side| !row.samples.contains_key(side));
            let Case { model, file_type, .. } = &row.case;
            gone.map(move |side| format!("{} of {model}/{file_type}: {}", row.case.section().name(), side.title()))
        })
        .collect()
    }

    /// Forgets runs of which no row is left.
    pub(crate) fn prune(&mut self) {
        let Self { sections, rows, .. } = self;
        for (section, hows) in sections.iter_mut() {
            hows.retain(|how| rows.iter().any(|row| row.case.section() == *section && row.run == how.run));
        }
        sections.retain(|_, hows| !hows.is_empty());
    }

    /// The runs of a section, each with its rows; none without.
    pub(crate) fn runs(&self, section: Section) -> Vec<(&How, Vec<&Row>)> {
        let rows = |how: &How| {
            let all = self.rows.iter().filter(|row| row.case.section() == section && row.run == how.run);
            all.collect::<Vec<_>>()
        };
        let hows = self.sections.get(&section).into_iter().flatten();
        hows.map(|how| (how, rows(how))).filter(|(_, rows)| !rows.is_empty()).collect()
    }

    /// The samples of a side; none if there are none.
    fn samples(&self, case: &Case, side: Side) -> &[Option<f64>] {
        let row = self.rows.iter().find(|row| row.case == *case);
        row.and_then(|row| row.samples.get(&side)).map_or(&[], Vec::as_slice)
    }

    /// What one side reached.
    pub(crate) fn of(&self, case: &Case, side: Side) -> Option<Spread> {
        Spread::of(&self.samples(case, side).iter().copied().flatten().collect::<Vec<_>>())
    }

    /// One side's samples divided by another's, round by round.
    pub(crate) fn ratio(&self, case: &Case, side: Side, reference: Side) -> Option<Spread> {
        Spread::of_ratios(self.samples(case, side), self.samples(case, reference))
    }

    /// The steps per second that reading the weights alone would allow, with as many threads as decoding had, by what memory
    /// gave in the run that measured it.
    pub(crate) fn floor(&self, model: &str, file_type: &str) -> Option<f64> {
        let bytes = *self.step_bytes.get(&format!("{model}/{file_type}"))?;
        let of_file = |row: &&Row| row.case.model == model && row.case.file_type == file_type;
        let decoding = self.rows.iter().filter(|row| row.case.measure == Measure::Decode).filter(of_file);
        let run = decoding.min_by_key(|row| row.case.width)?.run;
        let how = self.sections.get(&Section::Speeds)?.iter().find(|how| how.run == run)?;
        #[allow(clippy::cast_precision_loss, reason = "no file has 2^52 bytes")]
        Some(how.memory.get(&how.threads)? / bytes as f64)
    }

    /// Reads a file of results.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let told = |what: &dyn std::fmt::Display| Failure::from(format!("{}: {what}", path.display()));
        let size = fs::metadata(path).map_err(|error| told(&error))?.len();
        if size > MOST_BYTES {
            return Err(told(&"too large for a file of results"));
        }
        let text = fs::read_to_string(path).map_err(|error| told(&error))?;
        let mut read: Self = serde_json::from_str(&text).map_err(|error| told(&error))?;
        let memory = std::mem::take(&mut read.memory);
        if let Some(how) = read.last_run(Section::Speeds).filter(|how| how.memory.is_empty()) {
            how.memory = memory;
        }
        Ok(read)
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
        for (round, (off, on)) in [(10.0, 20.0), (100.0, 300.0), (1.0, 2.5)].into_iter().enumerate() {
            results.push(case(), Side::Off, round, off);
            results.push(case(), Side::On, round, on);
        }
        results.push(case(), Side::Off, 3, 1000.0);
        assert_eq!(results.ratio(&case(), Side::On, Side::Off).map(|ratio| ratio.median), Some(2.5));
        assert_eq!(results.ratio(&case(), Side::On, Side::Upstream), None);
        assert_eq!(results.rows.len(), 1);
    }

    #[test]
    fn a_round_that_one_side_has_no_sample_of_moves_no_other() {
        let mut results = Results::default();
        for (round, speed) in [1.0, 8.0, 64.0].into_iter().enumerate() {
            results.push(case(), Side::On, round, 2.0 * speed);
            if round != 1 {
                results.push(case(), Side::Off, round, speed);
            }
        }
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        let path = folder.path().join("results.json");
        results.save(&path).expect("it is written");
        let read = Results::load(&path).expect("it is read");
        assert_eq!(read.ratio(&case(), Side::On, Side::Off).map(|ratio| ratio.quartiles), Some([2.0, 2.0]));
        assert_eq!(read.of(&case(), Side::Off).map(|off| off.median), Some(32.5));
    }

    #[test]
    fn what_is_measured_anew_takes_the_place_of_the_same_with_all_its_sides_and_of_nothing_else() {
        let mut results = Results::default();
        results.begin(Section::Speeds, How { threads: 2, ..How::default() });
        let other = Case::new(Measure::Decode, "0.2b", "q4_0", 4);
        for case in [case(), other.clone()] {
            results.push(case.clone(), Side::On, 0, 10.0);
            results.push(case, Side::Upstream, 0, 5.0);
        }
        results.begin(Section::Speeds, How { threads: 1, ..How::default() });
        assert_eq!(results.ratio(&case(), Side::On, Side::Upstream).map(|ratio| ratio.median), Some(2.0));
        results.push(case(), Side::On, 0, 7.0);
        results.push(case(), Side::Off, 0, 7.0);
        assert_eq!(results.ratio(&case(), Side::On, Side::Upstream), None);
        assert_eq!(results.of(&case(), Side::On).map(|on| on.median), Some(7.0));
        assert_eq!(results.ratio(&other, Side::On, Side::Upstream).map(|ratio| ratio.median), Some(2.0));
        assert_eq!(results.lost().into_iter().collect::<Vec<_>>(), ["speeds of 0.2b/q8_0: upstream"]);
        let threads: Vec<_> =
            results.runs(Section::Speeds).iter().map(|(how, rows)| (how.threads, rows[0].case.clone())).collect();
        assert_eq!(threads, [(2, other), (1, case())]);
    }

    #[test]
    fn a_run_that_measured_nothing_leaves_everything() {
        let mut results = Results::default();
        results.begin(Section::Speeds, How::default());
        results.push(case(), Side::On, 0, 1.0);
        let before = results.clone();
        results.begin(Section::Speeds, How { threads: 9, ..How::default() });
        results.begin(Section::Start, How::default());
        results.prune();
        assert_eq!(results, before);
    }

    #[test]
    fn a_file_gives_back_what_was_written() {
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        let path = folder.path().join("results.json");
        let mut results = Results::default();
        for memory in [6e9, 8e9] {
            let memory = BTreeMap::from([(2, memory)]);
            results.begin(Section::Speeds, How { threads: 2, memory, ..How::default() });
            results.push(case(), Side::Upstream, 0, 1.5);
            results.push(Case { file_type: "f16".to_owned(), ..case() }, Side::Upstream, 0, 1.5);
        }
        results.step_bytes.insert("0.2b/q8_0".to_owned(), 200_000_000);
        results.save(&path).expect("it is written");
        let read = Results::load(&path).expect("it is read");
        assert_eq!((&read.sections, &read.rows), (&results.sections, &results.rows));
        assert_eq!(read.floor("0.2b", "q8_0"), Some(40.0));
    }

    #[test]
    fn a_file_of_one_run_for_each_section_is_read() {
        let folder = llama_testkit::fixtures::TempModels::new().expect("a folder");
        let text = r#"{"sections": {"speeds": {"processor": "p", "cores": 2, "threads": 2, "load": 0.5, "kernels": "none",
                        "upstream": null, "quick": false, "notes": []}},
                       "memory": {"1": 3e9, "2": 6e9}, "step_bytes": {"0.2b/q8_0": 200000000},
                       "rows": [{"measure": "decode", "model": "0.2b", "file_type": "q8_0", "width": 1, "neighbour": false,
                                 "samples": {"on": [20.0, 30.0], "off": [10.0]}}]}"#;
        let path = folder.write_bytes("results.json", text.as_bytes()).expect("a file");
        let read = Results::load(&path).expect("it is read");
        assert_eq!(read.floor("0.2b", "q8_0"), Some(30.0));
        assert_eq!(read.runs(Section::Speeds).len(), 1);
        read.save(&path).expect("it is written");
        assert_eq!(Results::load(&path).expect("it is read again"), read);
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let missing = Results::load(Path::new("no-such-results.json")).expect_err("there is none");
        assert!(missing.to_string().contains("no-such-results.json"));
    }
}
