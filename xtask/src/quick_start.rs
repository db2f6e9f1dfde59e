//! The commands under `## Quick start` in README.md: what a newcomer types, and what CI runs.

use anyhow::{Context, Result, bail};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};

use crate::workspace;

const HEADING: &str = "Quick start";

/// Arguments of `cargo xtask quick-start`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which command: 1 is the first.
    #[arg(value_parser = clap::value_parser!(u8).range(1..))]
    number: u8,
}

/// Prints the command asked for.
pub(crate) fn run(args: &Args) -> Result<()> {
    let readme = workspace::root().join("README.md");
    let text = std::fs::read_to_string(&readme)
        .with_context(|| format!("cannot read {}", readme.display()))?;
    let commands = commands(&text)?;
    let Some(command) = commands.get(usize::from(args.number) - 1) else {
        bail!("README.md's Quick start has {} commands, not {}", commands.len(), args.number);
    };
    println!("{command}");
    Ok(())
}

/// The commands in the first `sh` block under the level-two heading "Quick start": one a line,
/// comments and empty lines left out, a line that ends in a backslash joined to the next.
///
/// # Errors
///
/// Where the heading or the block is missing.
pub(crate) fn commands(markdown: &str) -> Result<Vec<String>> {
    let mut events = Parser::new(markdown);
    if !skip_to_heading(&mut events) {
        bail!("no heading `## {HEADING}`");
    }
    let Some(block) = first_sh_block(&mut events) else {
        bail!("no `sh` block under `## {HEADING}`");
    };
    Ok(block
        .replace("\\\n", " ")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn skip_to_heading(events: &mut Parser<'_>) -> bool {
    let mut title = None;
    for event in events {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                title = Some(String::new());
            }
            Event::Text(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_))
                if title.take().is_some_and(|title| title == HEADING) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

fn first_sh_block(events: &mut Parser<'_>) -> Option<String> {
    let mut block = None;
    for event in events {
        match event {
            Event::Start(Tag::Heading { level, .. }) if level <= HeadingLevel::H2 => return None,
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info)))
                if info.split_whitespace().next() == Some("sh") =>
            {
                block = Some(String::new());
            }
            Event::Text(text) => {
                if let Some(block) = &mut block {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) if block.is_some() => return block,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_commands_in_order() {
        let readme = "# ports\n\n```sh\nnot this\n```\n\n## Quick start\n\nSome words.\n\n\
            ```text\nnor this\n```\n\n```sh\n# build it\ncargo build \\\n  --release\n\n\
            cargo test --workspace\n```\n\n```sh\nnor that\n```\n";
        assert_eq!(
            commands(readme).unwrap(),
            ["cargo build    --release", "cargo test --workspace"]
        );
    }

    #[test]
    fn a_block_under_another_heading_does_not_count() {
        let readme = "## Quick start\n\nWords.\n\n## Next\n\n```sh\ncargo test\n```\n";
        let error = commands(readme).unwrap_err();
        assert_eq!(error.to_string(), "no `sh` block under `## Quick start`");
    }

    #[test]
    fn a_block_under_a_deeper_heading_counts() {
        let readme = "## Quick start\n\n### Linux\n\n```sh\ncargo test\n```\n";
        assert_eq!(commands(readme).unwrap(), ["cargo test"]);
    }

    #[test]
    fn a_readme_without_the_heading_is_an_error() {
        for readme in ["", "Quick start", "# Quick start\n```sh\nls\n```", "## Quick starter\n"] {
            let error = commands(readme).unwrap_err();
            assert_eq!(error.to_string(), "no heading `## Quick start`", "{readme}");
        }
    }
}
