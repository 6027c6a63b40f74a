//! The plots of `docs/performance.md`, drawn from results.

use super::chart::{Panel, legend};
use super::results::{Case, Measure, Results, Section, Side};
use super::speeds::WIDTHS;
use super::statistics::Spread;
use super::svg::{Anchor, Svg};
use super::tables;
use crate::models::{Shape, TYPES};

const SIDES: [(Side, &str, &str); 3] = [
    (Side::On, "#0b7285", "ours, kernels on"),
    (Side::Off, "#adb5bd", "ours, kernels off"),
    (Side::Upstream, "#e8590c", "upstream"),
];
const LIMIT: &str = "#495057";
/// One for each type.
const COLOURS: [&str; TYPES.len()] = ["#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c2255c", "#1864ab", "#997404"];

/// The places of plots in the document; a place without a plot says so.
pub(crate) const PLACES: [&str; 3] = ["plots of decoding", "plot of gains", "plot of serving"];

/// A picture of the document.
#[derive(Debug, PartialEq)]
pub(crate) struct Plot {
    /// One of [`PLACES`].
    pub(crate) place: &'static str,
    /// What stands for it where pictures are not shown.
    pub(crate) title: String,
    /// Of the file.
    pub(crate) name: String,
    pub(crate) svg: String,
}

/// All of them; none of what was not measured.
pub(crate) fn all(results: &Results) -> Vec<Plot> {
    let [of_decoding, of_gains, of_serving] = PLACES;
    let mut plots = Vec::new();
    if tables::has(results, Section::Speeds) {
        for shape in Shape::ALL.into_iter().filter(|shape| has_shape(results, *shape)) {
            plots.push(Plot {
                place: of_decoding,
                title: format!("Decoding with {}", shape.name()),
                name: format!("decode-{}.svg", shape.name()),
                svg: decode(results, shape),
            });
        }
        let title = "Kernels on to off".to_owned();
        plots.push(Plot { place: of_gains, title, name: "gains.svg".to_owned(), svg: gains(results) });
    }
    if tables::has(results, Section::Serving) {
        let title = "Eight clients".to_owned();
        plots.push(Plot { place: of_serving, title, name: "serving.svg".to_owned(), svg: serving(results) });
    }
    plots
}

fn has_shape(results: &Results, shape: Shape) -> bool {
    results.rows.iter().any(|row| row.case.model == shape.name() && row.case.measure == Measure::Decode)
}

fn most<'a>(values: impl Iterator<Item = &'a Option<Spread>>) -> f64 {
    values.flatten().map(|value| value.median.max(value.quartiles[1])).fold(0.0, f64::max)
}

fn width_names() -> Vec<String> {
    WIDTHS.iter().map(ToString::to_string).collect()
}

/// The left upper corner of a panel, four in a row.
fn place(i: usize) -> [f64; 2] {
    #[allow(clippy::cast_precision_loss, reason = "there are eight places")]
    let (column, row) = ((i % 4) as f64, (i / 4) as f64);
    [50.0 + 235.0 * column, 90.0 + 225.0 * row]
}

/// Tokens per second by the number of sequences, a panel for each type.
fn decode(results: &Results, shape: Shape) -> String {
    let title = format!("Decoding, model {}: tokens per second of all sequences together", shape.name());
    let mut svg = Svg::new(970.0, 530.0, &title);
    svg.text([20.0, 28.0], 15.0, Anchor::Start, &title);
    let mut entries: Vec<(&str, String)> =
        SIDES.iter().map(|(_, colour, name)| (*colour, (*name).to_owned())).collect();
    entries.push((LIMIT, "dashed: if only reading the weights counted".to_owned()));
    legend(&mut svg, [20.0, 50.0], &entries);
    for (i, file_type) in TYPES.iter().enumerate() {
        let case = |width| Case::new(Measure::Decode, shape.name(), file_type.name, width);
        let curves = SIDES.map(|(side, ..)| WIDTHS.map(|width| results.of(&case(width), side)));
        let names = width_names();
        let top = most(curves.iter().flatten());
        let panel = Panel::draw(&mut svg, place(i), [175.0, 160.0], top, (&file_type.name.to_uppercase(), &names));
        if let Some(floor) = results.floor(shape.name(), file_type.name) {
            #[allow(clippy::cast_precision_loss, reason = "a few sequences")]
            let limit = WIDTHS.map(|width| floor * width as f64);
            panel.limit(&mut svg, &limit, LIMIT);
        }
        for (curve, (_, colour, _)) in curves.iter().zip(SIDES) {
            panel.curve(&mut svg, curve, colour);
        }
    }
    svg.text([place(7)[0], place(7)[1] + 20.0], 11.0, Anchor::Start, "across: sequences together");
    svg.finish()
}

