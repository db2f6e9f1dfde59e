//! Netlink datagrams: messages and attributes, nested ones, too, lie inside of the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockets_sys::{Attributes, Messages};

/// Deeper nesting than any message has.
const DEPTH: u32 = 4;

fn walk(bytes: &[u8], depth: u32) {
    let mut left = bytes.len();
    for attribute in Attributes::new(bytes) {
        assert!(attribute.payload.len() < left);
        left -= attribute.payload.len();
        let _ = (attribute.u32(), attribute.ip(), attribute.text());
        if depth > 0 {
            walk(attribute.payload, depth - 1);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut count = 0;
    for message in Messages::new(bytes) {
        count += 1;
        assert!(message.payload.len() < bytes.len());
        walk(message.payload, DEPTH);
        // Every message has a header of 16 bytes.
        assert!(count * 16 <= bytes.len());
    }
});
