//! What the screen shows, and how it changes: no terminal, no clock, no socket.

pub(super) mod keys;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ratatui::crossterm::event::KeyEvent;
use stats::system::{NoProcess, Snapshot, SocketRow, State, UserNames};

use super::list::{self, Wish};
use super::look::{Look, Rates};
use crate::args::Column;
use crate::commands::interfaces::Interfaces;
use crate::commands::ls::{Filter, Order};

/// How many looks the sparklines go back.
pub(super) const HISTORY: usize = 240;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// The sockets were looked at.
    Looked(Box<Look>),
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// It cannot go on.
    Failed(anyhow::Error),
}

/// What the keys mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They move in the table.
    Table,
    /// They write what is searched for.
    Search,
    /// The help is shown; any of them hides it.
    Help,
}

/// What the screen shows.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Model {
    pub(super) mode: Mode,
    pub(super) search: String,
    pub(super) sort: Column,
    pub(super) reverse: bool,
    pub(super) is_paused: bool,
    pub(super) has_colours: bool,
    pub(super) users: UserNames,
    pub(super) history: VecDeque<Rates>,
    /// How many sockets are in each state, of those that the filter lets through.
    pub(super) states: BTreeMap<State, usize>,
    /// How many of those may have a holder that this process may not see.
    pub(super) hidden: usize,
    /// How long the longest name of a transport is, of those that the filter lets through.
    pub(super) longest_transport: usize,
    /// Places in the snapshot of the rows that are shown.
    pub(super) rows: Vec<usize>,
    /// The row that the user is at.
    pub(super) selected: usize,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) interfaces: Interfaces,
    filter: Filter,
    /// How far a page moves; what was drawn last.
    page: usize,
    is_over: bool,
    /// Whether the user wants the shell back for a while.
    is_to_suspend: bool,
    failure: Option<anyhow::Error>,
}

impl Model {
    pub(super) fn new(filter: Filter, users: UserNames, has_colours: bool) -> Self {
        Self {
            mode: Mode::Table,
            search: String::new(),
            sort: Column::Local,
            reverse: false,
            is_paused: false,
            has_colours,
            users,
            history: VecDeque::with_capacity(HISTORY),
            states: BTreeMap::new(),
            hidden: 0,
            longest_transport: 0,
            rows: Vec::new(),
            selected: 0,
            snapshot: None,
            interfaces: Interfaces::default(),
            filter,
            page: 1,
            is_over: false,
            is_to_suspend: false,
            failure: None,
        }
    }

    /// Takes in what happened.
    pub(super) fn update(&mut self, event: Event) {
        match event {
            Event::Looked(look) if !self.is_paused => self.look(*look),
            Event::Looked(_) | Event::Resized => {}
            Event::Key(key) => self.press(key),
            Event::Failed(error) => {
                self.failure = Some(error);
                self.is_over = true;
            }
        }
    }

    /// Whether the screen is to be left.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the screen is to be left for a while; asked once.
    pub(super) const fn take_suspension(&mut self) -> bool {
        std::mem::replace(&mut self.is_to_suspend, false)
    }

    /// Why it was left, where that was not the user's wish.
    pub(super) fn into_failure(self) -> Option<anyhow::Error> {
        self.failure
    }

    /// The sockets from a row on, as many as are wanted at most.
    pub(super) fn rows_from(&self, first: usize, most: usize) -> Vec<SocketRow<'_>> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let places = self.rows.iter().skip(first).take(most);
        places.filter_map(|place| snapshot.row(*place)).collect()
    }

    /// How many sockets the filter lets through; the search hides some of them.
    pub(super) fn sockets(&self) -> usize {
        self.states.values().sum()
    }

    /// The drawing says how many rows there is room for.
    pub(super) const fn set_page(&mut self, rows: usize) {
        self.page = if rows == 0 { 1 } else { rows };
    }

    fn look(&mut self, look: Look) {
        if let Some(rates) = look.rates {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(rates);
        }
        self.states.clear();
        (self.hidden, self.longest_transport) = (0, 0);
        for socket in look.snapshot.iter().filter(|socket| self.filter.keeps(socket)) {
            *self.states.entry(socket.state()).or_default() += 1;
            let name = socket.protocol().name();
            self.longest_transport = self.longest_transport.max(name.len());
            self.hidden += usize::from(socket.no_process() == Some(NoProcess::NotPermitted));
        }
        let selected = self.selected_cookie();
        self.snapshot = Some(look.snapshot);
        self.interfaces = look.interfaces;
        self.list(selected);
    }

    /// Makes the list anew, and stays at the socket that was selected.
    fn relist(&mut self) {
        let selected = self.selected_cookie();
        self.list(selected);
    }

    fn list(&mut self, selected: Option<u64>) {
        let Some(snapshot) = &self.snapshot else { return };
        let search = self.search.to_ascii_lowercase();
        let order = Order { column: self.sort, reverse: self.reverse, users: &self.users };
        let interfaces = &self.interfaces;
        let wish = Wish { filter: &self.filter, search: &search, order, interfaces };
        self.rows = list::places(snapshot, wish);
        // The first row stays selected as such: nobody has moved to it.
        if let Some(cookie) = selected.filter(|_| self.selected > 0) {
            let is_it =
                |place: &usize| snapshot.row(*place).and_then(|row| row.cookie()) == Some(cookie);
            self.selected = self.rows.iter().position(is_it).unwrap_or(self.selected);
        }
        self.select(self.selected);
    }

    fn selected_cookie(&self) -> Option<u64> {
        self.rows_from(self.selected, 1).first().and_then(SocketRow::cookie)
    }

    fn select(&mut self, row: usize) {
        self.selected = row.min(self.rows.len().saturating_sub(1));
    }
}

#[cfg(test)]
pub(super) mod tests;
