//! Several models in one runtime.

use std::time::{Duration, Instant};

use crate::{config, edited, exact, next, read, text};
use llama_runtime::{
    Bytes, Event, FinishReason, GenerateError, ModelSpec, ModelState, Progress, Rejected, Runtime, RuntimeConfig,
    StartError,
};
use llama_testkit::fixtures;

fn tiny() -> ModelSpec {
    ModelSpec::path(fixtures::tiny_llama()).config(exact())
}

fn two_on_demand(edit: impl FnOnce(&mut RuntimeConfig)) -> Runtime {
    let mut config = RuntimeConfig::default();
    edit(&mut config);
    let one = ModelSpec::path(fixtures::tiny_llama()).config(edited(|config| config.limits.event_buffer = 4));
    let builder = Runtime::builder().config(config).model("one", one.on_demand());
    builder.model("two", tiny().on_demand()).build_blocking().unwrap()
}

fn states(runtime: &Runtime) -> Vec<ModelState> {
    runtime.stats().models.into_iter().map(|model| model.state).collect()
}

#[test]
fn a_model_is_loaded_by_its_first_request() {
    let runtime = two_on_demand(|_| {});
    assert_eq!(states(&runtime), [ModelState::Unloaded, ModelState::Unloaded]);
    let mut generation = runtime.submit(text("Once upon a time", 5).model("two")).unwrap();
    let mut shares = Vec::new();
    let finished = loop {
        match next(&mut generation).unwrap() {
            Event::Loading(share) => shares.push(share),
            Event::Text(_) => assert_eq!(shares.last(), Some(&1.0), "loading is told before the text"),
            Event::Finished(finished) => break finished,
            other => panic!("{other:?}"),
        }
    };
    assert!(shares.is_sorted() && finished.model == "two");
    assert_eq!(states(&runtime), [ModelState::Unloaded, ModelState::Ready]);
    assert!(runtime.info(Some("one")).is_none() && runtime.info(Some("two")).is_some());
}

#[test]
fn a_request_that_came_before_its_model_is_refused_when_the_model_is_there() {
    let runtime = two_on_demand(|_| {});
    let mut wrong = text("Once upon a time", 5);
    wrong.choices = 1000;
    let (_, finished) = read(runtime.submit(wrong).unwrap());
    let FinishReason::Error(GenerateError::Refused(rejected)) = finished.reason else { panic!("{finished:?}") };
    assert!(matches!(&*rejected, Rejected::OutOfRange { field: "choices", .. }));
}

#[test]
fn an_idle_model_makes_room_for_another() {
    let runtime = two_on_demand(|config| config.max_models = 1);
    for _ in 0..2 {
        for (name, ready) in [("one", 0), ("two", 1)] {
            let (_, finished) = read(runtime.submit(text("Once upon a time", 3).model(name)).unwrap());
            assert!(matches!(finished.reason, FinishReason::Length));
            let states = states(&runtime);
            assert_eq!((&states[ready], &states[1 - ready]), (&ModelState::Ready, &ModelState::Unloaded));
        }
    }
}

#[test]
fn a_busy_model_is_not_evicted() {
    let runtime = two_on_demand(|config| config.max_models = 1);
    let mut busy = runtime.submit(text("Once upon a time", 100)).unwrap();
    while !matches!(next(&mut busy), Some(Event::Text(_))) {}
    let mut late = text("Once upon a time", 3).model("two");
    late.deadlines.queue = Some(Duration::from_millis(100));
    let (_, finished) = read(runtime.submit(late).unwrap());
    assert!(matches!(finished.reason, FinishReason::Deadline(_)), "{finished:?}");
    assert_eq!(states(&runtime)[0], ModelState::Ready);
    let patient = runtime.submit(text("Once upon a time", 3).model("two")).unwrap();
    let (_, finished) = read(busy);
    assert!(matches!(finished.reason, FinishReason::Length));
    assert!(matches!(read(patient).1.reason, FinishReason::Length));
    assert_eq!(states(&runtime), [ModelState::Unloaded, ModelState::Ready]);
}

#[test]
fn models_share_a_budget_of_memory() {
    let alone = {
        let mut config = RuntimeConfig::default();
        config.memory_budget = Some(Bytes(16 << 30));
        Runtime::builder().config(config).model("one", tiny()).build_blocking().unwrap().stats().memory
    };
    let budget = Bytes(alone * 3 / 2);
    let runtime = two_on_demand(|config| config.memory_budget = Some(budget));
    for name in ["one", "two", "one"] {
        assert!(matches!(read(runtime.submit(text("x", 3).model(name)).unwrap()).1.reason, FinishReason::Length));
        assert!(runtime.stats().memory <= budget.0, "{:?}", runtime.stats());
        assert_eq!(states(&runtime).iter().filter(|state| **state == ModelState::Ready).count(), 1);
    }
}

#[test]
fn a_model_that_is_larger_than_the_budget_is_refused_with_both_numbers() {
    let mut config = RuntimeConfig::default();
    config.memory_budget = Some(Bytes(1 << 20));
    let large = ModelSpec::path(fixtures::tiny_llama()).config(edited(|config| config.context.n_ctx = Some(65_536)));
    match Runtime::builder().config(config).model("large", large).build_blocking() {
        Err(error @ StartError::NotStarted { .. }) => assert!(error.to_string().contains("1048576"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_idle_model_gives_its_memory_back_after_a_while() {
    let runtime = two_on_demand(|config| config.idle_timeout = Some(Duration::from_secs(1)));
    let whole = read(runtime.submit(text("Once upon a time", 3)).unwrap()).0;
    let began = Instant::now();
    while states(&runtime)[0] != ModelState::Unloaded {
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(matches!(read(runtime.submit(text("x", 30).model("two")).unwrap()).1.reason, FinishReason::Length));
    }
    assert_eq!(read(runtime.submit(text("Once upon a time", 3)).unwrap()).0, whole, "and is loaded again");
}

#[test]
fn a_load_can_be_given_up() {
    let builder = Runtime::builder().model("tiny", ModelSpec::path(fixtures::tiny_llama()).config(config()));
    let refused = builder.on_load(|_, _| Progress::Cancel).build_blocking();
    assert!(matches!(refused, Err(StartError::NotStarted { .. })), "{refused:?}");
}

#[test]
fn a_runtime_needs_models_with_names_of_their_own() {
    assert!(matches!(Runtime::builder().build_blocking(), Err(StartError::NoModel)));
    let twice = Runtime::builder().model("a", tiny()).model("a", tiny()).build_blocking();
    assert!(matches!(twice, Err(StartError::DuplicateModel { name }) if name == "a"));
}

#[test]
fn models_answer_at_the_same_time() {
    let runtime = two_on_demand(|_| {});
    let open: Vec<_> =
        (0..6).map(|i| runtime.submit(text("Once upon a time", 20).model(["one", "two"][i % 2])).unwrap()).collect();
    let texts: Vec<String> = open
        .into_iter()
        .map(|generation| std::thread::spawn(move || read(generation).0))
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(texts.iter().all(|text| *text == texts[0]), "the same model under two names: {texts:?}");
}
