//! Prefixes that outlive the process.

use std::path::Path;

use llama_runtime::blocking::block_on;
use llama_runtime::{
    CacheType, ModelSpec, ModelState, PrefixError, Prompt, Request, Runtime, RuntimeConfig, SavedPrefix, Token,
};
use llama_testkit::fixtures;

use crate::{ask, config, edited, exact, greedy, hold, poll_now, read, runtime_of, stats, text};

/// A prompt, to be told from others by `first`.
fn prompt(first: i32, len: i32) -> Vec<Token> {
    (0..len).map(|place| Token(20 + (first + place * 7) % 200)).collect()
}

fn save(runtime: &Runtime, tokens: &[Token]) -> Result<Option<SavedPrefix>, PrefixError> {
    block_on(runtime.save_prefix(None, Prompt::Tokens(tokens.to_vec())))
}

fn restore(runtime: &Runtime, bytes: &[u8]) -> Result<usize, PrefixError> {
    block_on(runtime.restore_prefix(None, bytes))
}

/// What was computed of a prompt and its answer, and the next prompt: both, and 10 tokens more.
fn told(model: &Path, edit: impl FnOnce(&mut llama_runtime::EngineConfig)) -> (SavedPrefix, Vec<Token>) {
    let runtime = runtime_of(model, edited(edit));
    let prompt = prompt(1, 60);
    let (_, finished) = ask(&runtime, greedy(Request::tokens(prompt.clone()), 8).logprobs(0));
    let written = finished.choices[0].logprobs.iter().map(|one| one.token);
    let next: Vec<Token> = prompt.into_iter().chain(written).chain((0..10).map(|place| Token(90 + place))).collect();
    let saved = save(&runtime, &next).unwrap().expect("it was computed a moment ago");
    (saved, next)
}

#[test]
fn another_process_goes_on_where_the_first_one_was() {
    let demo = llama_testkit::golden::demo_model_path();
    for model in [fixtures::tiny_llama(), fixtures::tiny_mamba(), fixtures::tiny_hybrid(), &*demo] {
        let (saved, next) = told(model, |_| {});
        assert!((60..=68).contains(&saved.tokens), "{}: {}", model.display(), saved.tokens);
        let request = || greedy(Request::tokens(next.clone()), 12);
        let (alone, finished) = ask(&runtime_of(model, exact()), request());
        assert_eq!(finished.usage.reused, 0);

        let other = runtime_of(model, exact());
        assert_eq!(restore(&other, &saved.bytes), Ok(saved.tokens));
        let (continued, finished) = ask(&other, request());
        assert_eq!(finished.usage.reused, saved.tokens, "{}", model.display());
        assert_eq!(continued, alone, "{}", model.display());
    }
}

#[test]
fn a_chat_goes_on_in_another_process() {
    let chat = |messages: &[llama_runtime::Message]| greedy(Request::chat(messages.to_vec()), 8);
    let mut messages = vec![llama_runtime::Message::user("Tell a long story about a model that was read twice.")];
    let runtime = runtime_of(fixtures::tiny_tools(), exact());
    let (said, _) = ask(&runtime, chat(&messages));
    messages.push(llama_runtime::Message::assistant(said));
    let render =
        |messages: &[llama_runtime::Message]| Prompt::from(llama_runtime::ChatRequest::new(messages.iter().cloned()));
    let saved = block_on(runtime.save_prefix(None, render(&messages))).unwrap().unwrap();
    drop(runtime);
    messages.push(llama_runtime::Message::user("Go on."));
    let other = runtime_of(fixtures::tiny_tools(), exact());
    assert_eq!(restore(&other, &saved.bytes), Ok(saved.tokens));
    assert_eq!(ask(&other, chat(&messages)).1.usage.reused, saved.tokens);
}

#[test]
fn the_size_is_that_of_the_cells_and_sixteen_bytes_a_token() {
    let size = |tokens: i32, cache: CacheType| {
        let runtime = runtime_of(
            fixtures::tiny_llama(),
            edited(|config| (config.context.cache_k, config.context.cache_v) = (cache, cache)),
        );
        ask(&runtime, greedy(Request::tokens(prompt(1, tokens)), 1));
        save(&runtime, &prompt(1, tokens)).unwrap().unwrap().bytes.len()
    };
    let of_token = |cache| (size(120, cache) - size(60, cache)) / 60;
    let (full, half) = (of_token(CacheType::F32) - 16, of_token(CacheType::F16) - 16);
    assert_eq!(full, 2 * half, "the values of the cache, and nothing else");
    assert!(size(60, CacheType::F32) < 60 * (full + 16) + 512);
}

