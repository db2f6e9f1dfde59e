//! Programs that mean harm, or know no better, against a server: what each bound stops and what it
//! does not, that places are given back, and that the books are right.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

#[path = "../loopback/address.rs"]
mod address;
#[path = "../loopback/arrival.rs"]
mod arrival;
mod dribble;
#[path = "../loopback/expecting.rs"]
mod expecting;
mod half_close;
mod resets;
#[path = "../loopback/support.rs"]
#[expect(dead_code, reason = "shared with the tests of peers that behave")]
mod support;
mod zero_window;