/// Kernels on to off by the number of sequences, a curve for each type and a panel for each shape.
fn gains(results: &Results) -> String {
    let title = "Kernels on to kernels off: tokens per second of one to sixteen sequences, and of a prompt";
    let mut svg = Svg::new(970.0, 390.0, title);
    svg.text([20.0, 28.0], 15.0, Anchor::Start, title);
    let entries: Vec<_> =
        TYPES.iter().zip(COLOURS).map(|(file_type, colour)| (colour, file_type.name.to_uppercase())).collect();
    legend(&mut svg, [20.0, 50.0], &entries);
    let names: Vec<String> = width_names().into_iter().chain(["prompt".to_owned()]).collect();
    for (shape, left) in Shape::ALL.into_iter().zip([50.0, 520.0]) {
        let curve = |file_type: &str| -> Vec<_> {
            let decode = WIDTHS.into_iter().map(|width| Case::new(Measure::Decode, shape.name(), file_type, width));
            let cases = decode.chain([Case::new(Measure::Prefill, shape.name(), file_type, 1)]);
            cases.map(|case| results.ratio(&case, Side::On, Side::Off)).collect()
        };
        let curves: Vec<_> = TYPES.iter().map(|file_type| curve(file_type.name)).collect();
        let top = most(curves.iter().flatten()).max(1.0);
        let label = format!("model {}", shape.name());
        let panel = Panel::draw(&mut svg, [left, 95.0], [420.0, 250.0], top, (&label, &names));
        panel.level(&mut svg, 1.0, LIMIT);
        for (curve, colour) in curves.iter().zip(COLOURS) {
            panel.curve(&mut svg, curve, colour);
        }
    }
    svg.finish()
}

/// Clients that share a prefix: three panels, alone and beside a neighbour.
fn serving(results: &Results) -> String {
    let title = "8 clients with a shared prefix, model 0.2b, Q8_0";
    let mut svg = Svg::new(970.0, 330.0, title);
    svg.text([20.0, 28.0], 15.0, Anchor::Start, title);
    let entries: Vec<_> = SIDES.iter().map(|(_, colour, name)| (*colour, (*name).to_owned())).collect();
    legend(&mut svg, [20.0, 50.0], &entries);
    let names = ["alone".to_owned(), "beside a busy process".to_owned()];
    let panels = [
        (Measure::ServeRate, "tokens per second"),
        (Measure::ServeFirst, "ms to the first token, median"),
        (Measure::ServeLongGap, "ms between tokens, 99th percentile"),
    ];
    for ((measure, label), left) in panels.into_iter().zip([50.0, 370.0, 690.0]) {
        let of = |side| -> Vec<_> {
            let case = |neighbour| Case { neighbour, ..Case::new(measure, "0.2b", "q8_0", 8) };
            [false, true].into_iter().map(|neighbour| results.of(&case(neighbour), side)).collect()
        };
        let bars = SIDES.map(|(side, colour, _)| (colour, of(side)));
        let top = most(bars.iter().flat_map(|(_, values)| values));
        let panel = Panel::draw(&mut svg, [left, 95.0], [250.0, 190.0], top, (label, &names));
        panel.bars(&mut svg, names.len(), &bars);
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::super::results::How;
    use super::*;

    #[test]
    fn only_what_was_measured_is_drawn() {
        assert!(all(&Results::default()).is_empty());
        let mut results = Results::default();
        results.begin(Section::Speeds, How { threads: 1, ..How::default() });
        for (side, rate) in [(Side::On, 90.0), (Side::Off, 45.0)] {
            results.push(Case::new(Measure::Decode, "0.2b", "q4_0", 4), side, 0, rate);
        }
        let plots = all(&results);
        assert_eq!(plots.iter().map(|plot| plot.name.as_str()).collect::<Vec<_>>(), ["decode-0.2b.svg", "gains.svg"]);
        assert!(plots[0].svg.contains("Q4_0") && plots[0].svg.contains("<circle"));
        assert_eq!(plots, all(&results), "drawn twice it is the same");
    }
}
