//! Which crate may depend on which. A new arrow changes the design first, then this table.

use cargo_metadata::DependencyKind;

use super::{Outcome, Project};

/// Each crate and what it may depend on. A name that ends in `?` must be behind a feature.
const MAY_DEPEND_ON: [(&str, &[&str]); 11] = [
    ("ports-core", &[]),
    ("sockets-sys", &[]),
    ("stats", &["ports-core", "sockets-sys?"]),
    ("sockets-tcp", &["ports-core", "stats", "sockets-sys"]),
    ("sockets-udp", &["ports-core", "stats", "sockets-sys"]),
    ("sockets-raw", &["ports-core", "sockets-sys"]),
    ("scanner", &["ports-core", "sockets-raw?"]),
    ("ports-lease", &["ports-core", "sockets-sys"]),
    (
        "app",
        &[
            "ports-core",
            "stats",
            "sockets-tcp",
            "sockets-udp",
            "sockets-raw",
            "sockets-sys",
            "scanner",
            "ports-lease",
        ],
    ),
    ("simnet", &["sockets-raw", "sockets-sys"]),
    ("xtask", &["simnet"]),
];

/// What tests and benches of any crate may use besides: never shipped, so never an arrow.
const TESTS_MAY_USE: [&str; 1] = ["simnet"];

/// One dependency of one of our crates on another.
#[derive(Clone, Copy)]
struct Arrow<'a> {
    from: &'a str,
    to: &'a str,
    for_tests: bool,
    optional: bool,
}

pub(super) fn check(project: &Project) -> Outcome {
    let packages = project.metadata.workspace_packages();
    let members: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let arrows: Vec<Arrow<'_>> = packages
        .iter()
        .flat_map(|package| {
            package.dependencies.iter().map(move |dependency| (package, dependency))
        })
        .filter(|(_, dependency)| members.contains(&dependency.name.as_str()))
        .map(|(package, dependency)| Arrow {
            from: &package.name,
            to: &dependency.name,
            for_tests: dependency.kind == DependencyKind::Development,
            optional: dependency.optional,
        })
        .collect();
    Outcome::of(problems(&members, &arrows))
}

fn problems(members: &[&str], arrows: &[Arrow<'_>]) -> Vec<String> {
    let unknown = members
        .iter()
        .filter(|member| targets_of(member).is_none())
        .map(|member| format!("`{member}` has no row in the table of crates in {}", file!()));
    unknown.chain(arrows.iter().filter_map(problem)).collect()
}

fn problem(arrow: &Arrow<'_>) -> Option<String> {
    let Arrow { from, to, for_tests, optional } = *arrow;
    let allowed = targets_of(from)?.iter().find(|target| target.trim_end_matches('?') == to);
    if for_tests {
        let free = allowed.is_some() || TESTS_MAY_USE.contains(&to);
        return (!free).then(|| format!("{from} -> {to}: not allowed, not even for tests"));
    }
    match allowed {
        None => Some(format!("{from} -> {to}: no such arrow in the design")),
        Some(target) if target.ends_with('?') && !optional => {
            Some(format!("{from} -> {to}: allowed behind a feature only, so `optional = true`"))
        }
        Some(_) => None,
    }
}

fn targets_of(member: &str) -> Option<&'static [&'static str]> {
    MAY_DEPEND_ON.iter().find(|(name, _)| *name == member).map(|(_, targets)| *targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &'static str, to: &'static str) -> Arrow<'static> {
        Arrow { from, to, for_tests: false, optional: false }
    }

    #[test]
    fn arrows_of_the_design_pass() {
        let arrows = [
            arrow("app", "scanner"),
            arrow("sockets-tcp", "stats"),
            Arrow { optional: true, ..arrow("scanner", "sockets-raw") },
            Arrow { for_tests: true, ..arrow("scanner", "simnet") },
            Arrow { for_tests: true, ..arrow("scanner", "sockets-raw") },
        ];
        assert_eq!(problems(&["app", "scanner"], &arrows), [""; 0]);
    }

    #[test]
    fn an_arrow_the_table_lacks_is_named() {
        let arrows = [arrow("sockets-tcp", "sockets-udp"), arrow("ports-core", "stats")];
        assert_eq!(
            problems(&[], &arrows),
            [
                "sockets-tcp -> sockets-udp: no such arrow in the design",
                "ports-core -> stats: no such arrow in the design",
            ]
        );
    }

    #[test]
    fn tests_may_use_the_simulated_network_and_nothing_else_new() {
        assert_eq!(problems(&[], &[arrow("scanner", "simnet")]).len(), 1);
        let for_tests = Arrow { for_tests: true, ..arrow("sockets-udp", "sockets-tcp") };
        assert_eq!(
            problems(&[], &[for_tests]),
            ["sockets-udp -> sockets-tcp: not allowed, not even for tests"]
        );
    }

    #[test]
    fn an_arrow_behind_a_feature_must_be_optional() {
        assert_eq!(
            problems(&[], &[arrow("stats", "sockets-sys")]),
            ["stats -> sockets-sys: allowed behind a feature only, so `optional = true`"]
        );
    }

    #[test]
    fn a_crate_without_a_row_is_a_problem() {
        let found = problems(&["newcomer"], &[]);
        assert!(found[0].starts_with("`newcomer` has no row"), "{found:?}");
    }

    #[test]
    fn the_table_itself_has_no_cycle() {
        // Every target stands in a row that can be removed before: leaves first.
        let mut left: Vec<_> = MAY_DEPEND_ON.to_vec();
        while !left.is_empty() {
            let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
            let before = left.len();
            left.retain(|(_, targets)| {
                targets.iter().any(|target| names.contains(&target.trim_end_matches('?')))
            });
            assert!(left.len() < before, "a cycle among {names:?}");
        }
    }
}
