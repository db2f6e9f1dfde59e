//! Draws the model. It decides nothing but what there is room for.

mod header;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::model::keys::HELP;
use super::model::{Mode, Model};

/// Below this there is room for nothing.
const SMALLEST: (u16, u16) = (24, 5);
/// From this height on, the rates have a place.
const HEIGHT_FOR_RATES: u16 = 9;

/// Draws the whole screen; tells the model how many rows it has room for.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        frame.render_widget(Paragraph::new("too small"), area);
        return;
    }
    let rates = u16::from(area.height >= HEIGHT_FOR_RATES);
    let [states, rates, list, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rates),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header::states(frame, states, model);
    if rates.height > 0 {
        header::rates(frame, rates, model);
    }
    table::draw(frame, list, model);
    draw_footer(frame, footer, model);
    if model.mode == Mode::Help {
        draw_help(frame, area);
    }
}

/// A colour, where the user wants them.
pub(super) fn colour(model: &Model, colour: Color) -> Style {
    if model.has_colours { Style::new().fg(colour) } else { Style::new() }
}

pub(super) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let line = if model.mode == Mode::Search {
        Line::from(vec![Span::styled("/", bold()), Span::raw(&model.search), "_".into()])
    } else {
        let mut spans = vec![Span::raw("q quit  ? help  / search  s sort  r reverse  p pause")];
        if !model.search.is_empty() {
            spans.insert(0, Span::styled(format!("search: {}  ", model.search), bold()));
        }
        if model.is_paused {
            spans.insert(0, Span::styled("PAUSED  ", bold().patch(colour(model, Color::Yellow))));
        }
        Line::from(spans)
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let width = area.width.min(60);
    let height = area.height.min(HELP.len() as u16 + 2);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![Span::styled(format!(" {keys:<18}"), bold()), Span::raw(*what)])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Keys ")), place);
}

#[cfg(test)]
mod tests;
