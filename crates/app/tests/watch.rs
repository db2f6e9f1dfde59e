//! The real binary: `ports watch`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/ports.rs"]
mod driver;
#[path = "watch/hangup.rs"]
mod hangup;
#[path = "watch/tmux.rs"]
mod tmux;

use driver::run;

#[test]
fn without_a_terminal_it_names_the_other_way() {
    let ended = run(&["watch"]);
    assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0));
    assert!(ended.stderr.contains("ports ls --watch"), "{}", ended.stderr);
}
