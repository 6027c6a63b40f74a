//! Aborts: what they stop, and what goes on afterwards.

use super::*;

/// Calls a function whenever llama.cpp logs.
struct OnLog<F>(F);

impl<F: Fn() + Send + Sync + 'static> tracing::Subscriber for OnLog<F> {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "llama_cpp"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        (self.0)();
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Carries out a plan, and aborts as soon as llama.cpp is at work.
fn step_aborted_inside(executor: &mut LlamaExecutor, plan: &Plan) -> StepResult {
    let switch = executor.abort_switch();
    assert!(!switch.is_aborted());
    // Any change to control vectors makes the next decode plan its buffers anew, and log that.
    executor.cache().context().clear_control_vector().unwrap();
    // A lone subscriber is asked for its interest on the thread that logs first, which may be one of another test.
    let _second = tracing::Dispatch::new(OnLog(|| {}));
    tracing::subscriber::with_default(OnLog(move || switch.abort()), || executor.step(plan))
}

#[test]
fn an_abort_inside_a_decode_leaves_sequences_where_they_were_or_empty() {
    for model in generators() {
        let prompt = tokens(model, 100, 1);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        done(&mut executor, &[], &[stored(0, 0, &prompt[..20]), stored(1, 0, &prompt[..5])]);
        let result = step_aborted_inside(&mut executor, &plan(&[], &[piece(1, 0, 20, &prompt[20..])]));
        let StepEnd::Aborted { held: left } = result.end else { panic!("{model:?}: {result:?}") };
        let [(Slot(0), kept)] = left[..] else { panic!("{model:?}: {left:?}") };
        let facts = model.facts();
        let is_restored = !facts.is_recurrent && !facts.is_hybrid;
        assert_eq!(kept, if is_restored { 20 } else { 0 }, "{model:?}");
        assert!(result.outputs.is_empty());
        executor.clear_abort();
        assert_eq!(held(&mut executor, 1), 5, "others are as before");
        assert_eq!(go_on(&mut executor, (1, 0, kept), &prompt[kept..], 5), greedy(model, &prompt, 5), "{model:?}");
    }
}

#[test]
fn an_abort_before_a_step_costs_nothing() {
    for model in generators() {
        let prompt = tokens(model, 30, 2);
        let mut executor = executor(model);
        open(&mut executor, key(1), work(&prompt));
        done(&mut executor, &[], &[stored(0, 0, &prompt[..20])]);
        executor.abort_switch().abort();
        assert!(executor.abort_switch().is_aborted());
        for _ in 0..2 {
            let result = executor.step(&plan(&[copy(0, 1, 20)], &[piece(1, 0, 20, &prompt[20..])]));
            let StepEnd::Aborted { held } = result.end else { panic!("{result:?}") };
            assert_eq!(held, [(Slot(0), 20)], "{model:?}");
        }
        executor.clear_abort();
        assert!(!executor.abort_switch().is_aborted());
        assert_eq!(go_on(&mut executor, (1, 0, 20), &prompt[20..], 5), greedy(model, &prompt, 5), "{model:?}");
        assert_eq!(held(&mut executor, 1), 20, "operations were carried out");
    }
}

#[test]
fn an_abort_that_was_cleared_does_not_hit_the_next_step() {
    let prompt = tokens(llama(), 10, 3);
    let mut executor = executor(llama());
    let switch = executor.abort_switch();
    switch.abort();
    executor.clear_abort();
    done(&mut executor, &[], &[stored(0, 0, &prompt)]);
}

#[test]
fn the_switch_stops_a_context_that_was_made_later() {
    let prompt = tokens(llama(), 10, 5);
    let mut executor = executor(llama());
    let switch = executor.abort_switch();
    executor.cache().fails_next = Some(llama_core::DecodeError::Fatal { code: -2, reason: "test".to_owned() });
    let failed = executor.step(&plan(&[], &[stored(0, 0, &prompt)]));
    assert!(matches!(failed.end, StepEnd::Failed(_)), "{failed:?}");
    switch.abort();
    let result = executor.step(&plan(&[], &[stored(0, 0, &prompt)]));
    assert!(matches!(result.end, StepEnd::Aborted { .. }), "{result:?}");
}
