//! The ways to get a port.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use ports_core::PortRange;
use ports_lease::{Lease, Request, lease};

/// What is leased.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Any,
    Run,
    BothTransports,
    OneName,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Any, Self::Run, Self::BothTransports, Self::OneName];

    const fn name(self) -> &'static str {
        match self {
            Self::Any => "lease",
            Self::Run => "lease of three in a row",
            Self::BothTransports => "lease in tcp and udp",
            Self::OneName => "lease, all by one name",
        }
    }

    fn request(self) -> Request {
        match self {
            Self::Any => Request::tcp(),
            Self::Run => Request::tcp().count(3),
            Self::BothTransports => Request::tcp_and_udp(),
            Self::OneName => Request::tcp().name("web"),
        }
    }
}

/// A way to get a port.
pub(crate) enum Method {
    /// A lease, of this kind, in this range if any.
    Lease(Kind, Option<PortRange>),
    /// Bind port 0, close it, and hope: what most programs and libraries do.
    BindToZero,
    /// Draw a number from 15,000 to 24,999 and look whether it can be bound.
    Probe,
    /// Ask a program.
    Peer { name: String, program: String },
}

impl Method {
    /// The ways that are compared unless there is more said.
    pub(crate) fn usual() -> Vec<Self> {
        vec![Self::Lease(Kind::Any, None), Self::BindToZero, Self::Probe]
    }

    pub(crate) fn peer(text: &str) -> Self {
        let (name, program) = text.split_once('=').unwrap();
        Self::Peer { name: name.to_owned(), program: program.to_owned() }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Lease(kind, _) => kind.name(),
            Self::BindToZero => "bind port 0 and close it",
            Self::Probe => "draw one and try to bind it",
            Self::Peer { name, .. } => name,
        }
    }

    /// As an argument.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Peer { name, program } => format!("{name}={program}"),
            Self::Lease(kind, Some(range)) => format!("{}@{range}", kind.name()),
            _ => self.name().to_owned(),
        }
    }

    pub(crate) fn read(text: &str) -> Self {
        let (name, range) = match text.split_once('@') {
            Some((name, range)) => (name, Some(range.parse().unwrap())),
            None => (text, None),
        };
        Kind::ALL
            .map(|kind| Self::Lease(kind, range))
            .into_iter()
            .chain([Self::BindToZero, Self::Probe])
            .find(|method| method.name() == name)
            .unwrap_or_else(|| Self::peer(text))
    }

    pub(crate) fn start(&self) -> Picker {
        match self {
            Self::Lease(kind, range) => {
                let request = kind.request();
                Picker::Lease(match range {
                    Some(range) => request.within(*range),
                    None => request,
                })
            }
            Self::BindToZero => Picker::BindToZero,
            Self::Probe => Picker::Probe(u64::from(std::process::id())),
            Self::Peer { program, .. } => {
                let mut words = program.split(' ');
                let mut command = Command::new(words.next().unwrap());
                command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
                let mut child = command.spawn().unwrap();
                let output = BufReader::new(child.stdout.take().unwrap());
                Picker::Peer(child, output)
            }
        }
    }
}

/// Gets ports.
pub(crate) enum Picker {
    Lease(Request),
    BindToZero,
    Probe(u64),
    Peer(Child, BufReader<ChildStdout>),
}

impl Picker {
    /// A port, and what holds it; none where there is none to be had.
    pub(crate) fn pick(&mut self) -> Option<(u16, Option<Lease>)> {
        match self {
            Self::Lease(request) => {
                // Counted as none; it says why.
                let held = lease(request).inspect_err(|error| eprintln!("{error:?}")).ok()?;
                Some((held.number(), Some(held)))
            }
            Self::BindToZero => {
                let listener = TcpListener::bind("127.0.0.1:0").ok()?;
                Some((listener.local_addr().unwrap().port(), None))
            }
            Self::Probe(state) => {
                let port = (0..100).find_map(|_| {
                    let port = 15_000 + (draw(state) % 10_000) as u16;
                    TcpListener::bind(("127.0.0.1", port)).ok().map(|_| port)
                });
                port.map(|port| (port, None))
            }
            Self::Peer(child, output) => {
                child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                line.trim().parse().ok().map(|port| (port, None))
            }
        }
    }

    pub(crate) fn end(self) {
        if let Self::Peer(mut child, _) = self {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
pub(crate) fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
