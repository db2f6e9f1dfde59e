//! Saved scans: any bytes are a record or an error, and records can be compared.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scanner::{Comparison, ScanRecord};

fuzz_target!(|input: (&[u8], &[u8])| {
    let (before, after) = input;
    let Ok(before) = ScanRecord::read("before", before) else { return };
    let _ = (before.rows(), before.hosts_up(), before.unfinished(), before.unlisted_errors());
    assert!(Comparison::between(&before, &before).changes.is_empty());
    if let Ok(after) = ScanRecord::read("after", after) {
        let _ = Comparison::between(&before, &after);
    }
});
