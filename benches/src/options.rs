//! The command line of a benchmark.

use std::path::PathBuf;

use llama_testkit::{fixtures, golden};

/// How a benchmark is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Runs everything once with tiny models, measuring nothing: so the code stays alive under `cargo test`.
    pub quick: bool,
    /// A missed target is a failure of the process.
    pub strict: bool,
    /// Blocks measured with one placement of the loops in memory.
    pub blocks: usize,
    /// How often the loops are built anew, to take the luck of placement out.
    pub placements: usize,
    /// Only models whose name contains this.
    pub model: Option<String>,
    /// Only this number of threads.
    pub threads: Option<u32>,
    /// Runs this loop alone, for a profiler.
    pub profile: Option<String>,
    /// Steps of the profiled loop.
    pub steps: usize,
}

/// What is wrong with the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError(String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {USAGE}", self.0)
    }
}

impl std::error::Error for UsageError {}

const USAGE: &str = "known are --quick, --strict, --blocks N, --placements N, --model NAME, --threads N, \
                     --profile LOOP and --steps N";

impl Default for Options {
    fn default() -> Self {
        Self {
            quick: false,
            strict: false,
            blocks: 6,
            placements: 8,
            model: None,
            threads: None,
            profile: None,
            steps: 100,
        }
    }
}

impl Options {
    /// Reads the arguments after the program's name. Without cargo's own `--bench`, which `cargo bench` passes and
    /// `cargo test` does not, nothing is measured.
    ///
    /// # Errors
    ///
    /// [`UsageError`] for an option that is unknown or whose value is not understood.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, UsageError> {
        let mut options = Self::default();
        let mut measured = false;
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => measured = true,
                "--quick" | "--test" => options.quick = true,
                "--strict" => options.strict = true,
                "--blocks" => options.blocks = number(&arg, args.next())?,
                "--placements" => options.placements = number(&arg, args.next())?,
                "--model" => options.model = Some(value(&arg, args.next())?),
                "--threads" => options.threads = Some(number(&arg, args.next())?),
                "--profile" => options.profile = Some(value(&arg, args.next())?),
                "--steps" => options.steps = number(&arg, args.next())?,
                _ => return Err(UsageError(format!("`{arg}` is no option"))),
            }
        }
        options.quick |= !measured;
        Ok(options)
    }

    /// The models that are wanted, by name: a tiny one in quick mode, else the demo model and the one of 100 million
    /// parameters.
    pub fn models(&self) -> Vec<(&'static str, PathBuf)> {
        if self.quick {
            return vec![("tiny_llama", fixtures::tiny_llama().to_owned())];
        }
        let mut models = Vec::new();
        if self.wants_model("demo-q8_0") {
            models.push(("demo-q8_0", golden::demo_model_path()));
        }
        if self.wants_model("bench_100m") {
            models.push(("bench_100m", fixtures::bench_100m().to_owned()));
        }
        models
    }

    /// Whether a model of that name is wanted.
    pub fn wants_model(&self, name: &str) -> bool {
        self.model.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}

fn value(option: &str, value: Option<String>) -> Result<String, UsageError> {
    value.ok_or_else(|| UsageError(format!("`{option}` wants a value")))
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(option: &str, text: Option<String>) -> Result<T, UsageError> {
    let text = value(option, text)?;
    let number = text.parse().ok().filter(|number| *number >= T::from(1));
    number.ok_or_else(|| UsageError(format!("`{option}` wants a number from 1, not `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, UsageError> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn only_cargo_bench_measures() {
        assert_eq!(parse("").map(|options| options.quick), Ok(true));
        assert_eq!(parse("--bench").map(|options| options.quick), Ok(false));
        assert_eq!(parse("--quick --bench").map(|options| options.quick), Ok(true));
    }

    #[test]
    fn a_model_is_chosen_by_a_part_of_its_name() {
        let options = parse("--bench --model demo --threads 1").unwrap_or_default();
        assert!(options.wants_model("demo-q8_0") && !options.wants_model("bench_100m"));
        assert_eq!(options.threads, Some(1));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for line in ["--blocks", "--blocks 0", "--blocks x", "--nonsense"] {
            let text = parse(line).map_err(|error| error.to_string()).expect_err(line);
            assert!(text.contains(line.split_whitespace().next().unwrap_or_default()), "{text}");
        }
    }
}
