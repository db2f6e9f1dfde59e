//! Where the workspace is, and which files belong to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use xshell::{Shell, cmd};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A shell that starts in the root.
pub(crate) fn shell() -> Result<Shell> {
    let shell = Shell::new()?;
    shell.change_dir(root());
    Ok(shell)
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// Has the programs of these packages built as users get them.
pub(crate) fn build_release(packages: &[&str]) -> Result<()> {
    let shell = shell()?;
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    cmd!(shell, "cargo build --release --quiet {packages...}")
        .quiet()
        .run()
        .context("cannot build the release binaries")
}

/// The files of the workspace, relative to its root.
pub(crate) struct Files {
    /// The paths, in order.
    pub(crate) paths: BTreeSet<PathBuf>,
    /// Why git was not asked, where it was not.
    pub(crate) without_git: Option<String>,
}

/// What git tracks and what it would track: the untracked files it does not ignore. Where git
/// cannot answer, all files but those in `target` and in hidden directories other than `.ci`.
pub(crate) fn files(shell: &Shell) -> Result<Files> {
    match tracked(shell) {
        Ok(paths) => Ok(Files { paths, without_git: None }),
        Err(error) => {
            let mut paths = BTreeSet::new();
            walk(Path::new(""), &mut paths)?;
            Ok(Files { paths, without_git: Some(format!("{error:#}")) })
        }
    }
}

fn tracked(shell: &Shell) -> Result<BTreeSet<PathBuf>> {
    let listing =
        cmd!(shell, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
    // A tracked file that was deleted but not committed is still listed.
    let present = |path: &PathBuf| root().join(path).is_file();
    Ok(listing
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .filter(present)
        .collect())
}

fn walk(directory: &Path, paths: &mut BTreeSet<PathBuf>) -> Result<()> {
    let absolute = root().join(directory);
    let entries =
        absolute.read_dir().with_context(|| format!("cannot list {}", absolute.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", absolute.display()))?;
        let path = directory.join(entry.file_name());
        let kind =
            entry.file_type().with_context(|| format!("cannot inspect {}", path.display()))?;
        if kind.is_file() {
            paths.insert(path);
        } else if kind.is_dir() && is_ours(&entry.file_name().to_string_lossy()) {
            walk(&path, paths)?;
        }
    }
    Ok(())
}

fn is_ours(directory: &str) -> bool {
    directory == ".ci" || (directory != "target" && !directory.starts_with('.'))
}
