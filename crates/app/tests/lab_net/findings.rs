//! What a scan wrote as JSON lines.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// How many ports there are of each state and reason.
pub(crate) type States = BTreeMap<(String, String), usize>;

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

/// What became of the ports that are reported.
pub(crate) fn states(lines: &[Value]) -> States {
    let mut states = States::new();
    for report in of_type(lines, "port") {
        let word = |key: &str| report[key].as_str().unwrap().to_owned();
        *states.entry((word("state"), word("reason"))).or_default() += 1;
    }
    states
}

/// So many ports, all with the same verdict.
pub(crate) fn all(state: &str, reason: &str, count: usize) -> States {
    States::from([((state.to_owned(), reason.to_owned()), count)])
}

/// The last line of a scan that came to its end.
pub(crate) fn summary(lines: &[Value]) -> &Value {
    lines.last().filter(|line| line["type"] == "summary").expect("a summary")
}
