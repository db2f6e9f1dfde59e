//! The little of HTTP/1.1 that a scraper needs (RFC 9112): one request, one answer, and the end.

/// The longest request head, in bytes.
pub(super) const HEAD_LIMIT: usize = 8 * 1024;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Metrics,
    NotFound,
    MethodNotAllowed,
    BadRequest,
    /// The request did not come in time, or had to make room.
    Timeout,
    TooLarge,
}

/// What is answered, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// It was asked for by HEAD: the same without the body (RFC 9110 section 9.3.2).
    pub(super) is_head: bool,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, is_head: false }
    }
}

/// The reply to a request, once its head is whole. What comes behind it is not looked at: the answer ends
/// the connection (RFC 9112 section 9.6).
pub(super) fn reply(received: &[u8]) -> Option<Reply> {
    let head = without_empty_lines(received);
    let end = head.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(of_head(&head[..end]))
}

/// Some clients end what they sent before by one too many (RFC 9112 section 2.2).
fn without_empty_lines(mut head: &[u8]) -> &[u8] {
    while let Some(rest) = head.strip_prefix(b"\r\n") {
        head = rest;
    }
    head
}

fn of_head(head: &[u8]) -> Reply {
    let mut lines =
        head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Answer::BadRequest.into();
    };
    let is_head = method == b"HEAD";
    let needs_host = match version {
        b"HTTP/1.0" => false,
        // A minor version of later is to be read as the latest that is known (RFC 9110 section 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] => minor.is_ascii_digit(),
        _ => return Answer::BadRequest.into(),
    };
    let answer = match (hosts(lines), path(target)) {
        // One, or in HTTP/1.0 none (RFC 9112 section 3.2).
        (Some(hosts), Some(path)) if hosts == 1 || (hosts == 0 && !needs_host) => {
            match (method, path) {
                (b"GET" | b"HEAD", b"/metrics") => Answer::Metrics,
                (b"GET" | b"HEAD", _) => Answer::NotFound,
                _ => Answer::MethodNotAllowed,
            }
        }
        _ => Answer::BadRequest,
    };
    Reply { answer, is_head }
}

/// How many fields say the host; `None` where a line is no field (RFC 9112 section 5).
fn hosts<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut hosts = 0;
    for line in lines {
        let name =
            line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len())?;
        // No space is allowed before the colon, and a line that begins with one continues another
        // one, which nobody sends any more.
        if name.is_empty() || name.iter().any(|byte| !byte.is_ascii_graphic()) {
            return None;
        }
        hosts += usize::from(name.eq_ignore_ascii_case(b"host"));
    }
    Some(hosts)
}

/// The path of a target, without its query; `None` where it is none that names something. Besides the
/// usual form there is the absolute one, which a server must accept (RFC 9112 section 3.2.2).
fn path(target: &[u8]) -> Option<&[u8]> {
    let target = match target.split_at_checked(b"http://".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http://") => {
            let end =
                rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            // Without an authority it is not valid (RFC 9110 section 4.2.1).
            if end == 0 {
                return None;
            }
            &rest[end..]
        }
        _ if target.is_empty() => return None,
        _ => target,
    };
    target.split(|byte| *byte == b'?').next()
}

impl Reply {
    /// Status line and header, for a body of so many bytes.
    pub(super) fn head(self, content_type: &str, length: usize) -> String {
        let content_type =
            if self.answer == Answer::Metrics { content_type } else { "text/plain; charset=utf-8" };
        let is_refused = self.answer == Answer::MethodNotAllowed;
        let allow = if is_refused { "Allow: GET, HEAD\r\n" } else { "" };
        format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {allow}Connection: close\r\n\r\n",
            self.answer.status()
        )
    }
}

impl Answer {
    const fn status(self) -> &'static str {
        match self {
            Self::Metrics => "200 OK",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::BadRequest => "400 Bad Request",
            Self::Timeout => "408 Request Timeout",
            Self::TooLarge => "431 Request Header Fields Too Large",
        }
    }

    /// The body of an answer that has no metrics.
    pub(super) fn reason(self) -> String {
        format!("{}: the metrics are at /metrics\n", self.status())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_request_has_its_answer() {
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Some(Answer::Metrics)),
            ("GET /metrics HTTP/1.1\r\nhOST:\r\nAccept: */*\r\n\r\n", Some(Answer::Metrics)),
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", Some(Answer::Metrics)),
            ("\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", Some(Answer::Metrics)),
            ("GET /metrics HTTP/1.9\r\nHost: x\r\n\r\n", Some(Answer::Metrics)),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(Answer::NotFound)),
            ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", Some(Answer::NotFound)),
            ("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", Some(Answer::NotFound)),
            ("POST /metrics HTTP/1.1\r\nHost: x\r\n\r\nbody", Some(Answer::MethodNotAllowed)),
            ("get /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Some(Answer::MethodNotAllowed)),
            ("GET /metrics HTTP/1.1\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\nno field\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/2\r\nHost: x\r\n\r\n", Some(Answer::BadRequest)),
            ("GET  HTTP/1.0\r\n\r\n", Some(Answer::BadRequest)),
            (" \r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(reply(head.as_bytes()).map(|reply| reply.answer), expected, "{head:?}");
        }
    }

    #[test]
    fn a_target_may_be_absolute() {
        for (target, expected) in [
            ("http://127.0.0.1:9100/metrics", Answer::Metrics),
            ("HTTP://localhost/metrics?x", Answer::Metrics),
            ("http://localhost", Answer::NotFound),
            ("http://localhost?/metrics", Answer::NotFound),
            ("http:///metrics", Answer::BadRequest),
            ("https://localhost/metrics", Answer::NotFound),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(reply(head.as_bytes()), Some(expected.into()), "{target}");
        }
    }

    #[test]
    fn no_answer_to_head_has_a_body() {
        for (target, answer) in [("/metrics", Answer::Metrics), ("/", Answer::NotFound)] {
            let head = format!("HEAD {target} HTTP/1.0\r\n\r\n");
            assert_eq!(reply(head.as_bytes()), Some(Reply { answer, is_head: true }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_waited_for(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n')], 0..60)
        ) {
            let answered = reply(&bytes).is_some();
            let head = without_empty_lines(&bytes);
            prop_assert_eq!(answered, head.windows(4).any(|window| window == b"\r\n\r\n"));
        }
    }
}
