//! Who sends without a source port: heard, and never answered.

use std::collections::HashSet;
use std::net::IpAddr;

use sockets_udp::ReturnPath;

use crate::output::counted;

/// How many addresses are said. Anybody can name ever new ones.
const MOST_SAID: usize = 256;

/// A datagram without a source port asks for no answer (RFC 768), and none could be sent.
pub(super) fn can_be_answered(path: &ReturnPath) -> bool {
    path.peer().port() != 0
}

/// How much came from them, and whose address was said.
#[derive(Debug, Default)]
pub(super) struct Unanswerable {
    datagrams: u64,
    said: HashSet<IpAddr>,
}

impl Unanswerable {
    /// One more datagram; what there is to say, the first time for each address.
    pub(super) fn hear(&mut self, from: IpAddr) -> Option<String> {
        self.datagrams += 1;
        let is_news = self.said.len() < MOST_SAID && self.said.insert(from);
        is_news.then(|| {
            let rest = if self.said.len() == MOST_SAID { "; others are only counted" } else { "" };
            format!("{from} sends from port 0: nothing goes back to it{rest}")
        })
    }

    /// How much it was, if it was anything.
    pub(super) fn in_words(&self) -> Option<String> {
        let datagrams = counted(self.datagrams, "datagram", "datagrams");
        (self.datagrams > 0)
            .then(|| format!("{datagrams} came from port 0, from where nobody can be answered"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_said_once_and_each_datagram_counted() {
        let mut unanswerable = Unanswerable::default();
        assert_eq!(unanswerable.in_words(), None);
        let [one, two] = [1, 2].map(|last| IpAddr::from([10, 9, 9, last]));
        let said = [one, two, one].map(|from| unanswerable.hear(from));
        assert_eq!(said[0].as_deref(), Some("10.9.9.1 sends from port 0: nothing goes back to it"));
        assert_eq!((said[1].is_some(), &said[2]), (true, &None));
        let words = unanswerable.in_words().unwrap();
        assert!(words.starts_with("3 datagrams came from port 0"), "{words}");
    }

    #[test]
    fn there_is_an_end_to_addresses() {
        let mut unanswerable = Unanswerable::default();
        let all = (0..1000_u32).filter_map(|n| unanswerable.hear(IpAddr::from(n.to_be_bytes())));
        let said: Vec<_> = all.collect();
        assert_eq!(said.len(), MOST_SAID);
        assert!(said[MOST_SAID - 1].ends_with("; others are only counted"));
        assert!(unanswerable.in_words().unwrap().starts_with("1000 "));
    }
}
