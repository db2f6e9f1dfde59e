//! A TCP server and a TCP client: bytes, bounded queues, typed events, statistics, and an end in
//! order.
//!
//! - [`TcpServer`] accepts, gives each connection to a [`Handler`] in a task of its own, and sends
//!   to one client, to some or to all, from outside and, by a [`ServerHandle`], from handlers. A
//!   client that does not read meets the [`SlowPolicy`]: it is waited for, loses messages, or is disconnected. Under [`SlowPolicy::Block`] whoever
//!   sends to all waits for the slowest, for a bounded time; under the others nobody does. It limits connections, in
//!   all and of one address, and how long they may be silent; where descriptors run out it tells
//!   those who wait, and goes on by itself. It listens on several addresses, on sockets of one's
//!   own, and on those that a service manager passed (`inherited_listeners`); at its end it leaves
//!   who waits on one of those to its next holder, so that a service restarts without a gap.
//! - [`TcpClient`] connects to the first of its server's addresses that answers (happy eyeballs),
//!   and with [`Reconnect`] connects again: exponential back-off, full jitter, a limit. What is
//!   queued meanwhile is kept or dropped, as [`QueuePolicy`] says. After a deliberate close nothing
//!   reconnects. What it [receives](TcpClient::recv) comes to an end only where the server's stream
//!   did: one that was cut, and the seam between two connections, are errors.
//! - [`Framed`] turns the bytes of either into frames: [`Lines`], [`LengthPrefixed`], or any codec
//!   of `tokio-util`. It is a `Stream` and a `Sink` of them.
//! - With the feature `tls` both speak TLS, by rustls. What is wrong with a certificate or a session
//!   is a `TlsError`, in words for people; what the peer has against this end is a `TlsAlert`, also
//!   where it comes after the handshake, as in TLS 1.3.
//! - [`TcpServer::shutdown`] and [`TcpClient::close`] drain what was accepted, within a grace, and
//!   report what they cut off. A stream that lost bytes, or whose handler failed or was dropped,
//!   ends in a reset, never in what looks like its proper end; so does it where the process is to
//!   end at once ([`TcpServer::cut_off`], [`TcpClient::cut_off`]). A client that goes on sending
//!   when its server stops is reset, too, once it has acknowledged all that was for it (on Linux):
//!   nobody handles what it sends. It is counted apart, like all that came and nobody read.
//!
//! A byte that the peer marks as urgent (`MSG_OOB`) stays in its place in the stream, and is counted and
//! given out like any other, as RFC 6093 asks for (`SO_OOBINLINE`); that it was urgent, nobody learns.
//!
//! Memory is bounded: an outbox per connection in bytes and messages, a queue of events that
//! counts what a slow subscriber missed, a number of connections. An idle connection takes some
//! 4 KB of user memory: the built-in handlers, and those that read by
//! [`read_chunk`](Connection::read_chunk), hold no buffer while they wait (a relay with a prefix:
//! only the line that was begun). Data goes to the
//! handler; events carry only its lengths.
//!
//! What its signatures are made of comes with it: [`bytes`], [`ports_core`], [`stats`], [`tokio_util`],
//! and `rustls`.
//!
//! It is not for UDP, nor for text: without a codec it moves the bytes as they are.
//!
//! An echo server and its client:
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use sockets_tcp::{Echo, TcpClient, TcpServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = TcpServer::builder()
//!     .bind("127.0.0.1:0".parse()?)
//!     .handler(Echo::new().prefix("Echo: "))
//!     .start()
//!     .await?;
//!
//! let client = TcpClient::builder(server.local_addr()).connect().await?;
//! client.send(Bytes::from_static(b"hello\n")).await?;
//! client.finish().await?;
//! let mut answer = Vec::new();
//! while let Some(bytes) = client.recv().await? {
//!     answer.extend_from_slice(&bytes);
//! }
//! assert_eq!(answer, b"Echo: hello\n");
//!
//! let report = server.shutdown(Duration::from_secs(1)).await;
//! assert!(report.cut_off.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! A handler of one's own, and events:
//!
//! ```
//! use sockets_tcp::{Connection, ServerEvent, TcpClient, TcpServer, handler_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let greet = handler_fn(|mut connection: Connection| async move {
//!     let greeting = format!("you are client {}\n", connection.id());
//!     connection.write_all(greeting.as_bytes()).await?;
//!     Ok(())
//! });
//! let server = TcpServer::builder().bind("127.0.0.1:0".parse()?).handler(greet).start().await?;
//! let mut events = server.events();
//!
//! let client = TcpClient::builder(server.local_addr()).connect().await?;
//! assert_eq!(client.recv().await?.as_deref(), Some(&b"you are client 1\n"[..]));
//! client.close().await;
//!
//! while let Some(event) = events.recv().await {
//!     if let ServerEvent::Disconnected { bytes_out, .. } = event {
//!         assert_eq!(bytes_out, 17);
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!("sockets-tcp is for Unix only, as it stands");

mod backoff;
mod chunk;
mod client;
mod close_reason;
mod connection;
mod drive;
mod events;
mod failure;
mod framing;
mod handler;
mod into_io;
mod link;
mod observer;
mod options;
mod outbox;
mod server;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
mod tls;

pub use backoff::{Backoff, Reconnect, Retry};
pub use chunk::Chunk;
pub use client::{
    ClientEvent, ClientRecvError, ClientSendError, CloseReport, ConnectError, QueuePolicy, Target,
    TargetError, TcpClient, TcpClientBuilder,
};
pub use close_reason::CloseReason;
pub use connection::{Connection, ConnectionReader, ConnectionWriter};
pub use events::{Events, NoEvent};
pub use failure::{Failure, Operation};
pub use framing::{
    FrameError, FrameSink, FrameSource, Framed, LengthPrefixed, LineEnding, Lines, Prefix,
};
pub use handler::{Discard, Echo, Handler, HandlerError, HandlerFn, Relay, handler_fn};
pub use options::Keepalive;
pub use server::ServerHandle;
pub use server::{
    BindError, BroadcastReport, ClientId, ClientInfo, ClientNumbers, CutOff, Refusal, SendError,
    ServerEvent, ServerInfo, ShutdownReport, SlowPolicy, TcpServer, TcpServerBuilder,
    UnknownClientError, Unread,
};
#[cfg(target_os = "linux")]
pub use server::{InheritError, InheritedListener, inherited_listeners};

/// Messages and frames are `Bytes`.
pub use bytes;
/// Addresses, sockets and the port registry as values.
pub use ports_core;
/// What servers and clients record to.
pub use stats;
/// Codecs of one's own, and the token of a shutdown.
pub use tokio_util;

/// The connection's numbers as the kernel has them.
#[cfg(target_os = "linux")]
pub use sockets_sys::TcpInfo;
#[cfg(feature = "tls")]
pub use tls::{TlsAlert, TlsError, TlsFault, TlsInfo};
/// TLS is rustls: its configurations are what the builders take.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;

/// What the README shows, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
