//! Names of processes as the user writes them, with `*` for any letters.

/// As many bytes of a process's name as the kernel keeps (`TASK_COMM_LEN` without its zero).
const SHORT_NAME: usize = 15;

/// A name, or a pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamePattern {
    /// What stands before the first `*`, or all.
    start: String,
    /// What stands behind each `*`.
    others: Vec<String>,
}

impl NamePattern {
    /// As much of it as the kernel may have: it cuts names, and so what they begin with.
    pub(super) fn new(text: &str) -> Self {
        let mut parts = text.split('*');
        let start = parts.next().unwrap_or_default();
        // Of a name that begins so, nothing is left behind that.
        let parts = parts.filter(|_| start.len() < SHORT_NAME);
        Self { start: short(start), others: parts.map(str::to_owned).collect() }
    }

    /// Whether a name, as the kernel has it, is meant.
    pub(super) fn matches(&self, name: &str) -> bool {
        let Some((end, between)) = self.others.split_last() else { return name == self.start };
        let Some(mut rest) = name.strip_prefix(self.start.as_str()) else { return false };
        for part in between {
            let Some((_, behind)) = rest.split_once(part.as_str()) else { return false };
            rest = behind;
        }
        rest.ends_with(end.as_str())
    }
}

/// The name as the kernel has it.
fn short(name: &str) -> String {
    String::from_utf8_lossy(&name.as_bytes()[..name.len().min(SHORT_NAME)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(pattern: &str) -> Vec<&'static str> {
        let names = ["python", "python3", "python3.11", "cpython", "sh", "a-very-long-pro", "p*"];
        let pattern = NamePattern::new(pattern);
        names.into_iter().filter(|name| pattern.matches(name)).collect()
    }

    #[test]
    fn without_a_star_it_is_the_whole_name() {
        assert_eq!(matching("python"), ["python"]);
        assert_eq!(matching("pyth"), [""; 0]);
        assert_eq!(matching("Python"), [""; 0]);
    }

    #[test]
    fn a_star_is_any_letters_or_none() {
        assert_eq!(matching("python*"), ["python", "python3", "python3.11"]);
        assert_eq!(matching("*python"), ["python", "cpython"]);
        assert_eq!(matching("*yth*1*"), ["python3.11"]);
        assert_eq!(matching("*11*11"), [""; 0], "no letter counts twice");
        assert_eq!(matching("py*on"), ["python"]);
        assert_eq!(matching("p**").len(), 4);
        assert_eq!(matching("*").len(), 7);
    }

    #[test]
    fn long_names_are_cut_as_the_kernel_cuts_them() {
        for text in
            ["a-very-long-process-name", "a-very-long-process*", "a-very-long-pro*", "a-very*"]
        {
            assert_eq!(matching(text), ["a-very-long-pro"], "{text}");
        }
    }
}
