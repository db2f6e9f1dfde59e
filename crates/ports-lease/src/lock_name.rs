//! The abstract names that leases are made of.
//!
//! `ports-lease/tcp/8080` is the lock of a port. `ports-lease/of/INODE/tu/COUNT/PID/SINCE/NAME` is
//! the label of a lease: the inode of the socket that locks its first port, its transports, how many
//! ports it has, which process took it, since when in milliseconds since 1970, and for whom. The
//! label is there before the lock, so a lock without one is no lease. INODE and SINCE are in
//! hexadecimal digits, to leave room for the name.

use ports_core::{Port, Transport};

use crate::protocols::Protocols;

/// What all names begin with.
pub(crate) const PREFIX: &[u8] = b"ports-lease/";
const LABELS: &str = "of";
/// Bytes of a name for people, so that a label fits in an address: 107 (`sun_path` without the NUL
/// that makes it abstract) less all that comes before.
pub(crate) const LONGEST_NAME: usize = 48;

/// The name of a port's lock.
pub(crate) fn lock(transport: Transport, port: u16) -> String {
    format!("ports-lease/{transport}/{port}")
}

/// What a lease says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Of the socket that locks the first port in the first transport.
    pub(crate) inode: u64,
    pub(crate) protocols: Protocols,
    pub(crate) count: u16,
    pub(crate) pid: u32,
    pub(crate) since_ms: u64,
    /// Empty where it has none.
    pub(crate) name: String,
}

impl Label {
    pub(crate) fn abstract_name(&self) -> String {
        let Self { inode, protocols, count, pid, since_ms, name } = self;
        let code = protocols.code();
        format!("ports-lease/{LABELS}/{inode:x}/{code}/{count}/{pid}/{since_ms:x}/{name}")
    }
}

/// What an abstract name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Lock(Transport, Port),
    Label(Label),
}

/// Reads a name; none where it is not one of ours.
pub(crate) fn read(name: &[u8]) -> Option<Meaning> {
    let text = str::from_utf8(name.strip_prefix(PREFIX)?).ok()?;
    let (kind, rest) = text.split_once('/')?;
    if kind == LABELS {
        return read_label(rest).map(Meaning::Label);
    }
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|t| t.name() == kind)?;
    let port: Port = rest.parse().ok()?;
    // `08080` is another name, and locks nothing.
    (port.to_string() == rest).then_some(Meaning::Lock(transport, port))
}

fn read_label(text: &str) -> Option<Label> {
    let mut fields = text.splitn(6, '/');
    Some(Label {
        inode: u64::from_str_radix(fields.next()?, 16).ok()?,
        protocols: Protocols::from_code(fields.next()?)?,
        count: fields.next()?.parse().ok()?,
        pid: fields.next()?.parse().ok()?,
        since_ms: u64::from_str_radix(fields.next()?, 16).ok()?,
        name: shown(fields.next()?),
    })
}

/// A name as it can be shown and fits in a label.
pub(crate) fn shown(name: &str) -> String {
    let mut shown = String::new();
    for character in name.chars() {
        // A line of /proc/net/unix ends at a line feed, and a terminal obeys others.
        let character = if character.is_control() { '?' } else { character };
        if shown.len() + character.len_utf8() > LONGEST_NAME {
            break;
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_locks() {
        assert_eq!(lock(Transport::Udp, 53), "ports-lease/udp/53");
        let read_lock = |text: &str| read(text.as_bytes());
        let tcp_8080 = Meaning::Lock(Transport::Tcp, Port::new(8080));
        assert_eq!(read_lock("ports-lease/tcp/8080"), Some(tcp_8080));
        for other in
            ["ports-lease/tcp/08080", "ports-lease/tcp/70000", "ports-lease/sctp/1", "x", ""]
        {
            assert_eq!(read_lock(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_cut_between_characters_and_have_no_control_characters() {
        assert_eq!(shown("a\nb\0c"), "a?b?c");
        assert_eq!(shown(&"ä".repeat(40)), "ä".repeat(24));
        let odd = format!("x{}", "ä".repeat(40));
        assert_eq!(shown(&odd).len(), 47);
    }

    #[test]
    fn the_longest_label_fits_in_an_address() {
        let label = Label {
            // The kernel numbers sockets with 32 bits (`get_next_ino`).
            inode: u64::from(u32::MAX),
            protocols: Protocols::Both,
            count: u16::MAX,
            // PID_MAX_LIMIT of include/linux/threads.h.
            pid: 4 * 1024 * 1024,
            // The year 2527.
            since_ms: 0xfff_ffff_ffff,
            name: "x".repeat(LONGEST_NAME),
        };
        assert!(label.abstract_name().len() <= 107, "{}", label.abstract_name().len());
    }

    proptest! {
        #[test]
        fn labels_are_read_back(
            inode in any::<u64>(), count in any::<u16>(), pid in any::<u32>(),
            since_ms in any::<u64>(), name in ".{0,60}",
        ) {
            let protocols = Protocols::Both;
            let label = Label { inode, protocols, count, pid, since_ms, name: shown(&name) };
            let read = read(label.abstract_name().as_bytes());
            prop_assert_eq!(read, Some(Meaning::Label(label)));
        }

        #[test]
        fn any_bytes_are_a_meaning_or_none(bytes in prop::collection::vec(any::<u8>(), 0..108)) {
            let _ = read(&bytes);
            let _ = read(&[PREFIX, bytes.as_slice()].concat());
            let _ = read(&[&b"ports-lease/of/"[..], bytes.as_slice()].concat());
        }
    }
}
