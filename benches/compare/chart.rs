//! One panel of a plot: axes, and lines or bars in it. Where panels lie and what they show is not known here.

use super::statistics::Spread;
use super::svg::{Anchor, Svg};

const GRID: &str = "#e9ecef";
const AXIS: &str = "#868e96";

/// Where a panel lies, and how its y axis goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel {
    /// Left upper corner of the space between the axes, and its size.
    pub(crate) at: [f64; 2],
    pub(crate) size: [f64; 2],
    top: f64,
}

impl Panel {
    /// Axes from zero to a round number above `most`, with a title and names below.
    pub(crate) fn draw(
        svg: &mut Svg,
        at: [f64; 2],
        size: [f64; 2],
        most: f64,
        (title, names): (&str, &[String]),
    ) -> Self {
        let step = step(most);
        let steps = (most / step).ceil().max(1.0);
        let panel = Self { at, size, top: step * steps };
        svg.text([at[0], at[1] - 8.0], 12.0, Anchor::Start, title);
        let mut level = 0.0;
        while level <= panel.top * 1.001 {
            let y = panel.y(level);
            svg.line(&[[at[0], y], [at[0] + size[0], y]], if level == 0.0 { AXIS } else { GRID }, 1.0, "");
            svg.text([at[0] - 5.0, y + 3.5], 10.0, Anchor::End, &format!("{}", (level * 100.0).round() / 100.0));
            level += step;
        }
        for (i, name) in names.iter().enumerate() {
            svg.text([panel.x(i, names.len()), at[1] + size[1] + 14.0], 10.0, Anchor::Middle, name);
        }
        panel
    }

    /// The middle of the place of a name.
    fn x(&self, i: usize, of: usize) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a plot has few places")]
        let (i, of) = (i as f64, of.max(1) as f64);
        self.at[0] + self.size[0] * (i + 0.5) / of
    }

    fn y(&self, value: f64) -> f64 {
        self.at[1] + self.size[1] * (1.0 - value / self.top)
    }

    /// A line with a dot at each value, and a bar from quartile to quartile; places without a value are passed over.
    pub(crate) fn curve(&self, svg: &mut Svg, values: &[Option<Spread>], colour: &str) {
        let found = values.iter().enumerate().filter_map(|(i, value)| Some((self.x(i, values.len()), (*value)?)));
        let found: Vec<(f64, Spread)> = found.collect();
        let points: Vec<[f64; 2]> = found.iter().map(|(x, value)| [*x, self.y(value.median)]).collect();
        svg.line(&points, colour, 1.8, "");
        for (x, value) in found {
            self.whisker(svg, x, value, colour);
            svg.dot([x, self.y(value.median)], colour);
        }
    }

    /// A dashed line, up to where it leaves the panel.
    pub(crate) fn limit(&self, svg: &mut Svg, values: &[f64], colour: &str) {
        let mut points = Vec::new();
        for (i, value) in values.iter().enumerate() {
            let point = [self.x(i, values.len()), self.y(*value)];
            if *value <= self.top {
                points.push(point);
                continue;
            }
            if let Some([x, y]) = points.last().copied() {
                let share = (y - self.at[1]) / (y - point[1]);
                points.push([x + (point[0] - x) * share, self.at[1]]);
            }
            break;
        }
        if points.len() > 1 {
            svg.line(&points, colour, 1.2, "4 3");
        }
    }

    /// A level line.
    pub(crate) fn level(&self, svg: &mut Svg, value: f64, colour: &str) {
        let y = self.y(value);
        svg.line(&[[self.at[0], y], [self.at[0] + self.size[0], y]], colour, 1.2, "4 3");
    }

    /// Bars side by side at each of `groups` places, with their values above.
    pub(crate) fn bars(&self, svg: &mut Svg, groups: usize, bars: &[(&str, Vec<Option<Spread>>)]) {
        #[allow(clippy::cast_precision_loss, reason = "a plot has few bars")]
        let width = self.size[0] / groups.max(1) as f64 * 0.8 / bars.len().max(1) as f64;
        for group in 0..groups {
            for (i, (colour, values)) in bars.iter().enumerate() {
                let Some(value) = values.get(group).copied().flatten() else { continue };
                #[allow(clippy::cast_precision_loss, reason = "a plot has few bars")]
                let left = self.x(group, groups) + (i as f64 - bars.len() as f64 / 2.0) * width;
                let y = self.y(value.median);
                svg.rectangle([left + 1.0, y], [width - 2.0, self.at[1] + self.size[1] - y], colour);
                self.whisker(svg, left + width / 2.0, value, "#212529");
                let above = self.y(value.quartiles[1]).min(y) - 3.0;
                svg.text([left + width / 2.0, above], 9.0, Anchor::Middle, &short(value.median));
            }
        }
    }

    fn whisker(&self, svg: &mut Svg, x: f64, value: Spread, colour: &str) {
        let [low, high] = value.quartiles.map(|quartile| self.y(quartile.min(self.top)));
        svg.line(&[[x, low], [x, high]], colour, 1.0, "");
    }
}

/// Coloured names in a row.
pub(crate) fn legend(svg: &mut Svg, at: [f64; 2], entries: &[(&str, String)]) {
    let mut x = at[0];
    for (colour, name) in entries {
        svg.rectangle([x, at[1] - 9.0], [10.0, 10.0], colour);
        svg.text([x + 14.0, at[1]], 11.0, Anchor::Start, name);
        #[allow(clippy::cast_precision_loss, reason = "a name is short")]
        let wide = name.len() as f64;
        x += 30.0 + 6.2 * wide;
    }
}

/// A round number, four or five of which reach `most`.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough).unwrap_or(10.0 * power)
}

fn short(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_steps() {
        assert_eq!([1.0, 3.0, 480.0, 1000.0, 7.6].map(step), [0.2, 1.0, 100.0, 200.0, 2.0]);
    }

    #[test]
    fn values_lie_where_the_axes_say() {
        let mut svg = Svg::new(200.0, 200.0, "test");
        let names = ["a".to_owned(), "b".to_owned()];
        let panel = Panel::draw(&mut svg, [50.0, 20.0], [100.0, 100.0], 9.0, ("title", &names));
        assert_eq!((panel.y(0.0), panel.y(10.0), panel.x(0, 2)), (120.0, 20.0, 75.0));
        let value = |median| Some(Spread { median, quartiles: [median - 1.0, median + 1.0] });
        panel.curve(&mut svg, &[value(5.0), None], "#123");
        panel.bars(&mut svg, 2, &[("#456", vec![value(4.0)])]);
        panel.limit(&mut svg, &[5.0, 15.0], "#789");
        let file = svg.finish();
        assert!(file.contains(r#"cx="75.0" cy="70.0""#), "{file}");
        assert!(file.contains(r##"points="75.0,80.0 75.0,60.0" fill="none" stroke="#123""##), "{file}");
        assert!(file.contains(r##"points="75.0,70.0 100.0,20.0" fill="none" stroke="#789""##), "{file}");
        assert!(file.contains(r#"height="40.0""#), "{file}");
    }
}
