//! Where a socket is: an address of a network, or a name in this machine.

use std::fmt;
use std::net::SocketAddr;

/// One end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Address<'a> {
    /// An address and a port.
    Ip(SocketAddr),
    /// A UNIX socket.
    Unix(UnixAddress<'a>),
}

/// A UNIX socket's name and number (unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UnixAddress<'a> {
    /// A path, or a zero byte and an abstract name; empty where it was not bound. Any bytes.
    pub name: &'a [u8],
    /// Its inode, which is all that names an unbound one; 0 where that is not known.
    pub inode: u64,
}

/// As `ss` prints them: `127.0.0.1:80`, `/run/x.sock 123`, `@abstract 123`, `* 123`.
impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for UnixAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str("*")?;
        }
        for chunk in self.name.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\0' => f.write_str("@")?,
                    // Names are made by any program: none of them writes to a terminal.
                    letter if letter.is_control() => write!(f, "{}", letter.escape_default())?,
                    letter => fmt::Write::write_char(f, letter)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        write!(f, " {}", self.inode)
    }
}

/// Where the names of a UNIX socket are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UnixNames {
    /// Begin and end in the snapshot's bytes.
    pub(super) local: (u32, u32),
    pub(super) peer: (u32, u32),
    pub(super) inode: u64,
    /// 0 for none.
    pub(super) peer_inode: u64,
}

impl UnixNames {
    pub(super) fn local<'a>(&self, snapshot: &'a super::Snapshot) -> UnixAddress<'a> {
        UnixAddress { name: snapshot.name_bytes(self.local), inode: self.inode }
    }

    pub(super) fn peer<'a>(&self, snapshot: &'a super::Snapshot) -> Option<UnixAddress<'a>> {
        let address = UnixAddress { name: snapshot.name_bytes(self.peer), inode: self.peer_inode };
        (address.inode != 0).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_like_those_of_ss_and_never_control_a_terminal() {
        for (name, printed) in [
            (&b""[..], "* 7"),
            (b"/run/x.sock", "/run/x.sock 7"),
            (b"\0bus", "@bus 7"),
            (b"a\x1b[2Jb\xff", "a\\u{1b}[2Jb\\xff 7"),
        ] {
            assert_eq!(UnixAddress { name, inode: 7 }.to_string(), printed);
        }
        let address: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(Address::Ip(address).to_string(), "[::1]:80");
    }
}
