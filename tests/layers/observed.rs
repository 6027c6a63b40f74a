//! What a program sees of the runtime that installs a recorder for metrics and a subscriber for spans.
//!
//! Both are for the whole process, so one test does it all.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use llama_runtime::{EngineConfig, ModelSpec, Rejected, Request, Runtime, metrics as names};
use llama_testkit::fixtures;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// Every value by the name of its metric and its labels, in the order they came.
#[derive(Debug, Clone, Default)]
struct Recorded(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

/// One metric.
struct Series {
    name: String,
    all: Recorded,
}

impl Recorded {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Series { name: format!("{} {}", key.name(), labels.join(" ")), all: self.clone() })
    }

    /// The values of a metric with this label, of those for the tiny model.
    fn of(&self, name: &str, label: &str) -> Vec<f64> {
        let all = self.0.lock().unwrap();
        let found = all.iter().filter(|(key, _)| {
            let mut words = key.split(' ');
            words.next() == Some(name) && key.contains("=tiny") && key.contains(label)
        });
        found.flat_map(|(_, values)| values.clone()).collect()
    }
}

impl Series {
    fn push(&self, value: f64) {
        self.all.0.lock().unwrap().entry(self.name.clone()).or_default().push(value);
    }
}

impl CounterFn for Series {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn increment(&self, value: u64) {
        self.push(value as f64);
    }

    fn absolute(&self, _: u64) {}
}

impl GaugeFn for Series {
    fn increment(&self, _: f64) {}

    fn decrement(&self, _: f64) {}

    fn set(&self, value: f64) {
        self.push(value);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

/// Where log lines go.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_request_is_seen_in_metrics_and_spans() {
    let (recorded, lines) = (Recorded::default(), Lines::default());
    metrics::set_global_recorder(recorded.clone()).unwrap();
    let writer = lines.clone();
    let filter = tracing_subscriber::EnvFilter::new("llama_runtime=debug");
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || writer.clone()).init();

    let mut config = EngineConfig::default();
    config.context.threads = Some(1);
    let spec = ModelSpec::path(fixtures::tiny_llama()).config(config);
    let runtime = Runtime::builder().model("tiny", spec).build_blocking().unwrap();
    let request = Request::text("Once upon a time").max_tokens(5).tag("tenant", "blue");
    let finished = runtime.submit(request).unwrap().blocking().finish();
    assert!(matches!(runtime.submit(Request::text("")), Err(Rejected::EmptyPrompt)));
    drop(runtime);

    assert_eq!(recorded.of(names::ACCEPTED, ""), [1.0]);
    assert_eq!(recorded.of(names::REJECTED, "error.type=invalid"), [1.0]);
    assert_eq!(recorded.of(names::FINISHED, "gen_ai.response.finish_reason=length"), [1.0]);
    assert_eq!(recorded.of(names::TOKEN_USAGE, "gen_ai.token.type=output"), [5.0]);
    let first = finished.timings.first_token.unwrap();
    assert_eq!(recorded.of(names::TIME_TO_FIRST_TOKEN, ""), [first.as_secs_f64()]);
    assert_eq!(recorded.of(names::REQUEST_DURATION, ""), [finished.timings.total.as_secs_f64()]);
    let each = recorded.of(names::TIME_PER_OUTPUT_TOKEN, "");
    assert!((each[0] - finished.timings.generation.as_secs_f64() / 4.0).abs() < 1e-9, "{each:?}");
    assert_eq!(recorded.of(names::STEP_DURATION, "").len(), 5, "one step for the prompt, four for the answer");
    assert!(recorded.of(names::KV_USED, "").into_iter().fold(0.0, f64::max) > 0.0);
    assert_eq!(recorded.of(names::RUNNING, "").last(), Some(&0.0));

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let places = ["queued", "admitted", "first token", "finished"].map(|stage| {
        let line = text.lines().position(|line| line.contains("request{") && line.contains(stage));
        line.unwrap_or_else(|| panic!("no line tells that the request is {stage}:\n{text}"))
    });
    // Whoever submits says that it is queued, and by then the engine may have taken it.
    assert!(places[1..].is_sorted(), "{text}");
    let last = text.lines().nth(places[3]).unwrap();
    for field in ["gen_ai.request.model=\"tiny\"", "gen_ai.usage.output_tokens=5", "tenant", "blue"] {
        assert!(last.contains(field), "{field}: {last}");
    }
}
