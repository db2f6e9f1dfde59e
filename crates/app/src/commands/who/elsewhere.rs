//! What is not looked at where nobody is found: other network namespaces.

use stats::system::OtherNetworks;

/// Says, where there are other network namespaces, that nobody was looked for there.
pub(in crate::commands) fn elsewhere() -> Option<String> {
    let found = OtherNetworks::look();
    let found = found.inspect_err(|error| tracing::debug!(%error, "other networks")).ok()?;
    said(found.namespaces)
}

fn said(others: usize) -> Option<String> {
    let there_are = match others {
        0 => return None,
        1 => "there is 1 other, such as a container's".to_owned(),
        others => format!("there are {others} others, such as those of containers"),
    };
    Some(format!("only this network namespace was looked at, and {there_are}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_other_nothing_is_said() {
        assert_eq!(said(0), None);
        assert!(said(1).unwrap().ends_with("there is 1 other, such as a container's"));
        assert!(said(2).unwrap().ends_with("there are 2 others, such as those of containers"));
    }
}
