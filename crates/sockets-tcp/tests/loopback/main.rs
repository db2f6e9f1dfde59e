//! The server and the client over real sockets on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod address;
mod after_stop;
mod arrival;
mod binding;
mod broadcast;
mod broken;
mod client;
mod clock;
mod connecting;
mod cut_relay;
mod cutting;
mod ends;
mod expecting;
mod failed;
mod fairness;
mod frames;
mod handover;
mod last_bytes;
mod limits;
mod panics;
mod queue;
mod receiving;
mod reconnecting;
mod runtimes;
mod server;
mod shutdown;
mod slow;
mod some;
mod support;
mod unfinished;
mod unsent_echo;
#[cfg(target_os = "linux")]
mod urgent;
mod waiting;
