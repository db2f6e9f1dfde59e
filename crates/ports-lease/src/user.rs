//! What users are called.

use std::fmt;
use std::fs;

/// The names of users, as `/etc/passwd` has them (passwd(5)).
pub(crate) struct Passwd(Vec<u8>);

impl Passwd {
    /// Where it cannot be read, nobody has a name.
    pub(crate) fn read() -> Self {
        Self(fs::read("/etc/passwd").unwrap_or_default())
    }

    /// The first name of a user.
    pub(crate) fn name(&self, uid: u32) -> Option<String> {
        let lines = self.0.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
        let mut users = lines.filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            let number: u32 = str::from_utf8(number).ok()?.parse().ok()?;
            (number == uid && !name.is_empty()).then_some(name)
        });
        users.next().map(|name| String::from_utf8_lossy(name).into_owned())
    }
}

/// `alice`, or `user 1000` where he has no name.
pub(crate) struct InWords<'a>(pub(crate) u32, pub(crate) Option<&'a str>);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(_, Some(name)) => f.write_str(name),
            Self(uid, None) => write!(f, "user {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_their_first_name() {
        let passwd = Passwd(b"#a:x:7:\nroot:x:0:0::/root:/bin/sh\ntoor:x:0:0\nbad\n::9".to_vec());
        assert_eq!(
            (passwd.name(0).as_deref(), passwd.name(7), passwd.name(9)),
            (Some("root"), None, None)
        );
        assert_eq!(InWords(0, passwd.name(0).as_deref()).to_string(), "root");
        assert_eq!(InWords(7, None).to_string(), "user 7");
    }
}
