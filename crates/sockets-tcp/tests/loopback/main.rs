//! The server and the client over real sockets on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod client;
mod ends;
mod server;
mod shutdown;
mod slow;
mod support;
