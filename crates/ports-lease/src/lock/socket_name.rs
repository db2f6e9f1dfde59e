//! The abstract names that leases are made of.
//!
//! `ports-lease/tcp/8080` is the lock of a port. `ports-lease/of/INODE/tu/COUNT/PID/SINCE/NAME` is
//! the label of a lease: the inode of the socket that locks its first port, its transports, how many
//! ports it has, which process took it, since when in milliseconds since 1970, and for whom. The
//! label is there before the lock, so a lock without one is no lease. INODE and SINCE are in
//! hexadecimal digits, to leave room for the name.
//!
//! What does not fit of NAME is in `ports-lease/more/INODE/INDEX/REST`, from index 1 on; these are there
//! before the label.

use ports_core::{Port, Transport};

use crate::lock::Terms;
use crate::lock::lease_name::{parts, shown};
use crate::protocols::Protocols;

/// What all names begin with.
pub(crate) const PREFIX: &[u8] = b"ports-lease/";
const LABELS: &str = "of";
const MORE: &str = "more";

/// The name of a port's lock.
pub(crate) fn lock(transport: Transport, port: u16) -> String {
    format!("ports-lease/{transport}/{port}")
}

/// What a lease says of itself, and of which lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    /// Of the socket that locks the first port in the first transport.
    pub(crate) inode: u64,
    pub(crate) terms: Terms,
}

impl Label {
    pub(crate) fn abstract_name(&self) -> String {
        let Self { inode, terms: Terms { protocols, count, pid, since_ms, name } } = self;
        let code = protocols.code();
        let (name, _) = parts(name);
        format!("ports-lease/{LABELS}/{inode:x}/{code}/{count}/{pid}/{since_ms:x}/{name}")
    }
}

impl Label {
    /// The names that hold what does not fit of the lease's name.
    pub(crate) fn more_names(&self) -> Vec<String> {
        let (_, more) = parts(&self.terms.name);
        let indexed = (1..).zip(more);
        let inode = self.inode;
        indexed
            .map(|(index, text): (u8, _)| format!("ports-lease/{MORE}/{inode:x}/{index}/{text}"))
            .collect()
    }
}

/// What an abstract name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Lock(Transport, Port),
    /// With as much of the name as fits.
    Label(Label),
    /// A further part of the name of the label with this inode.
    More {
        inode: u64,
        index: u8,
        text: String,
    },
}

/// Reads a name; none where it is not one of ours.
pub(crate) fn read(name: &[u8]) -> Option<Meaning> {
    let text = str::from_utf8(name.strip_prefix(PREFIX)?).ok()?;
    let (kind, rest) = text.split_once('/')?;
    if kind == LABELS {
        return read_label(rest).map(Meaning::Label);
    }
    if kind == MORE {
        let mut fields = rest.splitn(3, '/');
        return Some(Meaning::More {
            inode: u64::from_str_radix(fields.next()?, 16).ok()?,
            index: fields.next()?.parse().ok()?,
            text: shown(fields.next()?),
        });
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
        terms: Terms {
            protocols: Protocols::from_code(fields.next()?)?,
            count: fields.next()?.parse().ok()?,
            pid: fields.next()?.parse().ok()?,
            since_ms: u64::from_str_radix(fields.next()?, 16).ok()?,
            name: shown(fields.next()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lock::lease_name::LONGEST_NAME;

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
    fn the_longest_label_fits_in_an_address() {
        let label = Label {
            // The kernel numbers sockets with 32 bits (`get_next_ino`).
            inode: u64::from(u32::MAX),
            terms: Terms {
                protocols: Protocols::Both,
                count: u16::MAX,
                // PID_MAX_LIMIT of include/linux/threads.h.
                pid: 4 * 1024 * 1024,
                // The year 2527.
                since_ms: 0xfff_ffff_ffff,
                name: "x".repeat(LONGEST_NAME),
            },
        };
        for name in label.more_names().into_iter().chain([label.abstract_name()]) {
            assert!(name.len() <= 107, "{}", name.len());
        }
    }

    proptest! {
        #[test]
        fn labels_are_read_back(
            inode in any::<u64>(), count in any::<u16>(), pid in any::<u32>(),
            since_ms in any::<u64>(), name in ".{0,100}",
        ) {
            let protocols = Protocols::Both;
            let terms = Terms { protocols, count, pid, since_ms, name: shown(&name) };
            let mut label = Label { inode, terms };
            let read_label = read(label.abstract_name().as_bytes());
            for (number, name) in (1..).zip(label.more_names()) {
                let (_, more) = parts(&label.terms.name);
                let text = more[usize::from(number) - 1].to_owned();
                let expected = Meaning::More { inode, index: number, text };
                prop_assert_eq!(read(name.as_bytes()), Some(expected));
            }
            label.terms.name = parts(&label.terms.name).0.to_owned();
            prop_assert_eq!(read_label, Some(Meaning::Label(label)));
        }

        #[test]
        fn any_bytes_are_a_meaning_or_none(bytes in prop::collection::vec(any::<u8>(), 0..108)) {
            let _ = read(&bytes);
            let _ = read(&[PREFIX, bytes.as_slice()].concat());
            let _ = read(&[&b"ports-lease/of/"[..], bytes.as_slice()].concat());
            let _ = read(&[&b"ports-lease/more/"[..], bytes.as_slice()].concat());
        }
    }
}
