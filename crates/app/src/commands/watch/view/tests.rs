//! What the screen looks like, at several sizes.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;

use super::super::look::Rates;
use super::super::model::tests::{key, looked, model, typed};
use super::*;

fn drawn(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model)).unwrap();
    terminal.backend().to_string()
}

fn rates(opened: f64) -> Rates {
    Rates { opened, closed: 1.0, received: 1_500_000.0, acknowledged: opened * 10.0 }
}

#[test]
fn wide_and_narrow() {
    let mut model = model();
    for opened in [0.0, 4.0, 8.0] {
        model.update(looked(Some(rates(opened))));
    }
    insta::assert_snapshot!("wide", drawn(&mut model, 120, 10));
    insta::assert_snapshot!("terminal", drawn(&mut model, 80, 10));
    insta::assert_snapshot!("narrow", drawn(&mut model, 40, 6));
}

#[test]
fn before_the_first_look_and_in_search() {
    let mut model = model();
    insta::assert_snapshot!("empty", drawn(&mut model, 60, 9));
    model.update(looked(None));
    typed(&mut model, "/time");
    insta::assert_snapshot!("search", drawn(&mut model, 60, 9));
    model.update(key(KeyCode::Enter));
    typed(&mut model, "p");
    insta::assert_snapshot!("paused", drawn(&mut model, 60, 9));
    typed(&mut model, "?");
    insta::assert_snapshot!("help", drawn(&mut model, 60, 13));
}

#[test]
fn one_is_no_plural() {
    use stats::system::{Protocol, Snapshot};

    use super::super::model::tests::{TABLE, looked_at};

    let one: Vec<&str> = TABLE.lines().take(2).collect();
    let snapshot = Snapshot::from_proc_net(Protocol::Tcp, one.join("\n").as_bytes());
    let mut model = model();
    model.update(looked_at(snapshot, None));
    assert!(drawn(&mut model, 60, 9).contains("1 socket  LISTEN 1"));
}

#[test]
fn unix_sockets_are_told_apart() {
    use stats::system::{Protocol, Snapshot};

    use super::super::model::tests::looked_at;

    let table = b"Num\n0: 00000002 00000000 00010000 0005 01 7 /run/x.sock\n";
    let snapshot = Snapshot::from_proc_net(Protocol::UnixStream, table);
    let mut model = model();
    model.update(looked_at(snapshot, None));
    let screen = drawn(&mut model, 80, 9);
    assert!(screen.contains("unix-seqpacket LISTEN     /run/x.sock 7"), "{screen}");
}

#[test]
fn sockets_whose_holder_may_not_be_seen_are_counted() {
    let mut model = model();
    model.update(looked(None));
    assert!(!drawn(&mut model, 100, 9).contains("not visible"));
    model.hidden = 2;
    assert!(drawn(&mut model, 100, 9).contains("(holders of 2 not visible)"));
}

#[test]
fn any_size_is_drawn() {
    let mut model = model();
    model.update(looked(Some(rates(3.0))));
    for mode in [Mode::Table, Mode::Search, Mode::Help] {
        model.mode = mode;
        for width in (1..130).step_by(7).chain([23, 24, 25]) {
            for height in [1, 2, 4, 5, 8, 9, 30] {
                let _ = drawn(&mut model, width, height);
            }
        }
    }
    assert!(drawn(&mut model, 20, 3).contains("too small"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let mut model = model();
    model.update(looked(Some(rates(3.0))));
    model.selected = 2;
    let coloured = |model: &mut Model| {
        let mut terminal = Terminal::new(TestBackend::new(80, 12)).unwrap();
        terminal.draw(|frame| draw(frame, model)).unwrap();
        terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset)
    };
    assert!(!coloured(&mut model));
    model.has_colours = true;
    assert!(coloured(&mut model));
}
