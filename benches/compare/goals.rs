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

impl Goal {
    /// For each model the ratio and whether it is within the bound; nothing where it was not measured.
    pub(crate) fn reached(&self, results: &Results) -> Vec<(&'static str, Spread, bool)> {
        let [side, reference] = self.sides;
        let of_model = |(model, cases): &(&'static str, Vec<Case>)| {
            let ratios = cases.iter().filter_map(|case| results.ratio(case, side, reference));
            let worst = ratios.reduce(|a, b| {
                let a_is_worse = match self.bound {
                    Bound::AtLeast(_) => a.median <= b.median,
                    Bound::AtMost(_) => a.median >= b.median,
                };
                if a_is_worse { a } else { b }
            })?;
            Some((*model, worst, self.bound.is_met(worst.median)))
        };
        self.cases.iter().filter_map(of_model).collect()
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

    #[test]
    fn a_prompt_is_judged_by_its_worst_type() {
        let mut results = Results::default();
        for (file_type, on) in [("q8_0", 120.0), ("bf16", 96.0), ("f16", 100.0)] {
            let case = Case::new(Measure::Prefill, "0.6b", file_type, 1);
            results.push(case.clone(), Side::Off, 0, 100.0);
            results.push(case, Side::On, 0, on);
        }
        let reached = goal("a prompt").reached(&results);
        assert_eq!(
            reached.iter().map(|(model, ratio, met)| (*model, ratio.median, *met)).collect::<Vec<_>>(),
            [("0.6b", 0.96, false)]
        );
    }

    #[test]
    fn a_start_is_judged_by_the_most_it_may_take() {
        let mut results = Results::default();
        let case = Case::new(Measure::Start, "demo", "q8_0", 1);
        for (side, ms) in [(Side::On, 25.0), (Side::Upstream, 30.0), (Side::UpstreamCli, 90.0)] {
            results.push(case.clone(), side, 0, ms);
        }
        let met = |what| goal(what).reached(&results).iter().map(|(.., met)| *met).collect::<Vec<_>>();
        assert_eq!(met("a whole process to upstream's `llama-completion`"), [true]);
        assert_eq!(met("a whole process to upstream's `llama-cli`"), [false]);
        assert!(goal("Q8_0, 2 sequences").reached(&results).is_empty());
    }
}
