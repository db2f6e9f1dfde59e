//! Capture files: any bytes are packets or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockets_raw::{MAX_PCAP_RECORD, PcapReader};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = PcapReader::new(bytes) else { return };
    while let Ok(Some(packet)) = reader.next_packet() {
        assert!(packet.bytes.len() <= MAX_PCAP_RECORD as usize);
        assert!(packet.bytes.len() <= bytes.len());
    }
});
