//! The command line of the comparison.

use std::path::PathBuf;
use std::time::Duration;

use super::results::Section;
use crate::Failure;
use crate::models::{FileType, Shape, TYPES};
use crate::neighbour::SPIN;

const USAGE: &str = "\
usage: cargo bench -p llama-rs-benches --bench compare -- [WHAT] [OPTIONS]

what to do:
  (nothing)             measure, keep the results, and draw the tables and plots of docs/performance.md
  models                make the models to measure and print their paths
  draw [FILE]           draw the tables and plots again, without measuring

options for measuring:
  --quick               a short run for trying; tables are printed, nothing is kept but --out
  --only SECTION        speeds, serving, single or start; what other sections measured before is kept; may be repeated
  --model NAME          only 0.2b or 0.6b
  --type NAME           only this type of file, as q8_0; may be repeated
  --threads N           threads that compute [default: 2]
  --rounds N            rounds at most [default: as many as there is time for]
  --minutes N           how long measuring may take, all sections together [default: 14]
  --out FILE            where results are kept
";

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Task {
    Measure,
    Models,
    /// From a file of results, or from the one that is kept.
    Draw(Option<PathBuf>),
    /// Keeping a core busy, which the comparison starts itself for.
    Spin,
    Help,
    /// Cargo runs this as a test: nothing is measured.
    Nothing,
}

/// How it is run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) task: Task,
    pub(crate) quick: bool,
    pub(crate) only: Vec<Section>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) types: Vec<FileType>,
    pub(crate) threads: u32,
    pub(crate) rounds: usize,
    minutes: Option<f64>,
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            task: Task::Measure,
            quick: false,
            only: Vec::new(),
            shapes: Vec::new(),
            types: Vec::new(),
            threads: 2,
            rounds: usize::MAX,
            minutes: None,
            out: None,
        };
        let mut by_cargo_bench = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| Failure::from(format!("`{arg}` wants a value\n\n{USAGE}")));
            match arg.as_str() {
                // Cargo's own, which stands after all others.
                "--bench" => by_cargo_bench = true,
                "--quick" => options.quick = true,
                "--only" => options.only.push(section(&value()?)?),
                "--model" => options.shapes.push(one_of(&arg, &value()?, &Shape::ALL, |shape| shape.name())?),
                "--type" => options.types.push(one_of(&arg, &value()?, &TYPES, |file_type| file_type.name)?),
                "--threads" => options.threads = number(&arg, &value()?)?,
                "--rounds" => options.rounds = number(&arg, &value()?)?,
                "--minutes" => options.minutes = Some(number::<u16>(&arg, &value()?)?.into()),
                "--out" => options.out = Some(value()?.into()),
                "--help" | "-h" => options.task = Task::Help,
                "models" => options.task = Task::Models,
                "draw" => options.task = Task::Draw(None),
                SPIN => options.task = Task::Spin,
                file if options.task == Task::Draw(None) && !file.starts_with('-') => {
                    options.task = Task::Draw(Some(file.into()));
                }
                _ => return Err(format!("`{arg}` is not understood\n\n{USAGE}").into()),
            }
        }
        if options.task == Task::Measure && !by_cargo_bench {
            options.task = Task::Nothing;
        }
        Ok(options)
    }

    pub(crate) fn usage() -> &'static str {
        USAGE
    }

    pub(crate) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }

    /// How long a section may take: its part of the time, among those that are wanted.
    pub(crate) fn time_for(&self, section: Section) -> Duration {
        let share = |section| match section {
            Section::Speeds => 0.7,
            Section::Serving => 0.22,
            Section::Single => 0.05,
            Section::Start => 0.03,
        };
        let all: f64 = Section::ALL.into_iter().filter(|section| self.wants(*section)).map(share).sum();
        let minutes = self.minutes.unwrap_or(if self.quick { 2.5 } else { 14.0 });
        Duration::from_secs_f64(60.0 * minutes * share(section) / all.max(share(section)))
    }

    /// The shapes to measure.
    pub(crate) fn shapes(&self) -> Vec<Shape> {
        match (&self.shapes[..], self.quick) {
            ([], true) => vec![Shape::Small],
            ([], false) => Shape::ALL.to_vec(),
            (named, _) => named.to_vec(),
        }
    }

    /// The types of file to measure.
    pub(crate) fn types(&self) -> Vec<FileType> {
        match (&self.types[..], self.quick) {
            // Those that a target is set for.
            ([], true) => TYPES[..3].to_vec(),
            ([], false) => TYPES.to_vec(),
            (named, _) => named.to_vec(),
        }
    }
}

fn section(name: &str) -> Result<Section, Failure> {
    one_of("--only", name, &Section::ALL, |section| section.name())
}

fn one_of<T: Copy>(option: &str, name: &str, all: &[T], name_of: impl Fn(&T) -> &'static str) -> Result<T, Failure> {
    all.iter().copied().find(|one| name_of(one) == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(name_of).collect();
        format!("{option}: `{name}` is none of {}", names.join(", ")).into()
    })
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(option: &str, text: &str) -> Result<T, Failure> {
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| format!("{option} wants a number from 1, not `{text}`").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn only_cargo_bench_measures() {
        assert_eq!(parse("").expect("nothing").task, Task::Nothing);
        assert_eq!(parse("--quick --bench").expect("a run").task, Task::Measure);
        assert_eq!(parse("draw a.json --bench").expect("a file").task, Task::Draw(Some("a.json".into())));
        assert_eq!(parse("models --bench").expect("models").task, Task::Models);
    }

    #[test]
    fn a_quick_run_has_one_shape_and_the_types_with_targets() {
        let options = parse("--quick --bench").expect("a run");
        assert_eq!(options.shapes(), [Shape::Small]);
        assert_eq!(options.types().iter().map(|one| one.name).collect::<Vec<_>>(), ["q8_0", "q4_0", "q4_k_m"]);
        let options = parse("--quick --type f16 --model 0.6b --bench").expect("a run");
        assert_eq!((options.shapes(), options.types()[0].name), (vec![Shape::Large], "f16"));
    }

    #[test]
    fn all_sections_share_the_time() {
        let options = parse("--minutes 10 --bench").expect("a run");
        let all: Duration = Section::ALL.into_iter().map(|section| options.time_for(section)).sum();
        assert!((all.as_secs_f64() - 600.0).abs() < 1e-6);
        let one = parse("--minutes 10 --only start --bench").expect("a run").time_for(Section::Start);
        assert!((one.as_secs_f64() - 600.0).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for line in ["--nonsense", "--threads", "--threads 0", "--only all", "--type q3", "--model 7b", "file"] {
            let error = parse(line).expect_err(line).to_string();
            let word = line.split(' ').next_back().unwrap_or_default();
            assert!(error.contains(word), "{error}");
        }
    }
}
