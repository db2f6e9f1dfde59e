//! The model, fed with events.

use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use stats::system::{Protocol, Snapshot};

use super::*;
use crate::args::SocketFilterArgs;

/// As `/proc/net/tcp` has them.
pub(in crate::commands) const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 0100007F:1F91 0200007F:C001 01 00000010:00000020 00:00000000 00000000    33        0 101 1 0 100 0 0 10 0
   2: 0100007F:1F92 0300007F:C002 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100 0 0 10 0
";

pub(in super::super) fn model() -> Model {
    let users = UserNames::parse(b"root:x:0:0\nweb:x:33:33\n");
    let filter = Filter::new(&SocketFilterArgs::default(), &users).unwrap();
    Model::new(filter, users, false)
}

pub(in super::super) fn looked(rates: Option<Rates>) -> Event {
    looked_at(Snapshot::from_proc_net(Protocol::Tcp, TABLE.as_bytes()), rates)
}

pub(in super::super) fn looked_at(snapshot: Snapshot, rates: Option<Rates>) -> Event {
    let interfaces = Interfaces::of(&snapshot);
    Event::Looked(Box::new(Look { snapshot: Arc::new(snapshot), interfaces, rates }))
}

pub(in super::super) fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

pub(in super::super) fn typed(model: &mut Model, text: &str) {
    for letter in text.chars() {
        model.update(key(KeyCode::Char(letter)));
    }
}

fn ports(model: &Model) -> Vec<u16> {
    let rows = model.rows_from(0, usize::MAX);
    rows.iter().map(|row| row.local_addr().unwrap().port()).collect()
}

#[test]
fn a_look_fills_the_table() {
    let mut model = model();
    model.update(looked(None));
    assert_eq!(ports(&model), [8080, 8081, 8082]);
    assert_eq!(model.sockets(), 3);
    assert_eq!(model.states[&State::Listen], 1);
    assert!(model.history.is_empty());
}

#[test]
fn search_narrows_and_esc_drops_it() {
    let mut model = model();
    model.update(looked(None));
    typed(&mut model, "/estab");
    assert_eq!(ports(&model), [8081]);
    // While it is typed, letters are no commands.
    typed(&mut model, "q");
    assert!(!model.is_over() && model.rows.is_empty());
    model.update(key(KeyCode::Backspace));
    model.update(key(KeyCode::Enter));
    assert_eq!((model.mode, ports(&model)), (Mode::Table, vec![8081]));
    model.update(key(KeyCode::Esc));
    assert_eq!(ports(&model).len(), 3);
    typed(&mut model, "/WEB");
    assert_eq!(ports(&model), [8081]);
}

#[test]
fn sort_goes_round_and_turns() {
    let mut model = model();
    model.update(looked(None));
    typed(&mut model, "r");
    assert_eq!(ports(&model), [8082, 8081, 8080]);
    typed(&mut model, "rs");
    assert_eq!((model.sort, ports(&model)), (Column::Peer, vec![8080, 8081, 8082]));
    for _ in 0..list::COLUMNS.len() - 1 {
        typed(&mut model, "s");
    }
    assert_eq!(model.sort, Column::Local);
}

#[test]
fn pause_holds_the_table() {
    let mut model = model();
    model.update(looked(None));
    typed(&mut model, "p");
    model.update(looked_at(Snapshot::from_proc_net(Protocol::Tcp, b""), None));
    assert_eq!(model.sockets(), 3);
    typed(&mut model, "p");
    model.update(looked_at(Snapshot::from_proc_net(Protocol::Tcp, b""), None));
    assert_eq!((model.sockets(), model.selected), (0, 0));
}

#[test]
fn moving_stays_in_the_list() {
    let mut model = model();
    model.update(key(KeyCode::Down));
    assert_eq!(model.selected, 0);
    model.update(looked(None));
    for (code, selected) in [
        (KeyCode::Up, 0),
        (KeyCode::Down, 1),
        (KeyCode::End, 2),
        (KeyCode::Down, 2),
        (KeyCode::PageUp, 1),
        (KeyCode::Home, 0),
    ] {
        model.update(key(code));
        assert_eq!(model.selected, selected, "{code:?}");
    }
}

#[test]
fn history_is_bounded() {
    let mut model = model();
    for _ in 0..HISTORY + 5 {
        model.update(looked(Some(Rates::default())));
    }
    assert_eq!(model.history.len(), HISTORY);
}

#[test]
fn ends() {
    for event in [
        key(KeyCode::Char('q')),
        Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        Event::Failed(anyhow::anyhow!("gone")),
    ] {
        let mut model = model();
        model.update(event);
        assert!(model.is_over());
    }
    let mut model = model();
    typed(&mut model, "?q");
    assert!(!model.is_over(), "a key hides the help");
    model.update(Event::Failed(anyhow::anyhow!("gone")));
    assert!(model.into_failure().is_some());
}

#[test]
fn the_shell_is_wished_for_once() {
    let mut model = model();
    typed(&mut model, "/z");
    assert!(!model.take_suspension());
    model.update(Event::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)));
    assert!(!model.is_over() && model.search == "z");
    assert!(model.take_suspension());
    assert!(!model.take_suspension());
}
