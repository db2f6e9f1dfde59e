//! The lines above the table: how many sockets in each state, and what happens in a second.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Color;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::super::look::Rates;
use super::super::model::Model;
use super::{bold, colour};
use crate::output::counted;

/// Below this width of a rate, its sparkline has no room.
const ROOM_FOR_SPARKLINE: u16 = 24;
const TEXT: u16 = 18;

type Rate = fn(&Rates) -> f64;

/// How many sockets, and in which states.
pub(super) fn states(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(snapshot) = &model.snapshot else {
        frame.render_widget(Paragraph::new("looking at the sockets..."), area);
        return;
    };
    let coverage = snapshot.coverage();
    let mut doubts = Vec::new();
    if coverage.interrupted || coverage.from_proc || coverage.malformed > 0 {
        doubts.push("  (incomplete)".to_owned());
    }
    // Processes that may not be looked into matter only where a socket may be theirs.
    if model.hidden > 0 {
        doubts.push(format!("  (holders of {} not visible)", model.hidden));
    }
    let total = counted(model.sockets(), "socket", "sockets");
    let states: Vec<String> =
        model.states.iter().map(|(state, count)| format!("  {state} {count}")).collect();
    let room = usize::from(area.width).saturating_sub(total.len());
    // What is missing is known before what there is.
    let doubts = whole(doubts, room, "");
    let room = room.saturating_sub(doubts.iter().map(String::len).sum());
    let mut spans = vec![Span::styled(total, bold())];
    spans.extend(whole(states, room, "  ...").into_iter().map(Span::raw));
    let style = colour(model, Color::Yellow);
    spans.extend(doubts.into_iter().map(|text| Span::styled(text, style)));
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

/// As many of the texts as there is room for, each whole, and `more` in the place of the others where
/// there is room for that.
fn whole(mut texts: Vec<String>, room: usize, more: &str) -> Vec<String> {
    let lens = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
    if lens(&texts) <= room {
        return texts;
    }
    while lens(&texts) + more.len() > room && texts.pop().is_some() {}
    if more.len() <= room {
        texts.push(more.to_owned());
    }
    texts
}

/// What happens in a second, and how that went on.
pub(super) fn rates(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let shown: [(&str, Rate, bool); 4] = [
        ("opened", |rates| rates.opened, false),
        ("closed", |rates| rates.closed, false),
        ("in", |rates| rates.received, true),
        ("out", |rates| rates.acknowledged, true),
    ];
    let texts = shown.map(|(name, of, is_bytes)| match model.history.back().map(of) {
        None => format!("{name} -"),
        Some(rate) if is_bytes => format!("{name} {}B/s", scaled(rate)),
        Some(rate) => format!("{name} {}/s", scaled(rate).trim_end()),
    });
    if area.width / 4 < ROOM_FOR_SPARKLINE {
        frame.render_widget(Paragraph::new(abreast(&texts, usize::from(area.width))), area);
        return;
    }
    let places: [Rect; 4] = Layout::horizontal([Constraint::Ratio(1, 4); 4]).areas(area);
    for (((_, of, _), text), place) in shown.into_iter().zip(texts).zip(places) {
        let [left, right] =
            Layout::horizontal([Constraint::Length(TEXT), Constraint::Min(1)]).areas(place);
        frame.render_widget(Paragraph::new(text), left);
        let room = usize::from(right.width.saturating_sub(2));
        let data: Vec<u64> = model
            .history
            .iter()
            .skip(model.history.len().saturating_sub(room))
            .map(|rates| of(rates).round() as u64)
            .collect();
        let sparkline = Sparkline::default().data(&data).style(colour(model, Color::Cyan));
        frame.render_widget(sparkline, right);
    }
}

/// Those that there is room for, each whole: a number that is cut is another number.
fn abreast(texts: &[String], width: usize) -> String {
    let mut line = String::new();
    for text in texts {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.len() + gap.len() + text.len() > width {
            break;
        }
        line.push_str(gap);
        line.push_str(text);
    }
    line
}

/// `12`, `3.4 k`, `1.2 M`: three digits and a unit of powers of a thousand.
fn scaled(rate: f64) -> String {
    let mut rate = rate;
    let mut units = [" ", " k", " M", " G", " T"].into_iter().peekable();
    while let Some(unit) = units.next() {
        if rate < 999.5 || units.peek().is_none() {
            let digits = usize::from(unit != " " && rate < 99.95);
            return format!("{rate:.digits$}{unit}");
        }
        rate /= 1000.0;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::{abreast, scaled, whole};

    #[test]
    fn no_count_is_cut() {
        let states = || ["  ESTAB 10", "  LISTEN 39"].map(str::to_owned).to_vec();
        assert_eq!(whole(states(), 21, "  ...").concat(), "  ESTAB 10  LISTEN 39");
        assert_eq!(whole(states(), 20, "  ...").concat(), "  ESTAB 10  ...");
        assert_eq!(whole(states(), 14, "  ...").concat(), "  ...");
        assert_eq!(whole(states(), 4, "  ...").concat(), "");
    }

    #[test]
    fn no_rate_is_cut() {
        let texts = ["opened 3/s", "closed 1/s", "in 0 B/s"].map(str::to_owned);
        assert_eq!(abreast(&texts, 80), "opened 3/s  closed 1/s  in 0 B/s");
        assert_eq!(abreast(&texts, 31), "opened 3/s  closed 1/s");
        assert_eq!(abreast(&texts, 9), "");
    }

    #[test]
    fn rates_keep_three_digits() {
        for (rate, text) in [
            (0.0, "0 "),
            (12.4, "12 "),
            (999.4, "999 "),
            (1000.0, "1.0 k"),
            (123_456.0, "123 k"),
            (1.5e9, "1.5 G"),
            (1e18, "1000000 T"),
        ] {
            assert_eq!(scaled(rate), text);
        }
    }
}
