//! TLS over real sockets on loopback.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[path = "../loopback/address.rs"]
mod address;
mod broken;
#[path = "../loopback/clock.rs"]
mod clock;
#[path = "../loopback/expecting.rs"]
mod expecting;
mod served;
mod session;
mod stalled;
mod support;
