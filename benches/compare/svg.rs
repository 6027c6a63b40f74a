//! Writing SVG: as little of it as plots need. Light background of its own, so that it is readable on dark pages too.

use std::fmt::Write as _;

const BACKGROUND: &str = "#ffffff";
const INK: &str = "#212529";
const FONT: &str = "system-ui, sans-serif";

/// A picture that grows.
#[derive(Debug)]
pub(crate) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// Where a text stands in relation to its point.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty picture; `title` is read out by screen readers.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self { body: String::new(), width, height };
        svg.add(format_args!("<title>{}</title>", escaped(title)));
        svg.add(format_args!(
            r#"<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}" stroke="{}"/>"#,
            "#dee2e6"
        ));
        svg
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub(crate) fn text(&mut self, at: [f64; 2], size: f64, anchor: Anchor, text: &str) {
        let [x, y] = at;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}" fill="{INK}">{text}</text>"#
        ));
    }

    pub(crate) fn rectangle(&mut self, at: [f64; 2], size: [f64; 2], colour: &str) {
        let ([x, y], [width, height]) = (at, size);
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        ));
    }

    pub(crate) fn dot(&mut self, at: [f64; 2], colour: &str) {
        let [x, y] = at;
        self.add(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.6" fill="{colour}"/>"#));
    }

    /// A line through points; `dashes` as SVG has them, empty for none.
    pub(crate) fn line(&mut self, points: &[[f64; 2]], colour: &str, width: f64, dashes: &str) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let dashes = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        self.add(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>"#,
            points.join(" ")
        ));
    }

    /// The whole file.
    pub(crate) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"{FONT}\" role=\"img\">\n{body}</svg>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_element_with_its_parts_in_order() {
        let mut svg = Svg::new(100.0, 50.0, "a & b");
        svg.text([1.0, 2.0], 10.0, Anchor::Middle, "x < y");
        svg.line(&[[0.0, 0.0], [10.0, 5.25]], "#123456", 2.0, "4 2");
        svg.rectangle([1.0, 1.0], [2.0, 3.0], "#fff");
        svg.dot([5.0, 5.0], "#000");
        let file = svg.finish();
        assert!(file.starts_with("<svg ") && file.ends_with("</svg>\n"));
        for part in [
            "<title>a &amp; b</title>",
            r##"text-anchor="middle" fill="#212529">x &lt; y</text>"##,
            r##"points="0.0,0.0 10.0,5.2" fill="none" stroke="#123456" stroke-width="2" stroke-dasharray="4 2"/>"##,
            r#"<circle cx="5.0" cy="5.0""#,
        ] {
            assert!(file.contains(part), "{part}: {file}");
        }
    }
}
