//! What is told about one test: [`Row`]. Its names are those of `llama-bench`, and a few of ours.

use std::time::{Duration, SystemTime};

use llama_runtime::llama_cpp_version;
use serde::Serialize;

use super::matrix::Test;
use super::options::Options;
use super::samples;
use super::subject::Machine;
use crate::calendar::timestamp;

/// One test and its result.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) build_commit: String,
    pub(super) cpu_info: String,
    pub(super) gpu_info: String,
    pub(super) backends: String,
    pub(super) model_filename: String,
    pub(super) model_type: String,
    pub(super) model_size: u64,
    pub(super) model_n_params: u64,
    #[serde(flatten)]
    pub(super) options: Options,
    pub(super) n_prompt: u32,
    pub(super) n_gen: u32,
    pub(super) n_depth: u32,
    /// Sequences that are computed together; tokens are those of all.
    pub(super) n_parallel: u32,
    pub(super) is_pp_shared: bool,
    pub(super) kv_unified: bool,
    /// `on` or `off`: whether our matrix kernels computed.
    pub(super) kernels: &'static str,
    /// The instructions that they used.
    pub(super) kernels_isa: Option<&'static str>,
    pub(super) test_time: String,
    pub(super) avg_ns: u64,
    pub(super) stddev_ns: u64,
    pub(super) avg_ts: f64,
    pub(super) stddev_ts: f64,
    pub(super) median_ts: f64,
    /// Between these lies the middle half of the samples.
    pub(super) q1_ts: f64,
    pub(super) q3_ts: f64,
    pub(super) samples_ns: Vec<u64>,
    pub(super) samples_ts: Vec<f64>,
}

impl Row {
    /// What is known before anything is measured.
    pub(super) fn of(test: &Test, options: Options, machine: &Machine, isa: Option<&'static str>) -> Self {
        Self {
            build_commit: llama_cpp_version(),
            cpu_info: machine.cpu.clone(),
            gpu_info: machine.gpu.clone(),
            backends: machine.backends.clone(),
            options,
            n_prompt: test.n_prompt,
            n_gen: test.n_gen,
            n_depth: test.n_depth,
            n_parallel: test.n_parallel,
            is_pp_shared: test.shared,
            kv_unified: test.unified,
            kernels: if isa.is_some() { "on" } else { "off" },
            kernels_isa: isa,
            test_time: timestamp(SystemTime::now()),
            ..Self::default()
        }
    }

    /// Adds the result: how long each repetition took for so many tokens.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times and numbers of tokens, in nanoseconds below 2^53"
    )]
    pub(super) fn measured(&mut self, spent: &[Duration], tokens: u64) {
        // A clock that did not move would make a speed that is no number.
        let nanos = spent.iter().map(|spent| u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX).max(1));
        self.samples_ns = nanos.collect();
        let times: Vec<f64> = self.samples_ns.iter().map(|ns| *ns as f64).collect();
        self.samples_ts = times.iter().map(|ns| tokens as f64 * 1e9 / ns).collect();
        self.avg_ns = samples::mean(&times) as u64;
        self.stddev_ns = samples::deviation(&times) as u64;
        self.avg_ts = samples::mean(&self.samples_ts);
        self.stddev_ts = samples::deviation(&self.samples_ts);
        self.median_ts = samples::median(&self.samples_ts);
        self.q1_ts = samples::quantile(&self.samples_ts, 0.25);
        self.q3_ts = samples::quantile(&self.samples_ts, 0.75);
    }

    /// Whether this is the same test as another, but for our kernels.
    pub(super) fn is_other_side_of(&self, other: &Self) -> bool {
        let aside = |row: &Self| {
            let mut row = Self { kernels: "", kernels_isa: None, test_time: String::new(), ..row.clone() };
            row.measured(&[], 0);
            row
        };
        self.kernels != other.kernels && aside(self) == aside(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_those_of_each_repetition() {
        let mut row = Row::default();
        row.measured(&[Duration::from_millis(100), Duration::from_millis(200)], 20);
        assert_eq!(
            (row.samples_ns.as_slice(), row.samples_ts.as_slice()),
            (&[100_000_000, 200_000_000][..], &[200.0, 100.0][..])
        );
        assert_eq!((row.avg_ns, row.avg_ts, row.median_ts, row.q1_ts), (150_000_000, 150.0, 150.0, 125.0));
        assert!((row.stddev_ts - 70.710_678).abs() < 1e-5);
        row.measured(&[Duration::ZERO], 1);
        assert!(row.avg_ts.is_finite());
    }

    #[test]
    fn two_sides_are_one_test_with_other_kernels() {
        let mut on = Row { kernels: "on", kernels_isa: Some("AVX2"), n_gen: 8, ..Row::default() };
        let mut off = Row { kernels: "off", kernels_isa: None, ..on.clone() };
        on.measured(&[Duration::from_secs(1)], 8);
        off.measured(&[Duration::from_secs(2)], 8);
        assert!(on.is_other_side_of(&off) && !on.is_other_side_of(&on));
        assert!(!on.is_other_side_of(&Row { n_gen: 9, ..off }));
    }
}
