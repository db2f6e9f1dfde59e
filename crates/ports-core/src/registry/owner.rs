//! The label that says who holds a claim.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who holds a claim, in words for a person: `echo server`.
///
/// A literal is kept as it is and any other text is shared, so that cloning never allocates.
#[derive(Clone)]
pub struct Owner(Label);

#[derive(Clone)]
enum Label {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Owner {
    /// The label of a claim that was given none.
    pub const UNNAMED: Self = Self(Label::Static("unnamed"));

    /// The label as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Label::Static(text) => text,
            Label::Shared(text) => text,
        }
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self::UNNAMED
    }
}

impl From<&'static str> for Owner {
    fn from(text: &'static str) -> Self {
        Self(Label::Static(text))
    }
}

impl From<Arc<str>> for Owner {
    fn from(text: Arc<str>) -> Self {
        Self(Label::Shared(text))
    }
}

impl From<String> for Owner {
    fn from(text: String) -> Self {
        Self(Label::Shared(text.into()))
    }
}

impl From<Cow<'static, str>> for Owner {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Owner {}

impl PartialOrd for Owner {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Owner {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Owner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl AsRef<str> for Owner {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Owner {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_however_it_is_made() {
        let label = Owner::from("echo");
        for other in [
            Owner::from(String::from("echo")),
            Owner::from(Arc::<str>::from("echo")),
            Owner::from(Cow::Borrowed("echo")),
            Owner::from(Cow::Owned(String::from("echo"))),
        ] {
            assert_eq!(label, other);
        }
        assert_eq!(Owner::default().to_string(), "unnamed");
    }
}
