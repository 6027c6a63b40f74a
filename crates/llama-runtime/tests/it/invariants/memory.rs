//! 6. Memory is accounted: cells are reserved when a request is admitted, so that no request fails another.

use crate::{answer, edited, next, read, stats, text, tiny_with};
use llama_runtime::{Bytes, Event, FinishReason, ModelSpec, Rejected, Runtime, RuntimeConfig};
use llama_testkit::fixtures;

/// 256 cells for several sequences.
fn small() -> Runtime {
    tiny_with(edited(|config| {
        config.context.n_ctx = Some(256);
        config.batch.max_sequences = 4;
    }))
}

#[test]
fn invariant_6_what_can_never_fit_is_refused_at_submit() {
    let runtime = small();
    let limit = runtime.info(None).unwrap().sequence_limit;
    assert_eq!((limit, runtime.info(None).unwrap().cells), (256, Some(256)));
    match runtime.submit(text(&"long ".repeat(400), 2)) {
        Err(Rejected::PromptTooLong { tokens, limit: most }) => assert!(tokens > most && most < limit),
        other => panic!("{other:?}"),
    }
    // Three answers of 100 tokens need 300 cells, whatever the prompt is.
    match runtime.submit(text("Once upon a time", 100).choices(3)) {
        Err(Rejected::TooLarge { reason }) => assert!(reason.contains("256"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(runtime.submit(text("Hi", 2).choices(5)), Err(Rejected::OutOfRange { field: "choices", .. })));
    assert_eq!(stats(&runtime).totals.rejected_invalid, 3);
}

#[test]
fn invariant_6_two_that_cannot_fit_together_run_one_after_the_other() {
    let runtime = small();
    let whole = answer(&runtime, text("Once upon a time", 150));
    let open: Vec<_> = (0..4).map(|_| runtime.submit(text("Once upon a time", 150)).unwrap()).collect();
    let threads: Vec<_> = open.into_iter().map(|generation| std::thread::spawn(move || read(generation))).collect();
    for thread in threads {
        let (text, finished) = thread.join().unwrap();
        assert!(matches!(finished.reason, FinishReason::Length), "nobody fails: {finished:?}");
        assert_eq!(text, whole);
    }
}

#[test]
fn invariant_6_cells_are_reserved_for_the_whole_answer() {
    let runtime = small();
    let mut first = runtime.submit(text("Once upon a time", 150)).unwrap();
    assert!(matches!(next(&mut first), Some(Event::Text(_))));
    let second = runtime.submit(text("Another beginning of a text", 150)).unwrap();
    for _ in 0..20 {
        assert!(next(&mut first).is_some());
        let now = stats(&runtime);
        assert!(now.engine.cells_reserved >= 150 && now.engine.cells_reserved <= now.engine.cells, "{now:?}");
        assert!(now.engine.cells_used <= now.engine.cells_reserved, "{now:?}");
        assert_eq!((now.engine.running, now.queued, now.engine.cells), (1, 1, 256));
    }
    assert!(matches!(read(first).1.reason, FinishReason::Length));
    assert!(matches!(read(second).1.reason, FinishReason::Length));
}

#[test]
fn invariant_6_answers_of_unknown_length_share_what_there_is() {
    let runtime = small();
    let open: Vec<_> = (0..4)
        .map(|place| {
            let mut request = text(&format!("Story number {place}"), 1);
            request.max_tokens = None;
            runtime.submit(request).unwrap()
        })
        .collect();
    let threads: Vec<_> = open.into_iter().map(|generation| std::thread::spawn(move || read(generation))).collect();
    for thread in threads {
        let (_, finished) = thread.join().unwrap();
        assert!(matches!(finished.reason, FinishReason::ContextFull), "each gets to its limit: {finished:?}");
        assert_eq!(finished.usage.prompt + finished.usage.generated, 256);
    }
    let now = stats(&runtime);
    assert!(now.engine.host_bytes <= 256 << 20, "{now:?}");
}

#[test]
fn invariant_6_the_memory_of_models_is_accounted() {
    let budget = Bytes(16 << 30);
    let mut config = RuntimeConfig::default();
    config.memory_budget = Some(budget);
    let spec =
        |cells| ModelSpec::path(fixtures::tiny_llama()).config(edited(|config| config.context.n_ctx = Some(cells)));
    let builder = Runtime::builder().config(config).model("small", spec(256));
    let runtime = builder.model("large", spec(65_536).on_demand()).build_blocking().unwrap();
    let small = runtime.stats().memory;
    assert!(small > 200_000, "weights, cache and buffers: {small}");
    assert_ne!(answer(&runtime, text("x", 3).model("large")), "");
    // 65536 cells of 2 layers, each with 16 numbers of 4 bytes for the key and as many for the value.
    assert!(runtime.stats().memory > small + 65_536 * 2 * 2 * 16 * 4, "{:?}", runtime.stats());
}

#[test]
fn invariant_6_no_more_is_reserved_than_a_sequence_may_have() {
    let runtime = tiny_with(edited(|config| {
        config.context.n_ctx = Some(256);
        config.limits.max_sequence_tokens = Some(20);
    }));
    let prompt = || text("Once upon", 1).choices(8);
    let mut unlimited = prompt();
    unlimited.max_tokens = None;
    for request in [unlimited, prompt().max_tokens(1000)] {
        let (_, finished) = read(runtime.submit(request).unwrap());
        assert_eq!(finished.choices.len(), 8);
        assert!(matches!(finished.reason, FinishReason::ContextFull | FinishReason::EndOfAnswer), "{finished:?}");
    }
}
