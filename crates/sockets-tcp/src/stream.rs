//! The byte stream under a connection: TCP as it is, or TLS over it.
//!
//! Every call is non-blocking. The directions may be used at the same time, each by one caller.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;

use crate::tcp::Tcp;

#[cfg(feature = "tls")]
use crate::tls::TlsStream;

/// See the module's first lines. In one cache line, wherever it is allocated: each message reads it.
#[repr(align(64))]
pub(crate) enum Stream {
    Plain(Tcp),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl From<Tcp> for Stream {
    fn from(tcp: Tcp) -> Self {
        Self::Plain(tcp)
    }
}

impl Stream {
    /// The TCP connection, for its options and what the kernel knows of it.
    pub(crate) fn tcp(&self) -> &Tcp {
        match self {
            Self::Plain(tcp) => tcp,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.tcp(),
        }
    }

    /// Whether what the kernel holds is the data itself.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Of the last `held` bytes that the kernel was given: how many are of data, or came before it.
    #[cfg(target_os = "linux")]
    pub(crate) fn up_to_data(&self, held: usize) -> usize {
        match self {
            Self::Plain(_) => held,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.up_to_data(held),
        }
    }

    /// The version of TLS, where it is spoken.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_version(&self) -> Option<tokio_rustls::rustls::ProtocolVersion> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.version(),
        }
    }

    /// The TLS session, where there is one.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_info(&self) -> Option<crate::tls::TlsInfo> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.info(),
        }
    }

    /// The alert by which the peer ended its TLS session, where one was read.
    #[cfg(feature = "tls")]
    pub(crate) fn alert(&self) -> Option<crate::tls::TlsAlert> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.alert(),
        }
    }

    /// Reads once; `Ok(0)` is the peer's end. Over TLS an end without its `close_notify` is
    /// `UnexpectedEof`: the stream may be cut short.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => loop {
                match tcp.poll_read_ready(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
                match tcp.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            },
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.poll_read(context, buffer),
        }
    }

    /// From now on [`Stream::read_now`] reads no further than what the kernel holds at this moment.
    /// How many bytes that are, at most.
    pub(crate) fn begin_drain(&self) -> usize {
        // FIONREAD fails only on a closed descriptor, and then there is nothing to drain.
        let held = rustix::io::ioctl_fionread(self.tcp()).unwrap_or(0);
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        match self {
            Self::Plain(_) => held,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => {
                tls.begin_drain(held);
                usize::MAX
            }
        }
    }

    /// Whether the peer's end of the stream is the next thing to read. Of TLS it is not known before it
    /// is read.
    pub(crate) fn is_at_end(&self) -> io::Result<bool> {
        match self {
            Self::Plain(tcp) => match SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                result => result.map(|read| read == 0),
            },
            #[cfg(feature = "tls")]
            Self::Tls(_) => Ok(false),
        }
    }

    /// Reads what is there, whether or not the poller has told of it yet; else `WouldBlock`.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read_now(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.read_now(buffer),
        }
    }

    /// Until the kernel may take more.
    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_write_ready(context)
    }

    /// Takes what it can of the bytes; else `WouldBlock`. What it took may not all be with the
    /// kernel yet: see [`Stream::in_flight`].
    pub(crate) fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write(data),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_write(&[IoSlice::new(data)]),
        }
    }

    /// As [`Stream::try_write`], of many pieces.
    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_write_vectored(pieces),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_write(pieces),
        }
    }

    /// Bytes that were taken and are not with the kernel yet; 0 but over TLS.
    pub(crate) fn in_flight(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.in_flight(),
        }
    }

    /// Whether anything waits here for the kernel: records of data or of TLS itself.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.has_unsent(),
        }
    }

    /// Hands over what waits here; `WouldBlock` where the kernel does not take all of it.
    #[cfg_attr(
        not(feature = "tls"),
        expect(clippy::unnecessary_wraps, reason = "plain TCP has nothing that could fail")
    )]
    pub(crate) fn try_flush(&self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.try_flush(),
        }
    }

    /// No data follows. Over TLS this says so to the peer, in a record that may have to wait.
    pub(crate) fn begin_end(&self) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.close_notify(),
        }
    }

    /// Ends the sending direction behind all that the kernel has.
    pub(crate) fn end(&self) -> io::Result<()> {
        SockRef::from(self.tcp()).shutdown(Shutdown::Write)
    }
}
