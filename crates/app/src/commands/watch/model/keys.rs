//! What the keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::list::COLUMNS;
use super::{Mode, Model};

/// The longest text that is searched for.
const MAX_SEARCH: usize = 100;

/// For the help.
pub(in super::super) const HELP: &[(&str, &str)] = &[
    ("arrows, j k", "a row down or up"),
    ("PgDn PgUp, space", "a page"),
    ("Home End, g G", "the first, the last"),
    ("/", "search; Enter keeps it, Esc drops it"),
    ("s", "sort by the next column"),
    ("r", "the other way round"),
    ("p", "pause, go on"),
    ("?", "this help"),
    ("Ctrl-Z", "back to the shell; `fg` goes on"),
    ("q, Ctrl-C", "quit"),
];

impl Model {
    pub(super) fn press(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            self.is_over = true;
            return;
        }
        if control && key.code == KeyCode::Char('z') {
            self.is_to_suspend = true;
            return;
        }
        match self.mode {
            Mode::Help => self.mode = Mode::Table,
            Mode::Search => self.press_in_search(key.code, control),
            Mode::Table => self.press_in_table(key.code),
        }
    }

    fn press_in_search(&mut self, key: KeyCode, control: bool) {
        match key {
            KeyCode::Enter => self.mode = Mode::Table,
            KeyCode::Esc => {
                self.search.clear();
                self.mode = Mode::Table;
            }
            KeyCode::Backspace => {
                self.search.pop();
            }
            KeyCode::Char('u') if control => self.search.clear(),
            KeyCode::Char(letter) if !control && self.search.len() < MAX_SEARCH => {
                self.search.push(letter);
            }
            _ => return,
        }
        self.relist();
    }

    fn press_in_table(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Search,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => {
                let now = COLUMNS.iter().position(|column| *column == self.sort);
                self.sort = COLUMNS[now.map_or(0, |now| (now + 1) % COLUMNS.len())];
                self.relist();
            }
            KeyCode::Char('r') => {
                self.reverse = !self.reverse;
                self.relist();
            }
            KeyCode::Esc => {
                self.search.clear();
                self.relist();
            }
            KeyCode::Down | KeyCode::Char('j') => self.select(self.selected + 1),
            KeyCode::Up | KeyCode::Char('k') => self.select(self.selected.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.select(self.selected + self.page),
            KeyCode::PageUp => self.select(self.selected.saturating_sub(self.page)),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(usize::MAX),
            _ => {}
        }
    }
}