#[test]
fn nothing_is_saved_where_nothing_was_computed() {
    let runtime = runtime_of(fixtures::tiny_llama(), exact());
    assert_eq!(save(&runtime, &prompt(1, 60)), Ok(None));
    ask(&runtime, greedy(Request::tokens(prompt(1, 60)), 1));
    assert_eq!(save(&runtime, &prompt(3, 60)), Ok(None), "another prompt");
    assert!(save(&runtime, &prompt(1, 40)).unwrap().is_some_and(|saved| saved.tokens == 40), "the beginning of one");
    let lazy = Runtime::builder().model("lazy", ModelSpec::path(fixtures::tiny_llama()).on_demand());
    let lazy = lazy.build_blocking().unwrap();
    assert_eq!(save(&lazy, &prompt(1, 60)), Ok(None));
    assert_eq!(lazy.stats().models[0].state, ModelState::Unloaded, "not loaded for that");
}

#[test]
fn running_requests_go_on_while_prefixes_come_and_go() {
    let (saved, next) = told(fixtures::tiny_llama(), |_| {});
    let runtime = runtime_of(fixtures::tiny_llama(), edited(|config| config.limits.event_buffer = 1024));
    let whole = ask(&runtime, text("Once upon a time", 150)).0;
    let running: Vec<_> = (0..3).map(|_| runtime.submit(text("Once upon a time", 150)).unwrap()).collect();
    assert_eq!(restore(&runtime, &saved.bytes), Ok(saved.tokens));
    let again = save(&runtime, &next).unwrap().unwrap();
    // Its cells need not be in the same order.
    assert_eq!((again.tokens, again.bytes.len()), (saved.tokens, saved.bytes.len()));
    assert_eq!(restore(&runtime, &saved.bytes), Ok(saved.tokens), "it is there already");
    for generation in running {
        assert_eq!(read(generation).0, whole);
    }
    assert_eq!(ask(&runtime, greedy(Request::tokens(next), 4)).1.usage.reused, saved.tokens);
}

#[test]
fn damage_of_any_kind_is_noticed_and_loads_no_model() {
    let (saved, _) = told(fixtures::tiny_llama(), |_| {});
    let spec = ModelSpec::path(fixtures::tiny_llama()).config(exact()).on_demand();
    let runtime = Runtime::builder().model("model", spec).build_blocking().unwrap();
    let refused = |bytes: &[u8]| {
        let result = restore(&runtime, bytes);
        assert!(matches!(result, Err(PrefixError::Damaged { .. })), "{result:?}");
    };
    let len = saved.bytes.len();
    for at in (0..200).chain((0..100).map(|place| place * len / 100)).chain([len - 1]) {
        for bit in [0x01, 0x80] {
            let mut bytes = saved.bytes.clone();
            bytes[at] ^= bit;
            refused(&bytes);
        }
    }
    for cut in [0, 1, 8, 20, 79, 80, len / 2, len - 1] {
        refused(&saved.bytes[..cut]);
    }
    refused(&[&*saved.bytes, &[0]].concat());
    refused(b"something else that somebody gave by mistake, long enough to have a header of eighty bytes or more");
    assert_eq!(runtime.stats().models[0].state, ModelState::Unloaded);
    assert_eq!(restore(&runtime, &saved.bytes), Ok(saved.tokens), "the model is loaded for what is whole");
    assert_eq!(runtime.stats().models[0].state, ModelState::Ready);
}

