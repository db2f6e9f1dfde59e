//! What each Cargo.toml must inherit from the workspace.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{Outcome, Project};

/// The fields of `[package]` that exist once, in the workspace.
const INHERITED_FIELDS: [&str; 5] = ["edition", "license", "publish", "rust-version", "version"];

/// The tables of dependencies; the same names stand under `[target.'cfg(..)']`.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn check(project: &Project) -> Result<Outcome> {
    let mut found = Vec::new();
    for package in project.metadata.workspace_packages() {
        let path = &package.manifest_path;
        let text = project.shell.read_file(path)?;
        let manifest: Table = text.parse().with_context(|| format!("cannot parse {path}"))?;
        found.extend(problems(&manifest).map(|problem| format!("{}: {problem}", package.name)));
    }
    Ok(Outcome::of(found))
}

fn problems(manifest: &Table) -> impl Iterator<Item = String> {
    let package = manifest.get("package");
    let fields = INHERITED_FIELDS
        .iter()
        .filter(move |field| !package.is_some_and(|package| is_inherited(package.get(**field))))
        .map(|field| format!("`{field}` is not inherited: write `{field}.workspace = true`"));
    let lints = (!is_inherited(manifest.get("lints")))
        .then(|| "lints are not inherited: write `[lints]` and `workspace = true`".to_owned());
    let per_target = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let dependencies = std::iter::once(manifest)
        .chain(per_target)
        .flat_map(|holder| DEPENDENCY_TABLES.iter().filter_map(|table| holder.get(*table)))
        .filter_map(Value::as_table)
        .flatten()
        .filter(|(_, value)| !is_inherited(Some(*value)))
        .map(|(name, _)| {
            format!("dependency `{name}` is not inherited: name it in [workspace.dependencies]")
        });
    fields.chain(lints).chain(dependencies)
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        [package]
        name = 'scanner'
        version.workspace = true
        edition = { workspace = true }
        license.workspace = true
        publish.workspace = true
        rust-version.workspace = true
        [lints]
        workspace = true
        [dependencies]
        serde.workspace = true
        tokio = { workspace = true, features = ['net'] }
        [target.'cfg(unix)'.dependencies]
        rustix.workspace = true
    ";

    fn problems_of(manifest: &str) -> Vec<String> {
        problems(&manifest.parse().unwrap()).collect()
    }

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert_eq!(problems_of(GOOD), [""; 0]);
    }

    #[test]
    fn own_fields_are_named() {
        let manifest = GOOD.replace("license.workspace = true", "license = 'MIT'");
        assert_eq!(
            problems_of(&manifest),
            ["`license` is not inherited: write `license.workspace = true`"]
        );
        let manifest = GOOD.replace("[lints]\n        workspace = true", "");
        assert_eq!(
            problems_of(&manifest),
            ["lints are not inherited: write `[lints]` and `workspace = true`"]
        );
        assert_eq!(problems_of("").len(), INHERITED_FIELDS.len() + 1);
    }

    #[test]
    fn own_versions_of_dependencies_are_named_under_any_target() {
        let manifest = GOOD
            .replace("serde.workspace = true", "serde = '1'")
            .replace("rustix.workspace = true", "rustix = { version = '1' }");
        let found = problems_of(&manifest);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("`serde`") && found[1].contains("`rustix`"), "{found:?}");
    }
}
