//! Packets: any bytes are read without a panic, and what is read lies inside of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockets_raw::wire::{ArpPacket, parse};

fuzz_target!(|bytes: &[u8]| {
    let _ = ArpPacket::parse(bytes);
    if let Some(packet) = parse(bytes) {
        assert!(packet.bytes().len() <= bytes.len());
        assert!(packet.carried().len() <= packet.bytes().len());
        let _ = (packet.ports(), packet.checksum_is_valid(), packet.is_fragment());
        let _ = format!("{packet:?}");
    }
});
