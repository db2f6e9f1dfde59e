//! An established TLS session over a TCP connection, read and written without blocking.
//!
//! One short lock is held over a record's work and at most the system calls that move it. It is
//! taken under the locks of a link's directions, and none is taken under it.

use std::io::{self, IoSlice, Read, Write};
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use tokio::task::coop::poll_proceed;
use tokio_rustls::rustls::{Connection, ProtocolVersion};

use super::alert::TlsAlert;
use super::error::{TlsError, TlsFault};
use super::info::TlsInfo;
use crate::events::lock;
use crate::tcp::Tcp;

/// How many reads of the socket may bring no data in a row, before others have their turn: a peer
/// may send records that are empty, or TLS's own, as fast as they are read.
const EMPTY_READS: usize = 16;

/// See the module's first lines.
pub(crate) struct TlsStream {
    tcp: Tcp,
    session: Mutex<Session>,
}

struct Session {
    tls: Connection,
    /// Data that was taken, and whose records are not all with the kernel.
    in_flight: usize,
    /// How many bytes the kernel was given behind the last record of data; `None` before there was
    /// any data.
    behind_data: Option<usize>,
    /// The end of the sending direction is said.
    closed: bool,
    /// The peer's stream has ended, one way or the other: every read tells how.
    ended: bool,
    /// By which the peer ended the session.
    alert: Option<TlsAlert>,
    /// Draining: how much may still be read from the socket.
    left: Option<usize>,
}

impl TlsStream {
    pub(super) fn new(tcp: Tcp, tls: Connection) -> Self {
        let mut session = Session {
            tls,
            in_flight: 0,
            behind_data: None,
            closed: false,
            ended: false,
            alert: None,
            left: None,
        };
        // Data may have come with the last of the handshake. What is wrong with it, a read tells:
        // rustls repeats its errors.
        let _ = session.note_state();
        Self { tcp, session: Mutex::new(session) }
    }

    pub(crate) fn tcp(&self) -> &Tcp {
        &self.tcp
    }

    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        lock(&self.session).tls.protocol_version()
    }

    pub(crate) fn info(&self) -> Option<TlsInfo> {
        TlsInfo::of(&lock(&self.session).tls)
    }

    /// The alert by which the peer ended the session, once it was read.
    pub(crate) fn alert(&self) -> Option<TlsAlert> {
        lock(&self.session).alert
    }

    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Data that is there already would otherwise be read for ever without a turn for others.
        let budget = ready!(poll_proceed(context));
        loop {
            let mut session = lock(&self.session);
            session.left = None;
            let result = session.read(&mut Polled(&self.tcp), &self.tcp, buffer);
            drop(session);
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.tcp.poll_read_ready(context))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    budget.made_progress();
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                result => {
                    budget.made_progress();
                    return Poll::Ready(result);
                }
            }
        }
    }

    pub(crate) fn begin_drain(&self, held: usize) {
        lock(&self.session).left = Some(held);
    }

    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut session = lock(&self.session);
        loop {
            match session.read(&mut Direct(&self.tcp), &self.tcp, buffer) {
                // Each read leaves less to be read.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(crate) fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = lock(&self.session);
        session.flush(&self.tcp)?;
        // rustls takes no more than its own bound: 64 KiB.
        let taken = session.tls.writer().write_vectored(pieces)?;
        session.in_flight = taken;
        match session.flush(&self.tcp) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                session.in_flight = 0;
                Err(error)
            }
            _ => Ok(taken),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.session).in_flight
    }

    /// See [`Stream::up_to_data`](crate::stream::Stream::up_to_data). What goes out together with the
    /// last record of data counts as data.
    #[cfg(target_os = "linux")]
    pub(crate) fn up_to_data(&self, held: usize) -> usize {
        lock(&self.session).behind_data.map_or(0, |behind| held.saturating_sub(behind))
    }

    pub(crate) fn has_unsent(&self) -> bool {
        lock(&self.session).tls.wants_write()
    }

    pub(crate) fn try_flush(&self) -> io::Result<()> {
        lock(&self.session).flush(&self.tcp)
    }

    pub(crate) fn close_notify(&self) {
        let mut session = lock(&self.session);
        if !session.closed {
            session.closed = true;
            session.tls.send_close_notify();
        }
    }
}

impl Session {
    /// Reads data; `Interrupted` where a lot came and none of it was data.
    fn read(&mut self, source: &mut dyn Read, tcp: &Tcp, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..EMPTY_READS {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(cut()),
                result => return result,
            }
            if self.ended {
                self.note_state()?;
            }
            self.fetch(source)?;
            let outcome = self.note_state();
            // An answer to what came: an alert, a key update. Where the kernel does not take it
            // now, it goes out before the next data.
            let flushed = self.flush(tcp);
            outcome?;
            match flushed {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    tracing::debug!(%error, "an answer of TLS itself was not sent");
                }
                _ => {}
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Takes in what the socket has, as far as it may be read.
    fn fetch(&mut self, source: &mut dyn Read) -> io::Result<()> {
        let fetched = match self.left {
            None => self.tls.read_tls(source)?,
            Some(0) => return Err(io::ErrorKind::WouldBlock.into()),
            Some(left) => {
                let fetched = self.tls.read_tls(&mut source.take(left as u64))?;
                self.left = Some(left - fetched);
                fetched
            }
        };
        self.ended |= fetched == 0;
        Ok(())
    }

    fn note_state(&mut self) -> io::Result<()> {
        match self.tls.process_new_packets() {
            Ok(state) => {
                self.ended |= state.peer_has_closed();
                Ok(())
            }
            Err(error) => {
                let error = TlsError::from(error);
                if let TlsFault::Alert(alert) = error.fault() {
                    self.alert = Some(alert);
                }
                self.ended = true;
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    fn flush(&mut self, tcp: &Tcp) -> io::Result<()> {
        if self.in_flight > 0 {
            self.behind_data = Some(0);
        }
        while self.tls.wants_write() {
            let written = self.tls.write_tls(&mut Polled(tcp))?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if let (0, Some(behind)) = (self.in_flight, &mut self.behind_data) {
                *behind += written;
            }
        }
        self.in_flight = 0;
        Ok(())
    }
}

/// TCP's end alone, which anybody on the way can make.
fn cut() -> io::Error {
    let text = "the stream ended without the end that TLS has (close_notify): it may be cut short";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// The socket, as far as the poller says that it is ready.
struct Polled<'a>(&'a Tcp);

impl Read for Polled<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Polled<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.try_write(data)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket, whatever the poller says.
struct Direct<'a>(&'a Tcp);

impl Read for Direct<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_now(buffer)
    }
}
