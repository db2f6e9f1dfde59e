//! The name, the parent and the start of a process, in `/proc/PID/stat` (`proc_pid_stat(5)`).

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// Longer than any line of numbers.
const BUFFER: usize = 1024;

/// What is read of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::system) struct Stat {
    pub(in crate::system) name: Box<str>,
    pub(in crate::system) parent: u32,
    /// In clock ticks since the machine started.
    pub(in crate::system) started: u64,
}

impl Stat {
    /// Reads the file at `path`, from `directory` on; `None` where the process is gone.
    pub(in crate::system) fn read(
        directory: impl AsFd,
        path: impl Arg,
    ) -> Result<Option<Self>, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut buffer = [0; BUFFER];
        let read = rustix::fs::openat(directory, path, flags, Mode::empty())
            .and_then(|file: OwnedFd| rustix::io::read(file, &mut buffer));
        match read {
            Ok(length) => Ok(Self::parse(&buffer[..length])),
            // Another user's, where the system hides processes, is as good as gone.
            Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `1 (name) S 0 ...`: the name may hold anything, so it ends at the last bracket.
    pub(in crate::system) fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(line.get(open + 1..close)?).into();
        // From the third field on: the state, the parent; the start is the 22nd.
        let mut fields = str::from_utf8(line.get(close + 1..)?).ok()?.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { name, parent, started })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest() {
        let line = b"7 (a) S 1 (b) R 42 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9000 1 2 3\n";
        let read = Stat::parse(line).unwrap();
        assert_eq!((&*read.name, read.parent, read.started), ("a) S 1 (b", 42, 9000));
    }

    #[test]
    fn this_process_is_found() {
        let read = Stat::read(rustix::fs::CWD, "/proc/self/stat").unwrap().unwrap();
        assert_eq!(read.parent, std::os::unix::process::parent_id());
        assert!(read.started > 0);
        assert_eq!(Stat::read(rustix::fs::CWD, "/proc/4294967295/stat"), Ok(None));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "[()0-9 a-z\u{e9}-]{0,200}") {
            let _ = Stat::parse(line.as_bytes());
        }
    }
}
