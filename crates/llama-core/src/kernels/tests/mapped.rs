//! Weights stay where the file is mapped: there is no second copy of them. Looked up in Linux's list of mappings, with a model
//! that nothing is declined of on x86.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use super::{Switch, context, load, logits_of_each};
use crate::ids::Token;
use llama_kernels::hook;
use llama_testkit::golden;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tasks whose weights lie in a mapping of the demo model's file, and others.
static MAPPED: AtomicUsize = AtomicUsize::new(0);
static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);

/// Asks and computes as ours do, and looks where the weights are.
unsafe extern "C" fn looking(task: *const hook::Task) -> bool {
    // SAFETY: a live task; the address of the weights follows two `i32` and three `i64`.
    let weights = unsafe { task.cast::<u8>().add(32).cast::<usize>().read() };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let holds = |line: &str| {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let bounds = [from, to].map(|at| usize::from_str_radix(at, 16));
        Some((bounds[0].clone().ok()?..bounds[1].clone().ok()?).contains(&weights) && line.ends_with("demo-q8_0.gguf"))
    };
    let counter = if maps.lines().any(|line| holds(line) == Some(true)) { &MAPPED } else { &ELSEWHERE };
    counter.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the caller's promise is passed on.
    unsafe { hook::mul_mat(task) }
}

#[test]
fn weights_are_read_where_the_file_is_mapped() {
    let Some(_switch) = Switch::take() else { return };
    let model = load(&golden::demo_model_path());
    let mut context = context(&model);
    assert!(crate::kernels::give(Some(looking)));
    logits_of_each(&mut context, &[Token(5), Token(6)], 1);
    let (mapped, elsewhere) = (MAPPED.load(Ordering::Relaxed), ELSEWHERE.load(Ordering::Relaxed));
    // Seven matrices in each of five layers and the output, asked and computed, for two tokens. The cache's products are
    // asked for too if attention is no single operation.
    assert!(mapped >= 2 * 2 * (7 * 5 + 1), "{mapped} in the mapping, {elsewhere} elsewhere");
    println!("{mapped} tasks with weights in the mapping, {elsewhere} elsewhere");
}
