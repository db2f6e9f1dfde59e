//! Rules for each .rs file: its first line, its size, its name, and where `unsafe` may stand.

use std::path::Path;
use std::str::FromStr as _;

use anyhow::Result;
use cargo_metadata::{Target, TargetKind};
use proc_macro2::{TokenStream, TokenTree};

use super::{Outcome, Project};

/// No file is longer, in lines.
const MOST_LINES: usize = 500;
/// Past this many lines a file is worth a second look.
const MANY_LINES: usize = 350;
/// Generated data may be as long as it is.
const GENERATED: &str = "src/service/generated.rs";
/// Names that say nothing about what is in the file.
const EMPTY_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];
/// The one crate that may say `unsafe`.
const UNSAFE_CRATE: &str = "sockets-sys";
const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";

pub(super) fn check(project: &Project) -> Result<Outcome> {
    let mut found = Vec::new();
    let mut notices = Vec::new();
    for path in project.files.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let source = project.shell.read_file(path)?;
        let named = |text: String| format!("{}: {text}", path.display());
        found.extend(problems(path, &source).into_iter().map(named));
        notices.extend(notice(path, &source).map(named));
    }
    for package in project.metadata.workspace_packages() {
        if package.name.as_str() == UNSAFE_CRATE {
            continue;
        }
        for target in package.targets.iter().filter(|target| is_shipped(target)) {
            if !forbids_unsafe(&project.shell.read_file(&target.src_path)?) {
                let path = &target.src_path;
                let path = path.strip_prefix(&project.metadata.workspace_root).unwrap_or(path);
                found.push(format!("{path}: lacks `{FORBID_UNSAFE}`"));
            }
        }
    }
    Ok(if found.is_empty() { Outcome::Passed(notices) } else { Outcome::Failed(found) })
}

/// What is wrong with one file.
fn problems(path: &Path, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let says_what = source.lines().next().and_then(|line| line.strip_prefix("//!"));
    if says_what.is_none_or(|text| text.trim().is_empty()) {
        found.push("the first line does not say what lives here: start with `//! ...`".into());
    }
    let lines = source.lines().count();
    if lines > MOST_LINES && !path.ends_with(GENERATED) {
        found.push(format!("{lines} lines: {MOST_LINES} is the most"));
    }
    if path.file_name().is_some_and(|name| name == "mod.rs") {
        found.push("no mod.rs: write `foo.rs` beside `foo/`".into());
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    if EMPTY_NAMES.contains(&name.as_ref()) {
        found.push(format!("`{name}` says nothing: name the file after what is in it"));
    }
    if !path.starts_with(Path::new("crates").join(UNSAFE_CRATE)) {
        match unsafe_lines(source) {
            Ok(lines) => {
                found.extend(lines.iter().map(|line| {
                    format!("line {line}: `unsafe` belongs in crates/{UNSAFE_CRATE} only")
                }));
            }
            Err(error) => found.push(format!("not Rust: {error}")),
        }
    }
    found
}

fn notice(path: &Path, source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > MANY_LINES && !path.ends_with(GENERATED)).then(|| format!("{lines} lines"))
}

/// The lines on which the keyword `unsafe` stands: as a token, not in a comment or a string.
fn unsafe_lines(source: &str) -> Result<Vec<usize>, proc_macro2::LexError> {
    let mut lines = Vec::new();
    let mut streams = vec![TokenStream::from_str(source)?];
    while let Some(stream) = streams.pop() {
        for token in stream {
            match token {
                TokenTree::Group(group) => streams.push(group.stream()),
                TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
                _ => {}
            }
        }
    }
    lines.sort_unstable();
    Ok(lines)
}

fn forbids_unsafe(source: &str) -> bool {
    source.lines().any(|line| line.trim_end() == FORBID_UNSAFE)
}

/// Whether the target is a library or a program, not a test, bench or example.
fn is_shipped(target: &Target) -> bool {
    target
        .kind
        .iter()
        .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin | TargetKind::ProcMacro))
}

#[cfg(test)]
mod tests;
