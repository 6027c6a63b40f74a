//! Who goes first: [`Priority`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who goes first where not all can. Higher ones are taken from the queue first, and may take the place of lower ones that
/// run already.
///
/// Among requests of one priority, who came first is served first. A request that has waited long counts as more urgent
/// than it says, so that none waits for ever. In serialised form the names are in lower case: `"background"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Priority {
    /// Work that nobody waits for, such as batch jobs.
    Background,
    /// The default.
    #[default]
    Normal,
    /// Somebody watches the answer appear.
    Interactive,
}

impl Priority {
    /// How many there are.
    pub(crate) const COUNT: usize = 3;

    /// The rank among the priorities, from 0 for the least urgent to [`Self::COUNT`] - 1.
    pub(crate) fn level(self) -> usize {
        match self {
            Self::Background => 0,
            Self::Normal => 1,
            Self::Interactive => 2,
        }
    }

    /// What it counts as after a wait: one higher for each `aging`, up to the highest. An aging of zero is none.
    pub(crate) fn after(self, waited: Duration, aging: Duration) -> Self {
        let steps = waited.as_nanos().checked_div(aging.as_nanos()).unwrap_or(0);
        match (self, steps) {
            (_, 0) => self,
            (Self::Background, 1) => Self::Normal,
            _ => Self::Interactive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Priority};

    const ALL: [Priority; Priority::COUNT] = [Priority::Background, Priority::Normal, Priority::Interactive];

    #[test]
    fn the_more_urgent_is_the_greater_and_levels_follow() {
        assert!(ALL.is_sorted());
        assert_eq!(ALL.map(Priority::level), [0, 1, 2]);
        assert_eq!(Priority::default(), Priority::Normal);
    }

    #[test]
    fn who_waits_counts_as_more_urgent() {
        let aging = Duration::from_secs(1);
        let after = |millis| Priority::Background.after(Duration::from_millis(millis), aging);
        assert_eq!([999, 1000, 1999, 2000, 99_999].map(after), [ALL[0], ALL[1], ALL[1], ALL[2], ALL[2]]);
        assert_eq!(Priority::Normal.after(aging, aging), Priority::Interactive);
        assert_eq!(Priority::Normal.after(aging, Duration::ZERO), Priority::Normal);
    }

    #[test]
    fn names_in_configuration_are_lower_case() {
        let names = ALL.map(|priority| serde_json::to_value(priority).unwrap());
        assert_eq!(names, ["background", "normal", "interactive"]);
        assert_eq!(serde_json::from_str::<Priority>(r#""interactive""#).unwrap(), Priority::Interactive);
        assert!(serde_json::from_str::<Priority>(r#""urgent""#).is_err());
    }
}
