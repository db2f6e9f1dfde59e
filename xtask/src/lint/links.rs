//! Rules for the documentation: relative links lead to a file, the README starts quickly.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use pulldown_cmark::{Event, Parser, Tag};

use super::{Outcome, Project};
use crate::quick_start;

/// How many commands the README's Quick start has: one to see it work, one to test it.
const QUICK_START_COMMANDS: usize = 2;

pub(super) fn check(project: &Project) -> Result<Outcome> {
    let mut found = Vec::new();
    for path in project.files.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = project.shell.read_file(path)?;
        found.extend(broken_links(path, &text, &project.files));
    }
    let readme = Path::new("README.md");
    if project.files.contains(readme) {
        found.extend(quick_start_problem(&project.shell.read_file(readme)?));
    } else {
        found.push("README.md is missing".into());
    }
    Ok(Outcome::of(found))
}

/// The links of one page that lead to no file of the project: a file that only this machine has,
/// ignored by git or outside the checkout, counts as missing.
fn broken_links(page: &Path, markdown: &str, files: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut broken = Vec::new();
    for (event, range) in Parser::new(markdown).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url: target, .. } | Tag::Image { dest_url: target, .. }) =
            event
        else {
            continue;
        };
        let Some(path) = relative_path(&target) else { continue };
        let leads_somewhere = resolve(page, path).is_some_and(|path| {
            files.range(path.clone()..).next().is_some_and(|file| file.starts_with(path))
        });
        if !leads_somewhere {
            let line = markdown[..range.start].matches('\n').count() + 1;
            broken.push(format!("{}:{line}: no file at `{target}`", page.display()));
        }
    }
    broken
}

/// The path in a link; `None` for another site, a mail address, or a place on the same page.
fn relative_path(target: &str) -> Option<&str> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let has_scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    (!path.is_empty() && !has_scheme).then_some(path)
}

/// The path from the root of the workspace; `None` where it leads out of it. A leading slash means
/// the root, as on the sites that show repositories.
fn resolve(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    if !target.starts_with('/') {
        path.push(page.parent()?);
    }
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(path)
}

fn quick_start_problem(readme: &str) -> Option<String> {
    match quick_start::commands(readme) {
        Ok(commands) if commands.len() == QUICK_START_COMMANDS => None,
        Ok(commands) => Some(format!(
            "README.md: the Quick start has {} commands, not {QUICK_START_COMMANDS}",
            commands.len()
        )),
        Err(error) => Some(format!("README.md: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(page: &str, markdown: &str) -> Vec<String> {
        let files = ["README.md", "docs/TESTING.md", "docs/guide/scan.md", "docs-old/a.md"];
        broken_links(Path::new(page), markdown, &files.iter().map(PathBuf::from).collect())
    }

    #[test]
    fn links_to_files_and_directories_pass() {
        let page = "[a](../README.md) [b](guide/) [c](guide/scan.md#ports \"title\") \
            ![d](./guide/../TESTING.md) [e](/docs/TESTING.md) [f][g]\n\n[g]: <guide/scan.md>\n";
        assert_eq!(broken("docs/TESTING.md", page), [""; 0]);
        assert_eq!(broken("README.md", "[docs](docs) [here](.)"), [""; 0]);
    }

    #[test]
    fn what_is_no_relative_link_is_not_looked_up() {
        let page = "[a](https://example.org/x) [b](mailto:a@example.org) [c](#ports)\n\n\
            `[d](nowhere.md)`\n\n```md\n[e](nowhere.md)\n```\n";
        assert_eq!(broken("README.md", page), [""; 0]);
    }

    #[test]
    fn a_link_to_nowhere_is_named_with_its_line() {
        assert_eq!(
            broken("docs/TESTING.md", "Words.\n\nSee [this](guide/gone.md#x).\n"),
            ["docs/TESTING.md:3: no file at `guide/gone.md#x`"]
        );
        for target in
            ["docs/guide/sca", "docs/guid", "../elsewhere.md", "docs/../../ports/README.md"]
        {
            assert_eq!(broken("README.md", &format!("[a]({target})")).len(), 1, "{target}");
        }
    }

    #[test]
    fn the_quick_start_has_two_commands() {
        let readme = |block: &str| format!("## Quick start\n\n```sh\n{block}\n```\n");
        assert_eq!(quick_start_problem(&readme("cargo run\ncargo test")), None);
        for block in ["cargo run", "cargo run\ncargo test\ncargo bench"] {
            assert!(quick_start_problem(&readme(block)).is_some(), "{block}");
        }
        assert!(quick_start_problem("# ports").is_some());
    }
}
