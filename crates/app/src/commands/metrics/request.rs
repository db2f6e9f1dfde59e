//! The little of HTTP/1.1 that a scraper needs (RFC 9112): one request, one answer, and the end.

/// The longest request head, in bytes.
pub(super) const HEAD_LIMIT: usize = 8 * 1024;

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Metrics,
    /// The same without the body (RFC 9110 section 9.3.2).
    Head,
    NotFound,
    MethodNotAllowed,
    BadRequest,
    TooLarge,
}

/// The answer to a request, once its head is whole.
pub(super) fn answer(head: &[u8]) -> Option<Answer> {
    let end = head.windows(4).position(|window| window == b"\r\n\r\n")?;
    let line = head[..end].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Some(Answer::BadRequest);
    };
    if !version.starts_with(b"HTTP/1.") {
        return Some(Answer::BadRequest);
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    Some(match (method, path) {
        (b"GET", b"/metrics") => Answer::Metrics,
        (b"HEAD", b"/metrics") => Answer::Head,
        (b"GET" | b"HEAD", _) => Answer::NotFound,
        _ => Answer::MethodNotAllowed,
    })
}

impl Answer {
    pub(super) fn has_metrics(self) -> bool {
        matches!(self, Self::Metrics | Self::Head)
    }

    const fn status(self) -> &'static str {
        match self {
            Self::Metrics | Self::Head => "200 OK",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::BadRequest => "400 Bad Request",
            Self::TooLarge => "431 Request Header Fields Too Large",
        }
    }

    /// The body of an answer that has no metrics.
    pub(super) fn reason(self) -> String {
        format!("{}: the metrics are at /metrics\n", self.status())
    }

    /// Status line and header, for a body of so many bytes.
    pub(super) fn head(self, content_type: &str, length: usize) -> String {
        let content_type =
            if self.has_metrics() { content_type } else { "text/plain; charset=utf-8" };
        let allow = if self == Self::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
        format!(
            "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {allow}Connection: close\r\n\r\n",
            self.status()
        )
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
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", Some(Answer::Metrics)),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Some(Answer::Head)),
            ("GET / HTTP/1.1\r\n\r\n", Some(Answer::NotFound)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some(Answer::MethodNotAllowed)),
            ("GET /metrics\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/2\r\n\r\n", Some(Answer::BadRequest)),
            ("\r\n\r\n", Some(Answer::BadRequest)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", None),
        ] {
            assert_eq!(answer(head.as_bytes()), expected, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_or_waited_for(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answered = answer(&bytes).is_some();
            prop_assert_eq!(answered, bytes.windows(4).any(|window| window == b"\r\n\r\n"));
        }
    }
}
