//! What is text to serde: shards, targets and sets of addresses, as they print and are read.

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use crate::block::Shard;
use crate::target::{AddressSet, TargetSpec};

macro_rules! as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(Error::custom)
            }
        }
    )+};
}

as_text!(Shard, TargetSpec, AddressSet);

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<T>(text: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let json = serde_json::Value::from(text);
        let value: T = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&value).unwrap(), json);
    }

    #[test]
    fn values_are_their_text() {
        there_and_back::<Shard>("2/3");
        there_and_back::<TargetSpec>("192.0.2.0/24");
        there_and_back::<AddressSet>("127.0.0.1,192.0.2.0-192.0.2.255");
        assert!(serde_json::from_value::<Shard>("4/3".into()).is_err());
    }
}
