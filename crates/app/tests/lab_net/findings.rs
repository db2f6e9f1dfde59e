//! What a scan wrote as JSON lines.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Each line of an output.
pub(crate) fn lines(output: &[u8]) -> Vec<Value> {
    let text = str::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of one type.
pub(crate) fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// The ports that are open.
pub(crate) fn open(lines: &[Value]) -> BTreeSet<u64> {
    let reports = of_type(lines, "port").into_iter();
    reports
        .filter(|report| report["state"] == "open")
        .map(|report| report["port"].as_u64().unwrap())
        .collect()
}

/// So many ports, all with the same verdict.
pub(crate) fn all(state: &str, reason: &str, count: usize) -> BTreeMap<(String, String), usize> {
    BTreeMap::from([((state.to_owned(), reason.to_owned()), count)])
}
