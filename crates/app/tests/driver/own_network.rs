//! A network that a test makes for itself.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

/// Runs `test` in a network that has nothing but loopback; processes that it starts are in it.
pub(crate) fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(up.expect("iproute2 is installed").success());
        test();
    });
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}
