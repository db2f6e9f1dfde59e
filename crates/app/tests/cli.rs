//! The real binary: scan, lookup, demo, help, and what bad input gets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod cli {
    mod demo;
    mod diff;
    #[path = "../driver/ports.rs"]
    mod driver;
    mod files;
    #[cfg(target_os = "linux")]
    #[path = "../driver/full_pipe.rs"]
    mod full_pipe;
    mod help;
    mod lookup;
    mod named_pipes;
    #[path = "../driver/own_port.rs"]
    mod own_port;
    mod program;
    #[path = "../driver/pty.rs"]
    mod pty;
    mod scan;
    mod scan_formats;
    #[cfg(target_os = "linux")]
    mod streams;
    mod targets;
    #[cfg(target_os = "linux")]
    mod unread;
    mod usage;
}
