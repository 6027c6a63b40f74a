//! How many threads compute: what can be asked for, what was chosen, and why: [`ThreadChoice`].
//!
//! More threads are not always faster: memory may be the limit, cores may be shared by two threads each, or be busy with
//! something else, and then all threads of a step wait for the last. So the number is not that of the cores. It is measured when
//! the model is loaded, within a bound and only where a step takes long enough to matter ([`measure`]), and steps themselves tell
//! when it is no longer right ([`tuner`]). Nothing here computes or looks at a clock.

pub(crate) mod measure;
pub(crate) mod tuner;

use serde::{Deserialize, Serialize};

/// Threads for the two kinds of steps. 0 where there is no engine, and in [`ThreadChoice::keep`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadCounts {
    /// For steps of answers, with a token of each.
    pub decode: u32,
    /// For steps with parts of prompts.
    pub prefill: u32,
}

/// How the number of threads was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ThreadsFrom {
    /// [`ContextConfig::threads`](crate::ContextConfig::threads) says so.
    Fixed,
    /// [`ModelSpec::known_threads`](crate::ModelSpec::known_threads) says so; steps may show otherwise.
    Known,
    /// Measured when the model was loaded; steps may show otherwise.
    Measured {
        /// Both kinds of steps were measured to the end, and the same number of threads took the same time whenever it was
        /// tried. Otherwise there was no time for one of them, or the machine was busy; steps show what is best.
        steady: bool,
    },
    /// Not measured, or not to the end, since a step is too short or too long for that; steps show what is best.
    #[default]
    Assumed,
}

/// What an engine computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ThreadChoice {
    /// The numbers; when the model was loaded, or now, see where this stands.
    pub counts: ThreadCounts,
    /// Where they are from.
    pub from: ThreadsFrom,
    /// What measuring at this load found for other times, to give to
    /// [`ModelSpec::known_threads`](crate::ModelSpec::known_threads) at the next load: a number that was measured to the end, or
    /// 0 for steps that take too long for that. `None` if nothing was measured, or the machine was busy.
    pub keep: Option<ThreadCounts>,
}

/// The numbers of threads that are tried, smallest first: one, the most, and between them steps of a third to a half.
pub(crate) fn ladder(most: u32) -> Vec<u32> {
    let mut counts = vec![most.max(1)];
    let mut half = most;
    while half > 1 {
        counts.extend([half * 3 / 4, half / 2]);
        half /= 2;
    }
    counts.retain(|count| *count > 0);
    counts.sort_unstable();
    counts.dedup();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_has_one_the_most_and_few_between() {
        assert_eq!(ladder(0), [1]);
        assert_eq!(ladder(1), [1]);
        assert_eq!(ladder(2), [1, 2]);
        assert_eq!(ladder(8), [1, 2, 3, 4, 6, 8]);
        assert_eq!(ladder(12), [1, 2, 3, 4, 6, 9, 12]);
        assert!(ladder(512).len() < 20);
    }
}
