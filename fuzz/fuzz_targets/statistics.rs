//! Statistics that somebody saved: any snapshot that can be read can be summed, subtracted and
//! printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stats::{Entry, Snapshot, prometheus_text};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        let _ = entry.to_string();
    }
    if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) {
        let _ = (snapshot.to_string(), snapshot.totals(), prometheus_text(&snapshot));
        let _ = snapshot.delta(&snapshot).map(|delta| delta.to_string());
    }
});
