//! Saved scans: any bytes are a record or an error, and records can be compared.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scanner::{Comparison, ScanRecord};

// Two files, parted by a byte that is in neither format.
fuzz_target!(|bytes: &[u8]| {
    let mut files = bytes.splitn(2, |byte| *byte == 0);
    let Ok(before) = ScanRecord::read("before", files.next().unwrap_or_default()) else { return };
    let _ = (before.rows(), before.hosts_up(), before.unfinished(), before.unlisted_errors());
    assert!(Comparison::between(&before, &before).changes.is_empty());
    if let Ok(after) = ScanRecord::read("after", files.next().unwrap_or_default()) {
        let _ = Comparison::between(&before, &after);
    }
});
