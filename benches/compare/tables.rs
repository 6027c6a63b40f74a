//! Tables in Markdown, drawn from results.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::goals::{self, Reached};
use super::results::{Case, How, Measure, Results, Row, Section, Side};
use super::speeds::WIDTHS;
use crate::models::{Shape, TYPES};

/// A table or a paragraph, and the name of its place in the document.
type Block = (&'static str, fn(&Results) -> String);

/// All of them, in the order of the document.
pub(crate) const BLOCKS: [Block; 8] = [
    ("how", how),
    ("goals", goals_reached),
    ("memory", memory),
    ("speeds", speeds),
    ("gains", gains),
    ("serving", serving),
    ("single", single),
    ("start", start),
];

/// Everything, for a terminal.
pub(crate) fn all(results: &Results) -> String {
    BLOCKS.iter().fold(String::new(), |text, (name, block)| text + "\n" + name + "\n\n" + &block(results))
}

fn table(head: &[String], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "Not measured.\n".to_owned();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    rows.iter().fold(line(head) + &rule, |text, row| text + &line(row))
}

fn words(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Where and when each section was measured; a line for each run that rows are left of.
fn how(results: &Results) -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let runs = results.runs(section);
        for (how, rows) in &runs {
            let part = if runs.len() > 1 { format!(" ({})", files(rows)) } else { String::new() };
            text += &of_a_run(section.name(), &part, how, rows);
        }
    }
    if text.is_empty() { "Not measured.\n".to_owned() } else { text }
}

fn of_a_run(section: &str, part: &str, how: &How, rows: &[&Row]) -> String {
    let load = how.load.map_or("not known".to_owned(), |load| format!("{load:.2}"));
    let upstream = how.upstream.as_deref().unwrap_or("not named");
    let mut text = format!(
        "- **{section}**{part}: {} ({} cores), {} threads, kernels {}; upstream {upstream}; load before the run {load}; \
         samples: {}",
        how.processor,
        how.cores,
        how.threads,
        how.kernels,
        counts(rows)
    );
    if how.quick {
        text.push_str("; **a short run for trying, whose figures mean little**");
    }
    text.push_str(".\n");
    how.notes.iter().fold(text, |text, note| text + "  - " + note + ".\n")
}

