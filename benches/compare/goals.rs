//! What the figures are meant to reach, and whether they do.

use super::results::{Case, Measure, Results, Side};
use super::statistics::Spread;
use crate::models::{Shape, TYPES};

/// A ratio of two sides, and its bound.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    /// The cases by model; of several, the worst one counts.
    cases: Vec<(&'static str, Vec<Case>)>,
    sides: [Side; 2],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}"),
            Self::AtMost(bound) => format!("at most {bound}"),
        }
    }

    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

/// What came of a goal with a model.
#[derive(Debug, PartialEq)]
pub(crate) enum Reached {
    /// The worst case's ratio, and whether it is within the bound.
    Measured(Spread, bool),
    /// The types that there are no two samples of one round of. A goal is not judged by a part of what it is about.
    NotMeasured(Vec<String>),
}

impl Goal {
    /// For each model.
    pub(crate) fn reached(&self, results: &Results) -> Vec<(&'static str, Reached)> {
        self.cases.iter().map(|(model, cases)| (*model, self.of_model(results, cases))).collect()
    }

    fn of_model(&self, results: &Results, cases: &[Case]) -> Reached {
        let [side, reference] = self.sides;
        let mut worst: Option<Spread> = None;
        let mut missing = Vec::new();
        for case in cases {
            let Some(ratio) = results.ratio(case, side, reference) else {
                missing.push(case.file_type.to_uppercase());
                continue;
            };
            let is_worse = worst.is_none_or(|worst| match self.bound {
                Bound::AtLeast(_) => ratio.median < worst.median,
                Bound::AtMost(_) => ratio.median > worst.median,
            });
            if is_worse {
                worst = Some(ratio);
            }
        }
        match worst.filter(|_| missing.is_empty()) {
            Some(worst) => Reached::Measured(worst, self.bound.is_met(worst.median)),
            None => Reached::NotMeasured(missing),
        }
    }
}

/// All of them.
pub(crate) fn goals() -> Vec<Goal> {
    let mut goals = Vec::new();
    let kernels = [
        ("q8_0", &[1][..], 1.6),
        ("q8_0", &[2, 4, 8], 3.0),
        ("q4_0", &[1], 1.3),
        ("q4_0", &[4, 8], 2.0),
        ("q4_k_m", &[1], 1.3),
        ("q4_k_m", &[4, 8], 2.0),
    ];
    for (file_type, widths, bound) in kernels {
        for width in widths {
            let sequences = if *width == 1 { "one sequence".to_owned() } else { format!("{width} sequences") };
            let case = |shape: Shape| vec![Case::new(Measure::Decode, shape.name(), file_type, *width)];
            goals.push(Goal {
                what: format!("{}, {sequences}, kernels on to off", file_type.to_uppercase()),
                bound: Bound::AtLeast(bound),
                cases: Shape::ALL.into_iter().map(|shape| (shape.name(), case(shape))).collect(),
                sides: [Side::On, Side::Off],
            });
        }
    }
    let prompts =
        |shape: Shape| TYPES.iter().map(move |one| Case::new(Measure::Prefill, shape.name(), one.name, 1)).collect();
    goals.push(Goal {
        what: "a prompt, the worst of all types, kernels on to off".to_owned(),
        bound: Bound::AtLeast(0.97),
        cases: Shape::ALL.into_iter().map(|shape| (shape.name(), prompts(shape))).collect(),
        sides: [Side::On, Side::Off],
    });
    goals.extend(of_programs());
    goals
}

fn of_programs() -> impl Iterator<Item = Goal> {
    let served = |measure, neighbour| {
        let case = Case::new(measure, Shape::Small.name(), "q8_0", 8);
        (Shape::Small.name(), vec![Case { neighbour, ..case }])
    };
    let single = || ("0.2b", vec![Case::new(Measure::Single, "0.2b", "q8_0", 1)]);
    let start = || ("demo", vec![Case::new(Measure::Start, "demo", "q8_0", 1)]);
    let against_server = [Side::On, Side::Upstream];
    [
        (
            "8 clients, tok/s to upstream's server",
            Bound::AtLeast(2.0),
            served(Measure::ServeRate, false),
            against_server,
        ),
        ("the same beside a busy process", Bound::AtLeast(2.0), served(Measure::ServeRate, true), against_server),
        (
            "8 clients, first token p50 to upstream's",
            Bound::AtMost(1.0),
            served(Measure::ServeFirst, false),
            against_server,
        ),
        (
            "8 clients, between tokens p99 to upstream's",
            Bound::AtMost(1.0),
            served(Measure::ServeLongGap, false),
            against_server,
        ),
        ("`run` to the bare loop, tok/s", Bound::AtLeast(0.98), single(), [Side::On, Side::Bare]),
        ("a whole process to upstream's `llama-completion`", Bound::AtMost(1.0), start(), against_server),
        ("a whole process to upstream's `llama-cli`", Bound::AtMost(0.25), start(), [Side::On, Side::UpstreamCli]),
    ]
    .into_iter()
    .map(|(what, bound, case, sides)| Goal { what: what.to_owned(), bound, cases: vec![case], sides })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(what: &str) -> Goal {
        goals().into_iter().find(|goal| goal.what.starts_with(what)).expect("there is one")
    }

    fn verdict(what: &str, model: &str, results: &Results) -> (f64, bool) {
        let reached = goal(what).reached(results);
        match reached.iter().find(|(name, _)| *name == model) {
            Some((_, Reached::Measured(ratio, met))) => (ratio.median, *met),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_prompt_is_judged_by_its_worst_type() {
        let mut results = Results::default();
        for one in TYPES {
            let case = Case::new(Measure::Prefill, "0.6b", one.name, 1);
            results.push(case.clone(), Side::Off, 0, 100.0);
            results.push(case, Side::On, 0, if one.name == "q4_0" { 96.0 } else { 120.0 });
        }
        assert_eq!(verdict("a prompt", "0.6b", &results), (0.96, false));
    }

    #[test]
    fn a_goal_is_not_judged_by_a_part_of_its_cases() {
        let mut results = Results::default();
        for one in &TYPES[1..] {
            let case = Case::new(Measure::Prefill, "0.2b", one.name, 1);
            results.push(case.clone(), Side::Off, 0, 100.0);
            results.push(case, Side::On, 0, 120.0);
        }
        let first = TYPES[0].name.to_uppercase();
        let reached = goal("a prompt").reached(&results);
        assert_eq!(reached[0], ("0.2b", Reached::NotMeasured(vec![first])));
        assert!(matches!(&reached[1], ("0.6b", Reached::NotMeasured(all)) if all.len() == TYPES.len()), "{reached:?}");
    }

    #[test]
    fn a_start_is_judged_by_the_most_it_may_take() {
        let mut results = Results::default();
        let case = Case::new(Measure::Start, "demo", "q8_0", 1);
        for (side, ms) in [(Side::On, 25.0), (Side::Upstream, 30.0), (Side::UpstreamCli, 90.0)] {
            results.push(case.clone(), side, 0, ms);
        }
        assert!(verdict("a whole process to upstream's `llama-completion`", "demo", &results).1);
        assert!(!verdict("a whole process to upstream's `llama-cli`", "demo", &results).1);
    }
}
