//! Adapters by name.

use crate::{answer, exact, read, text};
use llama_core::SampleError;
use llama_runtime::{FinishReason, GenerateError, ModelSpec, Rejected, Request, Runtime, StartError, Structure};
use llama_testkit::fixtures;

fn runtime() -> Runtime {
    let lora = fixtures::lora();
    let spec = ModelSpec::path(fixtures::tiny_llama()).adapter("pirate", lora).adapter("bard", lora).config(exact());
    Runtime::builder().model("tiny", spec).build_blocking().unwrap()
}

fn with(adapters: &[(&str, f32)]) -> Request {
    let plain = text("Once upon a time", 16);
    adapters.iter().fold(plain, |request, (name, scale)| request.adapter(*name, *scale))
}

#[test]
fn requests_with_different_adapters_get_together_what_they_get_alone() {
    let runtime = runtime();
    assert_eq!(runtime.info(None).unwrap().adapters, ["pirate", "bard"]);
    let sets: [&[(&str, f32)]; 5] =
        [&[], &[("pirate", 1.0)], &[("bard", 8.0)], &[("pirate", 4.0), ("bard", 8.0)], &[("bard", 0.0)]];
    let alone = sets.map(|set| answer(&runtime, with(set)));
    assert_ne!(alone[0], alone[2], "an adapter changes something");
    assert_eq!(alone[0], alone[4], "a scale of nothing is none");
    for _ in 0..2 {
        let open = sets.map(|set| runtime.submit(with(set)).unwrap());
        assert_eq!(open.map(|generation| read(generation).0), alone);
    }
}

#[test]
fn prefixes_are_not_shared_between_adapters() {
    let runtime = runtime();
    let prompt = "Once upon a time there was a model that knew one story and told it to everybody";
    let plain = answer(&runtime, text(prompt, 8));
    let (_, finished) = crate::ask(&runtime, text(prompt, 8).adapter("bard", 8.0));
    assert_eq!(finished.usage.reused, 0);
    let (again, finished) = crate::ask(&runtime, text(prompt, 8));
    assert_eq!(again, plain);
    assert!(finished.usage.reused > 0);
}

#[test]
fn an_unknown_adapter_is_refused_with_those_there_are() {
    match runtime().submit(with(&[("poet", 1.0)])) {
        Err(Rejected::UnknownAdapter { name, known }) => assert_eq!((&*name, &*known), ("poet", "pirate, bard")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        runtime().submit(with(&[("bard", f32::NAN)])),
        Err(Rejected::OutOfRange { field: "adapters", .. })
    ));
    let twice = runtime().submit(with(&[("bard", 1.0), ("pirate", 1.0), ("bard", 1.0)]));
    assert!(matches!(twice, Err(Rejected::OutOfRange { field: "adapters", .. })), "{twice:?}");
}

#[test]
fn adapters_need_names_of_their_own() {
    let lora = fixtures::lora();
    let spec = ModelSpec::path(fixtures::tiny_llama()).adapter("bard", lora).adapter("bard", lora);
    let twice = Runtime::builder().model("tiny", spec).build_blocking();
    assert!(matches!(twice, Err(StartError::DuplicateAdapter { model, name }) if model == "tiny" && name == "bard"));
}

#[test]
fn a_request_whose_numbers_overflow_fails_alone() {
    let spec = ModelSpec::path(fixtures::tiny_llama()).adapter("bard", fixtures::lora()).config(exact());
    let runtime = Runtime::builder().model("tiny", spec).build_blocking().unwrap();
    let story = |place: usize| text(&format!("Story {place}: once upon a time"), 24);
    let plain = |place: usize| match place {
        0 => story(place).structure(Structure::regex("[a-z ]{20,30}")),
        _ => story(place),
    };
    let alone: Vec<String> = (0..4).map(|place| answer(&runtime, plain(place))).collect();
    for _ in 0..3 {
        let before: Vec<_> = (0..2).map(|place| runtime.submit(plain(place)).unwrap()).collect();
        let overflowing = runtime.submit(story(9).adapter("bard", f32::MAX)).unwrap();
        let after: Vec<_> = (2..4).map(|place| runtime.submit(plain(place)).unwrap()).collect();
        let finished = read(overflowing).1;
        let FinishReason::Error(GenerateError::Sample(error)) = finished.reason else { panic!("{finished:?}") };
        assert_eq!(*error, SampleError::NanLogits);
        let together: Vec<String> = before.into_iter().chain(after).map(|generation| read(generation).0).collect();
        assert_eq!(together, alone);
    }
    assert_eq!(answer(&runtime, plain(1)), alone[1], "and nothing of it stays");
}
