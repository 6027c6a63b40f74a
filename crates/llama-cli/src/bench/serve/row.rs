//! What is told about requests of many clients: [`ServeRow`].

use std::time::{Duration, SystemTime};

use llama_runtime::{ModelInfo, llama_cpp_version};
use serde::Serialize;

use super::answers::{Answer, Round};
use crate::bench::matrix::Case;
use crate::bench::options::Options;
use crate::bench::print::Cell;
use crate::bench::samples;
use crate::bench::subject::Machine;
use crate::bench::table::Columns;
use crate::calendar::timestamp;

/// One way to compute, and how clients were served.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct ServeRow {
    test: &'static str,
    build_commit: String,
    cpu_info: String,
    gpu_info: String,
    backends: String,
    pub(super) model_filename: String,
    model_type: String,
    model_size: u64,
    model_n_params: u64,
    /// Threads are those that the engine begins with.
    #[serde(flatten)]
    options: Options,
    kernels: &'static str,
    pub(super) kernels_isa: Option<&'static str>,
    clients: usize,
    /// `closed`: clients ask again at once; `poisson`: requests arrive at random.
    arrival: &'static str,
    rate: Option<f64>,
    shared_prefix: usize,
    seed: u64,
    test_time: String,
    /// Requests that ended, those that failed among them.
    requests: usize,
    errors: usize,
    prompt_tokens: usize,
    /// Of the prompts, those that were in the cache.
    reused_tokens: usize,
    generated_tokens: usize,
    seconds: f64,
    requests_per_s: f64,
    /// Tokens of answers in a second, those of all clients together.
    avg_ts: f64,
    stddev_ts: f64,
    median_ts: f64,
    /// From the arrival of a request to its first token.
    ttft_ms_p50: f64,
    ttft_ms_p90: f64,
    ttft_ms_p99: f64,
    /// From a token to the next one.
    itl_ms_p50: f64,
    itl_ms_p90: f64,
    itl_ms_p99: f64,
    /// The speed of each repetition.
    samples_ts: Vec<f64>,
}

impl ServeRow {
    /// What is known before anything is asked.
    pub(super) fn of(way: &Case, machine: &Machine, info: &ModelInfo, isa: Option<&'static str>) -> Self {
        let facts = &info.facts;
        Self {
            test: "serve-like",
            build_commit: llama_cpp_version(),
            cpu_info: machine.cpu.clone(),
            gpu_info: machine.gpu.clone(),
            backends: machine.backends.clone(),
            model_type: facts.description.clone(),
            model_size: facts.size,
            model_n_params: facts.n_params,
            options: Options::of(way, (info.threads.counts.decode, info.threads.counts.prefill)),
            kernels: if isa.is_some() { "on" } else { "off" },
            kernels_isa: isa,
            test_time: timestamp(SystemTime::now()),
            ..Self::default()
        }
    }

    /// Adds who asks.
    pub(super) fn asked(&mut self, clients: usize, seed: u64, rate: Option<f64>, shared_prefix: usize) {
        (self.clients, self.seed, self.rate, self.shared_prefix) = (clients, seed, rate, shared_prefix);
        self.arrival = if rate.is_some() { "poisson" } else { "closed" };
    }

    /// Adds what came of it.
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests and tokens")]
    pub(super) fn measured(&mut self, rounds: &[Round]) {
        let all = || rounds.iter().flat_map(|round| &round.answers);
        let good = || all().filter(|answer| answer.failure.is_none());
        let sum = |count: fn(&Answer) -> usize| all().map(count).sum::<usize>();
        self.requests = all().count();
        self.errors = self.requests - good().count();
        self.prompt_tokens = sum(|answer| answer.prompt);
        self.reused_tokens = sum(|answer| answer.reused);
        self.generated_tokens = sum(|answer| answer.generated);
        self.seconds = rounds.iter().map(|round| round.spent.as_secs_f64()).sum();
        self.requests_per_s = self.requests as f64 / self.seconds.max(1e-9);
        let speed = |round: &Round| {
            let tokens: usize = round.answers.iter().map(|answer| answer.generated).sum();
            tokens as f64 / round.spent.as_secs_f64().max(1e-9)
        };
        self.samples_ts = rounds.iter().map(speed).collect();
        self.avg_ts = samples::mean(&self.samples_ts);
        self.stddev_ts = samples::deviation(&self.samples_ts);
        self.median_ts = samples::median(&self.samples_ts);
        let millis = |time: &Duration| time.as_secs_f64() * 1000.0;
        let first: Vec<f64> = good().map(|answer| millis(&answer.first_token)).collect();
        let gaps: Vec<f64> = good().flat_map(|answer| &answer.gaps).map(millis).collect();
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| samples::quantile(&first, share));
        (self.ttft_ms_p50, self.ttft_ms_p90, self.ttft_ms_p99) = (p50, p90, p99);
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| samples::quantile(&gaps, share));
        (self.itl_ms_p50, self.itl_ms_p90, self.itl_ms_p99) = (p50, p90, p99);
    }

    /// What of it stands in a table, with those options that tell rows apart.
    pub(super) fn cells(&self, columns: Columns) -> Vec<Cell> {
        let speed = format!("{:.2} ± {:.2}", self.avg_ts, self.stddev_ts);
        let time = |name, millis: f64| Cell::number(name, 8, format!("{millis:.1}"));
        let model = [Cell::text("model", 30, &self.model_type), Cell::number("threads", 7, self.options.n_threads)];
        let served = [
            Cell::text("kernels", 7, self.kernels),
            Cell::number("clients", 7, self.clients),
            Cell::number("requests", 8, self.requests),
            Cell::number("errors", 6, self.errors),
            Cell::number("reused", 6, format!("{} %", 100 * self.reused_tokens / self.prompt_tokens.max(1))),
            Cell::number("t/s", 20, speed),
            time("TTFT p50 ms", self.ttft_ms_p50),
            time("TTFT p99 ms", self.ttft_ms_p99),
            time("ITL p50 ms", self.itl_ms_p50),
            time("ITL p99 ms", self.itl_ms_p99),
        ];
        model.into_iter().chain(columns.options(&self.options, &self.backends)).chain(served).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_requests_that_were_answered_and_sums_of_all() {
        let millis = Duration::from_millis;
        let answer = |first: u64, gaps: &[u64], failure: Option<&str>| Answer {
            prompt: 10,
            reused: 4,
            generated: gaps.len() + 1,
            first_token: millis(first),
            gaps: gaps.iter().map(|gap| millis(*gap)).collect(),
            failure: failure.map(str::to_owned),
        };
        let round = |answers| Round { answers, spent: millis(500) };
        let rounds = [
            round(vec![answer(10, &[1, 3], None), answer(30, &[2], None)]),
            round(vec![answer(9000, &[9000], Some("it failed"))]),
        ];
        let mut row = ServeRow::default();
        row.asked(2, 1, None, 3);
        row.measured(&rounds);
        assert_eq!((row.requests, row.errors, row.arrival), (3, 1, "closed"));
        assert_eq!((row.prompt_tokens, row.reused_tokens, row.generated_tokens), (30, 12, 7));
        assert_eq!(row.samples_ts, [10.0, 4.0]);
        assert_eq!((row.avg_ts, row.seconds, row.requests_per_s), (7.0, 1.0, 3.0));
        assert_eq!((row.ttft_ms_p50, row.itl_ms_p50), (20.0, 2.0));
        assert!(row.ttft_ms_p99 < 31.0 && row.itl_ms_p99 <= 3.0);
    }
}
