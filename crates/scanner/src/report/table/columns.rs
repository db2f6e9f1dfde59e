//! Where the columns of a table stand.

/// How wide a line is at most where its content allows it: a terminal's usual width.
const LINE: usize = 80;
const INDENT: &str = "  ";
/// `65535/tcp`.
const PORT: usize = 9;
/// As long as an IPv4 address. Longer hosts widen it.
const MIN_HOST: usize = 15;
/// As long as a registered name (RFC 6335 section 5.1).
const SERVICE: usize = 15;
const MIN_SERVICE: usize = 10;
/// `dynamic`.
const CLASS: usize = 7;
/// The longest of them.
const REASON: usize = 20;
/// That of most; where the host takes room, too.
const REASON_BY_HOST: usize = 16;
/// `12.345 ms`.
const RTT: usize = 9;

/// The texts of one line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a> {
    /// Shown only where each row names its own.
    pub(super) host: &'a str,
    pub(super) port: &'a str,
    pub(super) state: &'a str,
    /// What goes before and after the state, and takes no room.
    pub(super) paint: (&'a str, &'a str),
    pub(super) service: &'a str,
    /// Shown only where the host is not: it follows from the port.
    pub(super) class: &'a str,
    pub(super) reason: &'a str,
    pub(super) rtt: &'a str,
}

/// What stands above the rows.
const HEADINGS: Texts<'static> = Texts {
    host: "HOST",
    port: "PORT",
    state: "STATE",
    paint: ("", ""),
    service: "SERVICE",
    class: "CLASS",
    reason: "REASON",
    rtt: "RTT",
};

/// How wide the columns are: the same for the heading and for every row below it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    host: Option<usize>,
    state: usize,
    service: usize,
    reason: usize,
}

impl Columns {
    /// For rows of one host. `state` is how long the longest state is that may come.
    pub(super) fn of_one_host(state: usize) -> Self {
        let state = state.max(HEADINGS.state.len());
        Self { host: None, state, service: SERVICE, reason: REASON }
    }

    /// For rows that name their host; `host` is how long the longest is that is known.
    pub(super) fn by_host(host: usize, state: usize) -> Self {
        let (host, state) = (host.max(MIN_HOST), state.max(HEADINGS.state.len()));
        let others = [host, PORT, state, REASON_BY_HOST].map(|width| width + 1);
        let taken = INDENT.len() + others.iter().sum::<usize>() + 1 + RTT;
        let service = LINE.saturating_sub(taken).clamp(MIN_SERVICE, SERVICE);
        Self { host: Some(host), state, service, reason: REASON_BY_HOST }
    }

    pub(super) fn heading(&self) -> String {
        self.line(&HEADINGS)
    }

    pub(super) fn line(&self, texts: &Texts<'_>) -> String {
        let mut line = Line { text: INDENT.to_owned(), shown: INDENT.len(), end: INDENT.len() };
        if let Some(width) = self.host {
            line.left(texts.host, width);
        }
        line.left(texts.port, PORT);
        line.text.push_str(texts.paint.0);
        line.text.push_str(texts.state);
        line.text.push_str(texts.paint.1);
        line.shown += texts.state.chars().count();
        line.pad(self.state);
        line.left(texts.service, self.service);
        if self.host.is_none() {
            line.left(texts.class, CLASS);
        }
        line.left(texts.reason, self.reason);
        line.right(texts.rtt, RTT);
        line.text
    }
}

/// A line as it grows. A text that is wider than its column takes from the room of those behind it.
struct Line {
    text: String,
    /// Characters that take room.
    shown: usize,
    /// Where the last column ends, and the gap behind it.
    end: usize,
}

impl Line {
    fn left(&mut self, text: &str, width: usize) {
        self.text.push_str(text);
        self.shown += text.chars().count();
        self.pad(width);
    }

    fn pad(&mut self, width: usize) {
        self.end += width + 1;
        let spaces = self.end.saturating_sub(self.shown).max(1);
        self.spaces(spaces);
    }

    fn right(&mut self, text: &str, width: usize) {
        self.end += width;
        self.spaces(self.end.saturating_sub(self.shown + text.chars().count()));
        self.text.push_str(text);
    }

    fn spaces(&mut self, count: usize) {
        self.text.extend(std::iter::repeat_n(' ', count));
        self.shown += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Texts<'static> = Texts {
        host: "192.0.2.254",
        port: "65535/tcp",
        state: "filtered",
        paint: ("<", ">"),
        service: "-",
        class: "dynamic",
        reason: "admin-prohibited",
        rtt: "12.345 ms",
    };

    #[test]
    fn eighty_columns_are_enough() {
        let shown = |line: &str| line.replace(['<', '>'], "").chars().count();
        for state in ["open", "filtered", "open|filtered"] {
            let row = Texts { state, ..ROW };
            for columns in
                [Columns::of_one_host(state.len()), Columns::by_host(row.host.len(), state.len())]
            {
                let line = columns.line(&row);
                assert!(shown(&line) <= LINE, "{line}");
                assert_eq!(shown(&line), shown(&columns.heading()));
            }
        }
        let ipv6 = "fd00:1111:2222:3333:4444:5555:6666:7777";
        let columns = Columns::by_host(ipv6.len(), 8);
        let line = columns.line(&Texts { host: ipv6, ..ROW });
        assert_eq!(shown(&line), shown(&columns.heading()));
    }

    #[test]
    fn a_wide_text_moves_only_what_it_must() {
        let columns = Columns::by_host(0, 8);
        let wide = Texts { reason: "neighbour-unresolved", rtt: "-", ..ROW };
        assert_eq!(columns.line(&wide).len(), columns.line(&ROW).len());
        let wide = Texts { service: "cassandra-internode", reason: "reset", ..ROW };
        assert_eq!(columns.line(&wide).len(), columns.line(&ROW).len());
    }
}
