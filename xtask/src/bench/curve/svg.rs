//! The picture: one panel for each loss, recall upwards, the rate to the right by powers of ten.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Point;

const PANEL_WIDTH: f64 = 400.0;
const PANEL_HEIGHT: f64 = 240.0;
const COLUMNS: usize = 2;
/// Around each panel: its title above, numbers to the left and below.
const LEFT: f64 = 64.0;
const ABOVE: f64 = 44.0;
const BELOW: f64 = 46.0;
/// For the title of the picture, and for the legend.
const HEAD: f64 = 34.0;
const FOOT: f64 = 56.0;
const RIGHT: f64 = 24.0;
/// Okabe and Ito's colours, which colour-blind people tell apart; with a shape each.
const LOOKS: [(&str, Shape); 5] = [
    ("#0072b2", Shape::Circle),
    ("#d55e00", Shape::Square),
    ("#009e73", Shape::Triangle),
    ("#cc79a7", Shape::Diamond),
    ("#56b4e9", Shape::Circle),
];
const MARK: f64 = 4.5;

#[derive(Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// Where values lie in a panel.
struct Scale {
    /// Powers of ten, at the left and at the right end.
    decades: (i32, i32),
    /// Recall at the lower end, in percent.
    lowest: f64,
}

impl Scale {
    fn of(points: &[Point]) -> Self {
        let rates = || points.iter().filter_map(|point| point.asked_per_s);
        let smallest = rates().reduce(f64::min).unwrap_or(1e3);
        let largest = rates().reduce(f64::max).unwrap_or(1e6);
        let first = smallest.max(1.0).log10().floor() as i32;
        let last = (largest.max(1.0).log10().ceil() as i32).max(first + 1);
        let worst = points.iter().filter_map(|point| point.recall).reduce(f64::min).unwrap_or(0.0);
        // Whole tens, and at least one of them.
        let lowest = ((worst * 10.0).floor() * 10.0).min(90.0);
        Self { decades: (first, last), lowest }
    }

    fn x(&self, rate: f64) -> f64 {
        let (first, last) = self.decades;
        (rate.max(1.0).log10() - f64::from(first)) / f64::from(last - first) * PANEL_WIDTH
    }

    fn y(&self, percent: f64) -> f64 {
        (100.0 - percent) / (100.0 - self.lowest) * PANEL_HEIGHT
    }
}

/// The whole picture.
pub(super) fn draw(points: &[Point]) -> String {
    let losses: BTreeSet<u8> = points.iter().map(|point| point.loss_percent).collect();
    let mut tools: Vec<&str> = Vec::new();
    for point in points {
        if !tools.contains(&point.tool) {
            tools.push(point.tool);
        }
    }
    let scale = Scale::of(points);
    let rows = losses.len().div_ceil(COLUMNS).max(1);
    let width = (LEFT + PANEL_WIDTH) * COLUMNS as f64 + RIGHT;
    let grid_height = (ABOVE + PANEL_HEIGHT + BELOW) * rows as f64;
    let height = HEAD + grid_height + FOOT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <title>Recall against rate, by loss</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    text(&mut svg, (width / 2.0, 24.0), "middle", 16, "How much of what is open is found");
    for (index, loss) in losses.iter().enumerate() {
        let left = LEFT + (LEFT + PANEL_WIDTH) * (index % COLUMNS) as f64;
        let top = HEAD + ABOVE + (ABOVE + PANEL_HEIGHT + BELOW) * (index / COLUMNS) as f64;
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<g transform=\"translate({left} {top})\">");
        let title = match loss {
            0 => "no loss".into(),
            percent => format!("{percent} % loss each way"),
        };
        axes(&mut svg, &scale, &title);
        for (tool, look) in tools.iter().zip(LOOKS.iter().cycle()) {
            let curve = points.iter().filter(|p| p.tool == *tool && p.loss_percent == *loss);
            self::curve(&mut svg, &scale, curve, *look);
        }
        svg.push_str("</g>\n");
    }
    legend(&mut svg, &tools, &note(points), HEAD + grid_height + 14.0, width);
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String, scale: &Scale, title: &str) {
    text(svg, (PANEL_WIDTH / 2.0, -12.0), "middle", 13, title);
    let step = if scale.lowest < 50.0 { 20.0 } else { 10.0 };
    let mut percent = 100.0;
    while percent >= scale.lowest {
        let y = scale.y(percent);
        line(svg, (0.0, y), (PANEL_WIDTH, y), "#ddd");
        text(svg, (-8.0, y + 4.0), "end", 12, &format!("{percent:.0} %"));
        percent -= step;
    }
    let (first, last) = scale.decades;
    for decade in first..=last {
        let x = scale.x(10_f64.powi(decade));
        line(svg, (x, 0.0), (x, PANEL_HEIGHT), "#ddd");
        text(svg, (x, PANEL_HEIGHT + 16.0), "middle", 12, &power(decade));
    }
    line(svg, (0.0, 0.0), (0.0, PANEL_HEIGHT), "#222");
    line(svg, (0.0, PANEL_HEIGHT), (PANEL_WIDTH, PANEL_HEIGHT), "#222");
    let below = (PANEL_WIDTH / 2.0, PANEL_HEIGHT + 34.0);
    text(svg, below, "middle", 12, "hosts asked per second");
}

