//! The threads of a context: they come, go and wait, and the logits are the same.

use crate::setup::{any_tokens, apart, context, demo, exact, feed};
use llama_core::SeqId;

#[test]
fn threads_come_and_go_between_decodes() {
    let tokens = any_tokens(demo(), 44, 9);
    let mut one = context(demo(), &exact());
    let mut ctx = context(demo(), &exact());
    // Up, down, alone, and numbers so far apart that threads are ended; several times before a decode too.
    let numbers = [2, 3, 1, 2, 12, 2, 1, 1, 5, 2, 16];
    for (piece, n) in tokens.chunks(4).zip(numbers) {
        for before in [9, 1, 2, 20, n] {
            ctx.set_threads(before, n).unwrap();
        }
        let expected = feed(&mut one, piece, SeqId::ZERO);
        assert!(apart(&expected, &feed(&mut ctx, piece, SeqId::ZERO)) <= 1e-4, "{n} threads");
    }
}

#[test]
fn more_threads_than_cores_get_through_many_steps() {
    // Each step has some hundred places where all wait for the last; with threads that wait without end on a core that
    // another one needs, this takes a slice of the scheduler at each.
    let mut params = exact();
    params.n_threads = Some(6);
    let mut ctx = context(demo(), &params);
    for token in any_tokens(demo(), 60, 4) {
        feed(&mut ctx, &[token], SeqId::ZERO);
    }
    assert_eq!(ctx.memory().unwrap().positions(SeqId::ZERO).unwrap(), Some(0..=59));
}

/// What the system says of the threads of this process.
#[cfg(target_os = "linux")]
mod counted {
    use super::*;
    use llama_core::llama_cpp_source;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    /// Runs `work` on a thread of this name. A thread has the name of the one that started it, which tells those of this test
    /// from those of others that run meanwhile.
    fn named(name: &str, work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap().join().unwrap();
    }

    /// The threads that the calling one and those it has started have started, by number.
    fn started() -> BTreeSet<String> {
        let name_of = |task: &str| std::fs::read_to_string(format!("/proc/self/task/{task}/comm"));
        let me = std::fs::read_link("/proc/thread-self").unwrap();
        let me = me.file_name().unwrap().to_str().unwrap().to_owned();
        let name = name_of(&me).unwrap();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let tasks = tasks.filter_map(|task| task.file_name().into_string().ok());
        // One that has ended meanwhile has no name.
        tasks.filter(|task| *task != me && name_of(task).is_ok_and(|other| other == name)).collect()
    }

    /// A thread that was joined is listed a moment longer.
    fn started_at_most(n: usize) -> usize {
        let begun = Instant::now();
        loop {
            let now = started().len();
            if now <= n || begun.elapsed() > Duration::from_secs(10) {
                return now;
            }
            std::thread::yield_now();
        }
    }

    /// With the patch, and if it is not OpenMP that starts the threads.
    fn has_pools() -> bool {
        llama_cpp_source() == "pinned" && !cfg!(feature = "openmp")
    }

    #[test]
    fn a_context_that_never_decodes_ends_its_threads() {
        demo();
        named("never-decodes", || {
            let mut ctx = context(demo(), &exact());
            assert_eq!(started().len(), 0, "one thread computes");
            let mut before = 1;
            for n in [2, 40, 3, 64, 1, 5, 2, 80, 2, 100, 2, 120, 2, 140, 2, 160, 2, 200, 2] {
                ctx.set_threads(n, n).unwrap();
                if n == 1 {
                    continue;
                }
                let most = (n.max(before) - 1 + n.min(before) - 1) as usize;
                let now = started_at_most(most);
                assert!(now <= most, "{now} threads, {n} are wanted and {before} were");
                assert!(now >= n as usize - 1 || !has_pools(), "{now} threads, {n} are wanted");
                before = n;
            }
            drop(ctx);
            assert_eq!(started_at_most(0), 0);
        });
    }

    #[test]
    fn prompts_and_single_tokens_keep_the_threads_that_they_have() {
        if !has_pools() {
            return;
        }
        named("taking-turns", || {
            let mut ctx = context(demo(), &exact());
            let tokens = any_tokens(demo(), 60, 9);
            let mut threads = BTreeSet::new();
            for (turn, piece) in tokens.chunks(6).enumerate() {
                ctx.set_threads(12, 12).unwrap();
                feed(&mut ctx, &piece[..5], SeqId::ZERO);
                ctx.set_threads(2, 2).unwrap();
                feed(&mut ctx, &piece[5..], SeqId::ZERO);
                if turn == 0 {
                    threads = started();
                    assert_eq!(threads.len(), 11 + 1);
                }
                assert_eq!(started(), threads, "turn {turn}");
            }
        });
    }

    /// How often the calling thread and those that it has started gave up a core to wait.
    fn waits() -> u64 {
        let me = std::fs::read_link("/proc/thread-self").unwrap();
        let me = me.file_name().unwrap().to_str().unwrap().to_owned();
        let tasks = started().into_iter().chain([me]);
        let status = tasks.map(|task| std::fs::read_to_string(format!("/proc/self/task/{task}/status")).unwrap());
        let count = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        status.map(count).sum()
    }

    #[test]
    fn threads_that_have_one_core_sleep_while_they_wait_for_each_other() {
        if !has_pools() {
            return;
        }
        demo();
        named("one-core", || {
            let mut cores = sched_getaffinity(None).unwrap();
            let first = (0..CpuSet::MAX_CPU).find(|core| cores.is_set(*core)).unwrap();
            cores.clear();
            cores.set(first);
            sched_setaffinity(None, &cores).unwrap();
            let mut params = exact();
            params.n_threads = Some(2);
            let mut ctx = context(demo(), &params);
            let tokens = any_tokens(demo(), 48, 4);
            let (first, rest) = tokens.split_at(8);
            for token in first {
                feed(&mut ctx, &[*token], SeqId::ZERO);
            }
            let before = waits();
            for token in rest {
                feed(&mut ctx, &[*token], SeqId::ZERO);
            }
            // Threads that look for each other without end only wait for the next step: once or twice in each.
            let of_each = (waits() - before) / rest.len() as u64;
            assert!(of_each >= 12, "they waited {of_each} times in each step");
        });
    }
}
