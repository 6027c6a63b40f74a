//! Properties of the scheduler over random worlds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use llama_core::Token;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::world::{Client, End, World, prompt};
use crate::executor::Abilities;
use crate::ids::RequestId;
use crate::plan::{AdapterKey, CacheOp, SeqKey};
use crate::priority::Priority;
use crate::scheduler::{Ask, Bounds, Scheduler};
use crate::testing::{FakeModel, Trouble};

/// Worlds for each property. `PROPTEST_CASES` of the environment replaces it.
const CASES: u32 = 3500;

/// The same worlds in every run; `PROPTEST_RNG_SEED` of the environment gives others.
fn config() -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    // What proptest says when the environment says nothing.
    if config.cases == 256 {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(7);
    }
    config
}

fn abilities() -> impl Strategy<Value = Abilities> {
    let shape = (1..=6_usize, 24..=120_usize, 1..=24_usize, any::<bool>());
    (shape, prop::option::weighted(0.8, 0..=1_usize)).prop_map(|((slots, cells, batch_limit, partial), limited)| {
        Abilities {
            slots,
            cells: limited.map(|_| cells),
            sequence_limit: cells,
            batch_limit,
            partial,
            generates: true,
            embed_limit: 8,
            embed_batch: 3,
            saved_bytes: 4,
            saved_bytes_per_token: 1,
        }
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let tokens = (1..=6_usize, 1..=24_usize, 1..=8_usize, 1..=6_usize);
    let rest = (any::<bool>(), 0..=100_usize, 0..=6_u64, 1..=8_usize, 1..=20_u64, 0..=9_u64);
    (tokens, rest).prop_map(|((max_sequences, step_tokens, min_chunk, min_prefix), rest)| Bounds {
        max_sequences,
        step_tokens,
        step_time: Duration::from_micros(100 * rest.4),
        min_chunk,
        min_prefix,
        prefix_reuse: rest.0,
        host_memory: rest.1,
        park_after: Duration::from_millis(rest.2),
        aging: Duration::from_millis(rest.5),
        elastic_block: rest.3,
    })
}

fn client() -> impl Strategy<Value = Client> {
    let tokens = (0..=2_i32, 0..=16_usize, 1..=8_usize, prop::option::weighted(0.7, 1..=10_usize));
    let kind = (prop_oneof![4 => Just(1_u32), 1 => 2..=3_u32], 0..3_usize, 0..=1_u64, 0..8_usize);
    let life = (0..=12_usize, 0..=20_usize, 0..=10_usize, prop::option::weighted(0.15, 0..=24_usize));
    (tokens, kind, life).prop_map(|((family, shared, own, max_tokens), (choices, priority, adapters, embeds), life)| {
        let mut ask = Ask {
            id: RequestId(0),
            prompt: prompt(family, shared, own, u64::try_from(own % 3).unwrap()),
            max_tokens,
            choices,
            priority: [Priority::Background, Priority::Normal, Priority::Interactive][priority],
            adapters: AdapterKey(adapters),
            embeds: Vec::new(),
        };
        if embeds == 0 {
            ask.embeds = (0..=own % 4).map(|i| ask.prompt.iter().take(1 + i).copied().collect()).collect();
            (ask.prompt, ask.choices) = (std::sync::Arc::new([]), 1);
        }
        let (arrives, pause, pauses, cancels) = life;
        let pause = if pauses > 5 { pause..pause + pauses } else { 0..0 };
        Client { ask, arrives, pause, cancels: cancels.map(|after| arrives + after) }
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        12 => Just(Trouble::None),
        1 => Just(Trouble::Fail),
        2 => Just(Trouble::NoRoom),
        2 => (0..30_usize).prop_map(|keep| Trouble::Abort { keep }),
        2 => Just(Trouble::Misplace),
        1 => Just(Trouble::FailSample),
        1 => Just(Trouble::Poison),
        2 => Just(Trouble::FailSave),
        2 => Just(Trouble::FailLoad),
        1 => Just(Trouble::FailEmbed),
    ]
}

fn world(troubles: usize) -> impl Strategy<Value = World> {
    let clients = prop::collection::vec(client(), 1..=8);
    let parts = (abilities(), bounds(), clients, 0..=12_u64, prop::collection::vec(trouble(), 0..=troubles));
    (parts, 0..=3_usize).prop_map(|((abilities, bounds, mut clients, end_every, troubles), errands)| {
        for (client, id) in clients.iter_mut().zip(0..) {
            client.ask.id = RequestId(id);
        }
        clients.retain(|client| Scheduler::fits(&abilities, &bounds, &client.ask).is_ok());
        World { abilities, bounds, model: FakeModel { vocabulary: 40, end_every }, clients, troubles, errands }
    })
}

/// Adds up what happens in some worlds, so that a rule nobody reaches is noticed.
#[test]
fn the_worlds_reach_every_rule() {
    let mut runner = TestRunner::new(Config { cases: 300, ..config() });
    let seen = RefCell::new(BTreeMap::<&str, u64>::new());
    let all = runner.run(&world(10), |world| {
        let history = world.run();
        let mut seen = seen.borrow_mut();
        let mut add = |name, count: usize| *seen.entry(name).or_default() += count as u64;
        add("parked", usize::try_from(history.parkings).unwrap());
        for plan in &history.plans {
            for op in &plan.ops {
                add(
                    match op {
                        CacheOp::Copy { .. } => "copied",
                        CacheOp::Truncate { .. } => "cut",
                        CacheOp::Save { .. } => "saved",
                        CacheOp::Load { .. } => "loaded",
                        CacheOp::Forget { .. } => "forgotten",
                    },
                    1,
                );
            }
            add("together", usize::from(plan.pieces.len() > 2));
            add("mixed", usize::from(plan.pieces.iter().any(|p| p.tokens.len() > 1) && plan.pieces.len() > 1));
            add("beside embeddings", usize::from(!plan.embeds.is_empty() && !plan.pieces.is_empty()));
            add("other adapters", usize::from(plan.adapters != AdapterKey(0)));
        }
        for end in history.ends.values() {
            add(if *end == End::Finished { "finished" } else { "not finished" }, 1);
        }
        Ok(())
    });
    all.unwrap();
    let seen = seen.into_inner();
    assert!(seen.len() == 12 && seen.values().all(|count| *count >= 20), "{seen:?}");
}

/// What a request writes when it is alone.
fn alone(world: &World, ask: &Ask) -> Vec<Token> {
    let room = world.abilities.sequence_limit - ask.prompt.len();
    world.model.alone(&ask.prompt, ask.adapters, ask.max_tokens.unwrap_or(room).min(room))
}

/// Runs a world twice: everything in it is checked, the answers are those of each request alone, and the plans are the same.
fn check(world: &World) {
    let history = world.run();
    for client in world.clients.iter().filter(|client| client.ask.embeds.is_empty()) {
        let alone = alone(world, &client.ask);
        for choice in 0..client.ask.choices {
            let seq = SeqKey { request: client.ask.id, choice };
            let answer = history.answers.get(&seq).cloned().unwrap_or_default();
            assert!(alone.starts_with(&answer), "{seq:?} wrote {answer:?} instead of {alone:?}");
            if history.ends[&seq] == End::Finished {
                assert_eq!(answer, alone, "{seq:?} stopped early");
            }
        }
    }
    if world.troubles.iter().all(|trouble| matches!(trouble, Trouble::None)) {
        let failed = history.ends.values().find(|end| matches!(end, End::Failed(_)));
        assert_eq!(failed, None, "nothing went wrong");
    }
    assert_eq!(world.run(), history, "the same world twice");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everybody_finishes_once_with_the_answer_it_would_get_alone(world in world(0)) {
        check(&world);
    }

    #[test]
    fn whatever_fails_hurts_only_whom_it_must(world in world(30)) {
        check(&world);
    }

    #[test]
    fn nothing_is_lost_where_sequences_cannot_be_cut(mut world in world(10)) {
        world.abilities.partial = false;
        world.clients.retain(|client| Scheduler::fits(&world.abilities, &world.bounds, &client.ask).is_ok());
        check(&world);
    }
}