#[test]
fn what_does_not_fit_this_model_or_context_is_refused_with_the_reason() {
    let (saved, next) = told(fixtures::tiny_llama(), |_| {});
    let refusal = |runtime: &Runtime| {
        let error = restore(runtime, &saved.bytes).unwrap_err();
        let (_, finished) = ask(runtime, greedy(Request::tokens(prompt(1, 20)), 2));
        assert_eq!(finished.usage.reused, 0, "nothing was taken in");
        error
    };
    let error = refusal(&runtime_of(fixtures::tiny_mamba(), exact()));
    assert!(matches!(error, PrefixError::OtherModel { .. }), "{error:?}");

    let error = refusal(&runtime_of(fixtures::tiny_llama(), edited(|config| config.context.cache_k = CacheType::F16)));
    let PrefixError::OtherContext { what: "cache_k", saved: theirs, loaded } = &error else { panic!("{error:?}") };
    assert_eq!((&**theirs, &**loaded), ("f32", "f16"));
    assert!(error.to_string().contains("cache_k f32"), "{error}");

    let (long, _) = {
        let runtime = runtime_of(fixtures::tiny_llama(), exact());
        ask(&runtime, greedy(Request::tokens(prompt(1, 400)), 1));
        (save(&runtime, &prompt(1, 400)).unwrap().unwrap(), next)
    };
    let small = runtime_of(fixtures::tiny_llama(), edited(|config| config.context.n_ctx = Some(256)));
    let error = restore(&small, &long.bytes).unwrap_err();
    assert_eq!(error, PrefixError::TooLong { tokens: 400, limit: 256 });

    let off = runtime_of(fixtures::tiny_llama(), edited(|config| config.cache.prefix_reuse = false));
    assert_eq!(
        (restore(&off, &saved.bytes), save(&off, &prompt(1, 60))),
        (Err(PrefixError::Off), Err(PrefixError::Off))
    );
    let encoder = runtime_of(fixtures::tiny_embedding(), config());
    assert_eq!(restore(&encoder, &saved.bytes), Err(PrefixError::Unsupported));
    assert_eq!(save(&encoder, &prompt(1, 60)), Err(PrefixError::Unsupported));
    let unknown = block_on(small.restore_prefix(Some("nobody"), &saved.bytes)).unwrap_err();
    assert!(matches!(unknown, PrefixError::UnknownModel { .. }), "{unknown:?}");
}

#[test]
fn where_running_requests_need_the_cells_it_waits_in_host_memory_or_is_refused() {
    let (saved, next) = told(fixtures::tiny_llama(), |_| {});
    for host_memory in [0, 1 << 20] {
        let runtime = runtime_of(
            fixtures::tiny_llama(),
            edited(|config| {
                config.context.n_ctx = Some(256);
                config.limits.event_buffer = 4;
                config.cache.host_memory = llama_runtime::Bytes(host_memory);
            }),
        );
        let holder = hold(&runtime);
        let restored = restore(&runtime, &saved.bytes);
        holder.cancel_handle().cancel();
        drop(holder);
        let (_, finished) = ask(&runtime, greedy(Request::tokens(next.clone()), 4));
        if host_memory == 0 {
            assert_eq!(restored, Err(PrefixError::NoRoom { tokens: saved.tokens }));
            assert_eq!(finished.usage.reused, 0);
        } else {
            assert_eq!((restored, finished.usage.reused), (Ok(saved.tokens), saved.tokens));
        }
    }
}

#[test]
fn a_model_that_cannot_be_loaded_is_told() {
    let (saved, _) = told(fixtures::tiny_llama(), |_| {});
    let spec = ModelSpec::path("there is no such file.gguf").on_demand();
    let runtime = Runtime::builder().model("gone", spec).build_blocking().unwrap();
    let error = restore(&runtime, &saved.bytes).unwrap_err();
    assert!(matches!(&error, PrefixError::NotStarted { reason } if reason.contains("no such file")), "{error:?}");
}

#[test]
fn an_errand_that_nobody_waits_for_is_given_up_and_does_not_hold_up_a_shutdown() {
    let (saved, next) = told(fixtures::tiny_llama(), |_| {});
    let mut config = RuntimeConfig::default();
    config.engine = exact();
    let runtime = Runtime::builder().config(config).model("model", ModelSpec::path(fixtures::tiny_llama()));
    let runtime = runtime.build_blocking().unwrap();
    let _running = runtime.submit(text("Once upon a time", 200)).unwrap();
    for _ in 0..20 {
        // Begun at most: they are dropped at once.
        let _ = poll_now(runtime.restore_prefix(None, &saved.bytes));
        let _ = poll_now(runtime.save_prefix(None, Prompt::Tokens(next.clone())));
    }
    assert_eq!(restore(&runtime, &saved.bytes), Ok(saved.tokens), "they left no place taken");
    assert!(stats(&runtime).engine.cells > 0);
    let _ = poll_now(runtime.save_prefix(None, Prompt::Tokens(next)));
    runtime.shutdown_blocking(std::time::Duration::ZERO);
}