/// `1`, `10`, `100`, `1k`, `10k`, ..., `1M`.
fn power(decade: i32) -> String {
    let (unit, zeros) = match decade {
        6.. => ("M", decade - 6),
        3..6 => ("k", decade - 3),
        _ => ("", decade),
    };
    format!("{:.0}{unit}", 10_f64.powi(zeros))
}

fn curve<'a>(
    svg: &mut String,
    scale: &Scale,
    points: impl Iterator<Item = &'a Point>,
    (colour, shape): (&str, Shape),
) {
    let mut places: Vec<(f64, f64, bool)> = points
        .filter_map(|point| {
            let (x, y) = (scale.x(point.asked_per_s?), scale.y(point.recall? * 100.0));
            Some((x, y, point.rate.is_none()))
        })
        .collect();
    places.sort_by(|left, right| left.0.total_cmp(&right.0));
    let path: Vec<String> = places.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" \
         stroke-opacity=\"0.6\"/>",
        path.join(" ")
    );
    for (x, y, hollow) in places {
        mark(svg, (x, y), shape, colour, hollow);
    }
}

fn mark(svg: &mut String, (x, y): (f64, f64), shape: Shape, colour: &str, hollow: bool) {
    let fill = if hollow { "#fff" } else { colour };
    let paint = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    let polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<String> = corners
            .iter()
            .map(|(right, down)| format!("{:.1},{:.1}", x + right * MARK, y + down * MARK))
            .collect();
        format!("<polygon points=\"{}\" {paint}/>", corners.join(" "))
    };
    let drawn = match shape {
        Shape::Circle => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{MARK}\" {paint}/>"),
        Shape::Square => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        Shape::Triangle => polygon(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
        Shape::Diamond => polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]),
    };
    let _ = writeln!(svg, "{drawn}");
}

/// What filled and hollow marks mean.
fn note(points: &[Point]) -> String {
    let rates: BTreeSet<u32> = points.iter().filter_map(|point| point.rate).collect();
    let rates: Vec<String> = rates.iter().map(u32::to_string).collect();
    format!("filled: told a rate ({} per second); hollow: its own choice", rates.join(", "))
}

fn legend(svg: &mut String, tools: &[&str], note: &str, top: f64, width: f64) {
    const ENTRY: f64 = 150.0;
    let left = (width - ENTRY * tools.len() as f64) / 2.0;
    for (index, (tool, (colour, shape))) in tools.iter().zip(LOOKS.iter().cycle()).enumerate() {
        let x = left + ENTRY * index as f64;
        mark(svg, (x, top - 4.0), *shape, colour, false);
        text(svg, (x + 12.0, top), "start", 13, tool);
    }
    text(svg, (width / 2.0, top + 24.0), "middle", 12, note);
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// No text of this picture needs escaping: it is all our own.
fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, size: u32, content: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{content}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(tool: &'static str, loss_percent: u8, rate: Option<u32>, recall: f64) -> Point {
        Point {
            tool,
            loss_percent,
            rate,
            hosts: 4096,
            recall: Some(recall),
            asked_per_s: Some(f64::from(rate.unwrap_or(300_000))),
            wall_ms: Some(1.0),
            false_opens: 0,
            runs: 1,
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_panel_for_each_loss_and_a_mark_for_each_point() {
        let points = [
            point("ours", 0, Some(10_000), 1.0),
            point("ours", 0, None, 1.0),
            point("theirs", 0, Some(10_000), 0.62),
            point("ours", 5, Some(10_000), 1.0),
        ];
        let svg = draw(&points);
        assert_eq!(svg.matches("<g transform").count(), 2);
        // Three points of the first tool and its mark in the legend; one hollow.
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches("fill=\"#fff\" stroke").count()),
            (4, 1)
        );
        for wanted in ["no loss", "5 % loss each way", ">60 %<", ">10k<", ">1M<", ">theirs<"] {
            assert!(svg.contains(wanted), "{wanted} in {svg}");
        }
    }

    #[test]
    fn values_lie_where_the_axes_say() {
        let scale = Scale { decades: (3, 5), lowest: 60.0 };
        let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(near(scale.x(1e3), 0.0) && near(scale.x(1e4), PANEL_WIDTH / 2.0));
        assert!(near(scale.y(100.0), 0.0) && near(scale.y(60.0), PANEL_HEIGHT));
    }

    #[test]
    fn a_point_without_a_result_is_left_out() {
        let failed = Point { recall: None, asked_per_s: None, ..point("ours", 0, None, 0.0) };
        let svg = draw(&[failed]);
        assert_eq!(svg.matches("<circle").count(), 1, "the legend's alone");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn powers_of_ten_are_short() {
        assert_eq!([0, 2, 3, 5, 6].map(power), ["1", "100", "1k", "100k", "1M"]);
    }
}
