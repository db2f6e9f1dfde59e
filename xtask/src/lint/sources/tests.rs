//! Tests of the rules for .rs files.

use super::*;

const GOOD: &str = "//! What lives here.\n#![forbid(unsafe_code)]\n\nfn main() {}\n";

fn problems_of(path: &str, source: &str) -> Vec<String> {
    problems(Path::new(path), source)
}

fn only_problem(path: &str, source: &str) -> String {
    let mut found = problems_of(path, source);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A source of exactly this many lines.
fn source_of(lines: usize) -> String {
    format!("//! Long.\n{}", "\n".repeat(lines - 1))
}

#[test]
fn a_file_that_keeps_the_rules_passes() {
    assert_eq!(problems_of("crates/scanner/src/lib.rs", GOOD), [""; 0]);
}

#[test]
fn the_first_line_says_what_lives_here() {
    for source in ["", "\n//! Late.\n", "// No.\n", "//!\n//! Late.\n", "#![forbid(unsafe_code)]\n"]
    {
        assert!(only_problem("src/a.rs", source).starts_with("the first line"), "{source}");
    }
}

#[test]
fn five_hundred_lines_pass_and_one_more_does_not() {
    assert_eq!(problems_of("src/a.rs", &source_of(500)), [""; 0]);
    assert_eq!(only_problem("src/a.rs", &source_of(501)), "501 lines: 500 is the most");
    assert_eq!(problems_of("crates/ports-core/src/service/generated.rs", &source_of(501)), [""; 0]);
}

#[test]
fn past_350_lines_there_is_a_notice() {
    let path = Path::new("src/a.rs");
    assert_eq!(notice(path, &source_of(350)), None);
    assert_eq!(notice(path, &source_of(351)).as_deref(), Some("351 lines"));
    assert_eq!(notice(Path::new("crates/x/src/service/generated.rs"), &source_of(900)), None);
}

#[test]
fn names_that_say_nothing_are_refused() {
    for path in ["src/utils.rs", "tests/common.rs", "src/a/helpers.rs", "src/types.rs"] {
        assert!(only_problem(path, GOOD).contains("says nothing"), "{path}");
    }
    assert!(only_problem("src/a/mod.rs", GOOD).starts_with("no mod.rs"));
    assert_eq!(problems_of("src/port_types.rs", GOOD), [""; 0]);
}

#[test]
fn the_keyword_is_found_where_it_is_code() {
    let source = "//! A.\nfn f() {\n    unsafe { g() }\n}\n\nunsafe impl Send for S {}\n";
    let found = problems_of("crates/scanner/src/a.rs", source);
    assert_eq!(
        found,
        [
            "line 3: `unsafe` belongs in crates/sockets-sys only",
            "line 6: `unsafe` belongs in crates/sockets-sys only",
        ]
    );
    assert_eq!(problems_of("crates/sockets-sys/src/a.rs", source), [""; 0]);
}

#[test]
fn the_word_alone_is_no_keyword() {
    let source = "//! unsafe\n/// An unsafe thing.\n#[allow(unsafe_code)]\nconst A: &str = \
        \"unsafe\"; /* unsafe */\nconst B: &str = r#\"unsafe { \"# ;\nfn r#unsafe() {}\n";
    assert_eq!(problems_of("src/a.rs", source), [""; 0]);
}

#[test]
fn a_file_that_is_not_rust_is_a_problem() {
    assert!(only_problem("src/a.rs", "//! A.\nfn main() {\n").starts_with("not Rust"));
}

#[test]
fn the_attribute_counts_only_as_code() {
    assert!(forbids_unsafe(GOOD));
    assert!(!forbids_unsafe("//! #![forbid(unsafe_code)]\n"));
    assert!(!forbids_unsafe("// #![forbid(unsafe_code)]\n"));
}
