//! Small drawings as SVG: the frame of any, and lines of numbers over an axis, panel below panel.

use std::fmt::Write as _;

/// Writes a line of text; writing to a string does not fail.
macro_rules! line {
    ($text:expr, $($words:tt)*) => {{
        let _ = writeln!($text, $($words)*);
    }};
}
pub(crate) use line;

/// Colours that are told apart by most eyes (Okabe and Ito 2008), for the first lines of a panel or clusters.
pub(crate) const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
/// Of the other lines.
const GREY: &str = "#bbbbbb";

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 72.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 230.0;
const BELOW: f64 = 30.0;
const LEGEND: f64 = 16.0;

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// Its name in the legend.
    pub(crate) name: String,
    /// Points from left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Curves over one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panel {
    /// What is shown.
    pub(crate) title: String,
    /// What the horizontal axis counts.
    pub(crate) axis: String,
    /// The first few are coloured and named; order them by importance.
    pub(crate) curves: Vec<Curve>,
}

/// A drawing of panels, one below the other. Vertical axes start at 0.
pub(crate) fn panels(title: &str, panels: &[Panel]) -> String {
    let rows = f64::from(u32::try_from(panels.len()).unwrap_or(u32::MAX));
    let panel_height = TOP + HEIGHT + BELOW;
    let mut text = String::new();
    let mut top = 0.0;
    for panel in panels {
        draw(&mut text, panel, top + TOP);
        top += panel_height;
    }
    document(title, [LEFT + WIDTH + RIGHT, rows * panel_height], &text)
}

/// A drawing of so many pixels in width and height, on white.
pub(crate) fn document(title: &str, [width, height]: [f64; 2], body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n",
        escaped(title)
    )
}

fn draw(text: &mut String, panel: &Panel, top: f64) {
    let points = || panel.curves.iter().flat_map(|curve| &curve.points);
    let from = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let to = points().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
    let most = round_up(points().map(|(_, y)| *y).fold(0.0, f64::max));
    let x = |value: f64| LEFT + WIDTH * part(value - from, to - from);
    let y = |value: f64| top + HEIGHT * (1.0 - part(value, most));
    line!(
        text,
        "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
        top - 12.0,
        escaped(&panel.title)
    );
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        let height = y(value);
        line!(text, "<path d=\"M{LEFT} {height:.1}h{WIDTH}\" stroke=\"#e5e5e5\"/>");
        let (place, label) = (LEFT - 6.0, short(value));
        line!(
            text,
            "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            height + 4.0
        );
    }
    for (value, anchor) in [(from, "start"), (to, "end")] {
        let (place, below) = (x(value), top + HEIGHT + 16.0);
        let label = short(value);
        line!(
            text,
            "<text x=\"{place:.1}\" y=\"{below:.1}\" text-anchor=\"{anchor}\">{label} {}</text>",
            escaped(&panel.axis)
        );
    }
    // The first lines last, so that they lie on top.
    for (at, curve) in panel.curves.iter().enumerate().rev() {
        let colour = COLOURS.get(at).copied().unwrap_or(GREY);
        let path: Vec<String> =
            curve.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        line!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            path.join(" ")
        );
    }
    let mut place = top + LEGEND / 2.0;
    for (curve, colour) in panel.curves.iter().zip(COLOURS) {
        let left = LEFT + WIDTH + 12.0;
        line!(
            text,
            "<text x=\"{left}\" y=\"{place:.1}\" fill=\"{colour}\">{}</text>",
            escaped(&curve.name)
        );
        place += LEGEND;
    }
    if let Some(more) = panel.curves.len().checked_sub(COLOURS.len()).filter(|more| *more > 0) {
        let left = LEFT + WIDTH + 12.0;
        line!(text, "<text x=\"{left}\" y=\"{place:.1}\" fill=\"#777777\">and {more} more</text>");
    }
}

fn part(value: f64, whole: f64) -> f64 {
    if whole > 0.0 { value / whole } else { 0.0 }
}

/// The next of 1, 2, 4, 6, 8 times a power of ten, which has plain quarters.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let mut power = 1.0;
    while power * 10.0 <= value {
        power *= 10.0;
    }
    while power > value {
        power /= 10.0;
    }
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// `1.2k`, `30M`, `0.25`: three digits at most.
pub(crate) fn short(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (scale, letter) =
        units.into_iter().find(|(scale, _)| value.abs() >= *scale).unwrap_or((1.0, ""));
    let scaled = value / scale;
    let digits = match scaled.abs() {
        size if size >= 99.95 || scaled == 0.0 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let plain = format!("{scaled:.digits$}");
    let plain = if plain.contains('.') {
        plain.trim_end_matches('0').trim_end_matches('.')
    } else {
        &plain
    };
    format!("{plain}{letter}")
}

/// Text as it may stand between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_plain_numbers() {
        assert_eq!(
            [0.0, 0.25, 3.0, 12.34, 1234.0, 100_000.0, 2.5e9].map(short),
            ["0", "0.25", "3", "12.3", "1.23k", "100k", "2.5G"]
        );
        assert_eq!([0.0, 3.1, 99.0, 0.07].map(round_up).map(short), ["1", "4", "100", "0.08"]);
    }

    #[test]
    fn a_drawing_is_whole() {
        let curve = Curve { name: "a<b".to_owned(), points: vec![(1.0, 2.0), (3.0, 0.5)] };
        let panel =
            Panel { title: "t".to_owned(), axis: "steps".to_owned(), curves: vec![curve; 9] };
        let drawing = panels("x", &[panel]);
        assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"));
        assert_eq!(drawing.matches("<polyline").count(), 9);
        assert!(drawing.contains("a&lt;b") && drawing.contains("and 2 more"));
    }
}
