//! A range out of what serde reads: two ports, or in a format for people a text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::PortRange;
use crate::port::Port;

/// `[8000, 8100]`, as it is serialised; in formats for people also `"8000-8100"` and `8000`.
impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(RangeVisitor);
        }
        <(Port, Port)>::deserialize(deserializer)?.try_into().map_err(Error::custom)
    }
}

struct RangeVisitor;

impl<'de> Visitor<'de> for RangeVisitor {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two ports, or a text such as `8000-8100`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ports: A) -> Result<PortRange, A::Error> {
        let mut ends = [Port::ANY; 2];
        for (index, end) in ends.iter_mut().enumerate() {
            *end = ports.next_element()?.ok_or_else(|| A::Error::invalid_length(index, &self))?;
        }
        let [first, last] = ends;
        PortRange::new(first, last).map_err(A::Error::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PortRange, E> {
        let port = u16::try_from(number).map_err(|_| E::custom("the highest port is 65535"))?;
        Ok(port.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<PortRange, E> {
        let number = u64::try_from(number).map_err(|_| E::custom("the lowest port is 0"))?;
        self.visit_u64(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_a_text_or_one_port() {
        let range = PortRange::new(8000, 8100).unwrap();
        for json in ["[8000,8100]", "\"8000-8100\""] {
            assert_eq!(serde_json::from_str::<PortRange>(json).unwrap(), range);
        }
        assert_eq!(serde_json::from_str::<PortRange>("80").unwrap(), PortRange::from(80));
        assert_eq!(serde_json::to_string(&range).unwrap(), "[8000,8100]");
    }

    #[test]
    fn what_is_no_range_is_told() {
        for (json, text) in [
            ("[8100,8000]", "range `8100-8000` is backwards: write `8000-8100`"),
            ("\"80-x\"", "`x` is not a port: it is not a decimal number"),
            ("[80]", "invalid length 1, expected two ports, or a text such as `8000-8100`"),
            ("[1,2,3]", "trailing characters"),
            ("65536", "the highest port is 65535"),
            ("-1", "the lowest port is 0"),
            ("null", "expected two ports"),
        ] {
            let error = serde_json::from_str::<PortRange>(json).unwrap_err().to_string();
            assert!(error.contains(text), "{json}: {error}");
        }
    }
}