/// How many samples each side has; from the fewest to the most where rows differ.
fn counts(rows: &[&Row]) -> String {
    let mut sides = BTreeMap::new();
    for (side, samples) in rows.iter().flat_map(|row| &row.samples) {
        let count = samples.iter().flatten().count();
        let (fewest, most) = sides.entry(*side).or_insert((count, count));
        (*fewest, *most) = (count.min(*fewest), count.max(*most));
    }
    let told = sides.into_iter().map(|(side, (fewest, most))| {
        let count = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
        format!("{} {count}", side.title())
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The models and types of rows.
fn files(rows: &[&Row]) -> String {
    let mut files = Vec::new();
    for row in rows {
        let file = format!("{}/{}", row.case.model, row.case.file_type);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files.join(", ")
}

/// A row for every goal, also for those that nothing was measured for.
fn goals_reached(results: &Results) -> String {
    let mut rows = Vec::new();
    for goal in goals::goals() {
        for (model, reached) in goal.reached(results) {
            let (ratio, verdict) = match reached {
                Reached::Measured(ratio, true) => (ratio.to_string(), "met".to_owned()),
                Reached::Measured(ratio, false) => (ratio.to_string(), "**missed**".to_owned()),
                Reached::NotMeasured(types) => ("-".to_owned(), format!("not measured: {}", types.join(", "))),
            };
            rows.push(vec![goal.what.clone(), model.to_owned(), goal.bound.text(), ratio, verdict]);
        }
    }
    table(&words(&["ratio", "model", "goal", "measured", ""]), rows)
}

fn memory(results: &Results) -> String {
    let runs = results.runs(Section::Speeds);
    // Where there were several runs, each decoded with the memory of its own hour.
    let several = runs.len() > 1;
    let mut lines = Vec::new();
    for (how, rows) in runs {
        for (threads, bytes) in &how.memory {
            let line = vec![threads.to_string(), format!("{:.1}", bytes / 1e9)];
            lines.push(line.into_iter().chain(several.then(|| files(&rows))).collect());
        }
    }
    let head = ["threads that read", "GB/s", "in the run of"];
    table(&words(if several { &head } else { &head[..2] }), lines)
}

/// The columns of a type's row: one for each width, and the prompt.
fn columns(model: &str, file_type: &str) -> Vec<Case> {
    let decode = WIDTHS.into_iter().map(|width| Case::new(Measure::Decode, model, file_type, width));
    decode.chain([Case::new(Measure::Prefill, model, file_type, 1)]).collect()
}

fn heads(first: &[&str]) -> Vec<String> {
    let widths = WIDTHS.into_iter().map(|width| if width == 1 { "1 sequence".to_owned() } else { width.to_string() });
    words(first).into_iter().chain(widths).chain(["prompt".to_owned()]).collect()
}

/// Tokens per second, for each shape, type and side.
fn speeds(results: &Results) -> String {
    per_shape(&heads(&["type", "MB", "side"]), |model, file_type| {
        let mut rows = Vec::new();
        for side in [Side::On, Side::Off, Side::Upstream] {
            let found: Vec<_> = columns(model, file_type).iter().map(|case| results.of(case, side)).collect();
            if found.iter().all(Option::is_none) {
                continue;
            }
            let cells = found.iter().map(|rate| rate.map_or("-".to_owned(), |rate| format!("{:.0}", rate.median)));
            let bytes = results.step_bytes.get(&format!("{model}/{file_type}")).copied().unwrap_or(0);
            let first = [file_type.to_uppercase(), (bytes / 1_000_000).to_string(), side.title().to_owned()];
            rows.push(first.into_iter().chain(cells).collect());
        }
        rows.extend(results.floor(model, file_type).filter(|_| !rows.is_empty()).map(|floor| {
            let part = results
                .of(&Case::new(Measure::Decode, model, file_type, 1), Side::On)
                .map_or(String::new(), |on| format!(" (reached: {:.0} %)", 100.0 * on.median / floor));
            let cells = WIDTHS.map(|width| if width == 1 { format!("{floor:.0}{part}") } else { String::new() });
            let first = [String::new(), String::new(), "if only memory counted".to_owned()];
            first.into_iter().chain(cells).chain([String::new()]).collect()
        }));
        rows
    })
}

/// Ratios with their quartiles, for each shape and type.
fn gains(results: &Results) -> String {
    per_shape(&heads(&["type", "kernels on to"]), |model, file_type| {
        let mut rows = Vec::new();
        for reference in [Side::Off, Side::Upstream] {
            let columns = columns(model, file_type);
            let found: Vec<_> = columns.iter().map(|case| results.ratio(case, Side::On, reference)).collect();
            if found.iter().any(Option::is_some) {
                let cells = found.iter().map(|ratio| ratio.map_or("-".to_owned(), |ratio| ratio.to_string()));
                let side = if reference == Side::Off { "off" } else { "upstream" };
                rows.push([file_type.to_uppercase(), side.to_owned()].into_iter().chain(cells).collect());
            }
        }
        rows
    })
}

fn per_shape(head: &[String], rows: impl Fn(&str, &str) -> Vec<Vec<String>>) -> String {
    let mut text = String::new();
    for shape in Shape::ALL {
        let rows: Vec<_> = TYPES.iter().flat_map(|one| rows(shape.name(), one.name)).collect();
        if !rows.is_empty() {
            let _ = write!(
                text,
                "{}Model `{}`:\n\n{}",
                if text.is_empty() { "" } else { "\n" },
                shape.name(),
                table(head, rows)
            );
        }
    }
    if text.is_empty() { table(&[], Vec::new()) } else { text }
}

fn serving(results: &Results) -> String {
    let mut rows = Vec::new();
    for neighbour in [false, true] {
        for side in [Side::On, Side::Off, Side::Upstream] {
            let case = |measure| Case { neighbour, ..Case::new(measure, "0.2b", "q8_0", 8) };
            let of = |measure| {
                let found = results.of(&case(measure), side);
                found.map_or("-".to_owned(), |found| format!("{:.1}", found.median))
            };
            if results.of(&case(Measure::ServeRate), side).is_none() {
                continue;
            }
            let ratio = results.ratio(&case(Measure::ServeRate), side, Side::Upstream);
            rows.push(vec![
                (if neighbour { "beside a busy process" } else { "alone" }).to_owned(),
                side.title().to_owned(),
                of(Measure::ServeRate),
                ratio.map_or("-".to_owned(), |ratio| ratio.to_string()),
                of(Measure::ServeFirst),
                of(Measure::ServeGap),
                of(Measure::ServeLongGap),
            ]);
        }
    }
    let head = ["", "side", "tok/s", "to upstream's", "first token p50, ms", "between tokens p50, ms", "p99, ms"];
    table(&words(&head), rows)
}

fn single(results: &Results) -> String {
    let case = Case::new(Measure::Single, "0.2b", "q8_0", 1);
    let rows =
        [(Side::On, "`llama-cli run`"), (Side::Bare, "`llama-cli bench`")].into_iter().filter_map(|(side, name)| {
            let rate = results.of(&case, side)?;
            let ratio = results.ratio(&case, side, Side::Bare).map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
            Some(vec![name.to_owned(), format!("{:.1}", rate.median), ratio])
        });
    table(&words(&["program", "tok/s", "to the bare loop"]), rows.collect())
}

fn start(results: &Results) -> String {
    let case = Case::new(Measure::Start, "demo", "q8_0", 1);
    let names = [
        (Side::On, "`llama-cli run`, kernels on"),
        (Side::Off, "`llama-cli run`, kernels off"),
        (Side::Upstream, "upstream's `llama-completion`"),
        (Side::UpstreamCli, "upstream's `llama-cli`"),
    ];
    let rows = names.into_iter().filter_map(|(side, name)| {
        let time = results.of(&case, side)?;
        let ratio = results.ratio(&case, Side::On, side).map_or("-".to_owned(), |ratio| ratio.to_string());
        let [low, high] = time.quartiles;
        Some(vec![name.to_owned(), format!("{:.1} [{low:.1}, {high:.1}]", time.median), ratio])
    });
    table(&words(&["program", "ms", "ours with kernels to it"]), rows.collect())
}

/// Whether anything of a section was measured.
pub(crate) fn has(results: &Results, section: Section) -> bool {
    results.rows.iter().any(|row| row.case.section() == section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_a_row_for_each_side_and_one_for_the_memory() {
        let mut results = Results::default();
        let memory = [(2, 40e9)].into();
        results.begin(Section::Speeds, How { threads: 2, memory, ..How::default() });
        results.step_bytes.insert("0.2b/q8_0".to_owned(), 200_000_000);
        for (width, off, on) in [(1, 80.0, 160.0), (4, 100.0, 450.0)] {
            let case = Case::new(Measure::Decode, "0.2b", "q8_0", width);
            results.push(case.clone(), Side::Off, 0, off);
            results.push(case, Side::On, 0, on);
        }
        let text = speeds(&results);
        assert!(text.contains("| Q8_0 | 200 | kernels on | 160 | - | - | 450 | - | - | - |"), "{text}");
        assert!(text.contains("| if only memory counted | 200 (reached: 80 %) |"), "{text}");
        assert!(gains(&results).contains("| Q8_0 | off | 2.00 [2.00, 2.00] | - | - | 4.50 [4.50, 4.50] |"));
        assert!(goals_reached(&results).contains("| 0.2b | at least 1.6 | 2.00 [2.00, 2.00] | met |"));
    }

    #[test]
    fn samples_are_counted_for_each_side() {
        let mut results = Results::default();
        results.begin(Section::Speeds, How::default());
        for round in 0..3 {
            for width in [1, 2] {
                let case = Case::new(Measure::Decode, "0.2b", "q8_0", width);
                results.push(case.clone(), Side::On, round, 1.0);
                if (round, width) != (1, 2) {
                    results.push(case, Side::Upstream, round, 1.0);
                }
            }
        }
        let text = how(&results);
        assert!(text.contains("samples: kernels on 3, upstream 2 to 3."), "{text}");
    }

    #[test]
    fn rows_of_several_runs_are_told_apart() {
        let mut results = Results::default();
        for (threads, types) in [(2, ["q8_0", "q4_0"]), (1, ["q4_0", "f16"])] {
            results.begin(Section::Speeds, How { threads, memory: [(threads, 1e9)].into(), ..How::default() });
            for file_type in types {
                results.push(Case::new(Measure::Decode, "0.2b", file_type, 1), Side::On, 0, 1.0);
            }
        }
        let text = how(&results);
        let begins = |line: &str, begin| line.starts_with(begin);
        let lines: Vec<&str> = text.lines().collect();
        assert!(begins(lines[0], "- **speeds** (0.2b/q8_0): ") && lines[0].contains(" 2 threads"), "{text}");
        assert!(begins(lines[1], "- **speeds** (0.2b/q4_0, 0.2b/f16): ") && lines[1].contains(" 1 threads"), "{text}");
        assert!(memory(&results).contains("| 2 | 1.0 | 0.2b/q8_0 |"));
    }

    #[test]
    fn every_line_of_a_table_has_as_many_cells() {
        let mut results = Results::default();
        let case = Case::new(Measure::ServeRate, "0.2b", "q8_0", 8);
        results.push(case.clone(), Side::On, 0, 2.0);
        results.push(case, Side::Upstream, 0, 1.0);
        let text = serving(&results);
        let cells: Vec<usize> = text.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, [8; 4], "{text}");
    }

    #[test]
    fn what_was_not_measured_says_so() {
        for (name, block) in BLOCKS.into_iter().filter(|(name, _)| *name != "goals") {
            assert_eq!(block(&Results::default()), "Not measured.\n", "{name}");
        }
        let goals = goals_reached(&Results::default());
        let told = goals.lines().skip(2).filter(|line| line.contains("| - | not measured: ")).count();
        assert_eq!(told, goals.lines().count() - 2, "{goals}");
        assert!(told > goals::goals().len(), "those for both models have two rows: {goals}");
        assert!(!has(&Results::default(), Section::Start));
    }
}
