//! The names of users, from `/etc/passwd`.

use std::collections::HashMap;

/// Names by uid, as `/etc/passwd` has them (passwd(5)). Users of a network directory have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserNames {
    names: HashMap<u32, Box<str>>,
}

impl UserNames {
    /// Reads `/etc/passwd`; where that cannot be read, nobody has a name.
    pub fn read() -> Self {
        Self::parse(&std::fs::read("/etc/passwd").unwrap_or_default())
    }

    /// Reads lines of `name:password:uid:...`; others are passed over. The first name of a user
    /// counts.
    pub fn parse(text: &[u8]) -> Self {
        let mut names = HashMap::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")) {
            let mut fields = line.split(|byte| *byte == b':');
            let (name, uid) = (fields.next().unwrap_or_default(), fields.nth(1));
            let uid = uid.and_then(|uid| str::from_utf8(uid).ok()?.parse().ok());
            if let (Some(uid), false) = (uid, name.is_empty()) {
                names.entry(uid).or_insert_with(|| String::from_utf8_lossy(name).into());
            }
        }
        Self { names }
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(AsRef::as_ref)
    }

    /// A user as a sentence calls him: `alice`, or `user 1000` where he has no name.
    pub fn in_words(&self, uid: u32) -> String {
        self.name(uid).map_or_else(|| format!("user {uid}"), str::to_owned)
    }

    /// The uid of a name.
    pub fn uid(&self, name: &str) -> Option<u32> {
        self.names.iter().filter(|(_, known)| &***known == name).map(|(uid, _)| *uid).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_numbers() {
        let names = UserNames::parse(
            b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0\n#a:x:7:\n+::::\nbad\nb\xff:x:8:8",
        );
        assert_eq!((names.name(0), names.name(7)), (Some("root"), None));
        assert_eq!(names.name(8), Some("b\u{fffd}"));
        assert_eq!((names.uid("root"), names.uid("toor")), (Some(0), None));
        assert_eq!((names.in_words(0), names.in_words(7)), ("root".into(), "user 7".into()));
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = UserNames::parse(&text);
        }
    }
}
