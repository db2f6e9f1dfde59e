//! The command that gives a program its capabilities.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Capability;

/// Gives capabilities to a program, once, for whoever runs it. Display is the command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    program: PathBuf,
    capabilities: Vec<Capability>,
}

impl Grant {
    /// Gives `capabilities` to the program in this file.
    pub fn new(program: impl Into<PathBuf>, capabilities: Vec<Capability>) -> Self {
        Self { program: program.into(), capabilities }
    }

    /// Gives `capabilities` to the program that runs now; `None` where its file is not known.
    pub fn to_this_program(capabilities: Vec<Capability>) -> Option<Self> {
        Some(Self::new(std::env::current_exe().ok()?, capabilities))
    }

    /// The program's file.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it is given.
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }
}

/// `sudo setcap cap_net_raw,cap_net_admin=ep /usr/bin/ports`, as a shell takes it.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.capabilities.iter().map(|capability| capability.name()).collect();
        let path = self.program.to_string_lossy();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
        write!(f, "sudo setcap {}=ep ", names.join(","))?;
        if path.bytes().all(is_plain) {
            f.write_str(&path)
        } else {
            write!(f, "'{}'", path.replace('\'', r"'\''"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_that_a_shell_takes() {
        let both = vec![Capability::NetRaw, Capability::NetAdmin];
        for (path, command) in [
            ("/usr/bin/ports", "sudo setcap cap_net_raw,cap_net_admin=ep /usr/bin/ports"),
            ("/a b/it's", r"sudo setcap cap_net_raw,cap_net_admin=ep '/a b/it'\''s'"),
        ] {
            assert_eq!(Grant::new(path, both.clone()).to_string(), command);
        }
        let own = Grant::to_this_program(both.clone()).unwrap();
        assert!(own.program().is_absolute());
        assert_eq!(own.capabilities(), both);
    }
}
