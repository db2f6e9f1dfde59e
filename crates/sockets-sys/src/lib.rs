//! Safe functions over the socket system calls that socket2 and rustix do not wrap, or not well.
//!
//! - [`SendBatch`], [`ReceiveBatch`]: many datagrams or packets in one system call, with no
//!   allocation per packet, true lengths, and the one packet that failed named by its place.
//! - [`BatchSender`]: the same for datagrams that stay in the caller's memory, each with its source,
//!   its interface, or the length that the kernel cuts it into (`UDP_SEGMENT`): [`SendControl`].
//!   What the kernel tells of a received one is its [`ReceivedControl`].
//! - [`receive_message`]: one datagram, into the caller's memory.
//! - [`dropped_datagrams`]: what the kernel dropped, without a datagram to tell it.
//! - [`join_source`], [`leave_source`]: source-specific multicast of both families, by index.
//! - [`PacketFd`]: an `AF_PACKET` socket, at the link or at the network header.
//! - [`PacketRing`]: the same, received through memory shared with the kernel.
//! - [`FilterInstruction`], [`attach_filter`], [`lock_filter`]: classic BPF on any socket.
//! - [`TunDevice`]: a network interface whose packets this process makes.
//! - [`wait_readable`]: one wait for a few descriptors.
//! - [`keep_open`], [`exec_with`]: descriptors for a program that is started, or become;
//!   [`as_started`]: with the signals and streams that this one was started with.
//! - [`standard_output_was_closed`], [`hangup_is_ignored`], [`outlive_file_size_limit`]: what a
//!   program was started with.
//! - [`suspend_process`], [`suspend_process_group`]: stopping, in a program that handles SIGTSTP.
//! - [`tcp_info`]: what the kernel knows of a TCP connection; [`unacknowledged_bytes`]: what its peer
//!   has not got yet; [`is_at_urgent_mark`]: why a read ends before all that has come.
//! - [`inherited_descriptors`]: what the starter of this process passed to it (`LISTEN_FDS`).
//! - [`NetlinkSocket`] and its framing: [`NetlinkRequest`], [`Messages`], [`Attributes`].
//!
//! This is the only crate of the workspace that contains `unsafe`; everything it exports is safe.
//! It is for Linux and empty elsewhere.
//!
//! What it is not for: it holds no policy. It knows no routes, builds no packets, retries nothing.
//! For raw sockets to work with, see `sockets-raw`; for TCP and UDP, see `sockets-tcp` and
//! `sockets-udp`.
//!
//! # Examples
//!
//! Three datagrams in one call, received in as few as they take to arrive:
//!
//! ```
//! use std::net::UdpSocket;
//! use std::os::fd::AsFd;
//! use std::time::Duration;
//! use sockets_sys::{ReceiveBatch, SendBatch, Source, wait_readable};
//!
//! let here = UdpSocket::bind("127.0.0.1:0")?;
//! let there = UdpSocket::bind("127.0.0.1:0")?;
//!
//! let mut batch = SendBatch::new(3, 64);
//! for text in ["one", "two", "three"] {
//!     batch.push(text.as_bytes(), there.local_addr()?.into())?;
//! }
//! assert_eq!(batch.send(&here)?, 3);
//!
//! let mut received = ReceiveBatch::new(8, 64);
//! let mut left = 3;
//! while left > 0 {
//!     wait_readable([there.as_fd()], Duration::MAX)?;
//!     left -= received.receive(&there)?;
//!     for datagram in &received {
//!         assert!([&b"one"[..], b"two", b"three"].contains(&datagram.bytes));
//!         assert_eq!(datagram.source, Source::Socket(here.local_addr()?));
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The interfaces of this machine, asked of the kernel:
//!
//! ```
//! use std::time::Duration;
//! use sockets_sys::{Attributes, NetlinkFlags, NetlinkProtocol, NetlinkRequest, NetlinkSocket};
//!
//! const RTM_GETLINK: u16 = 18;
//! const IFINFOMSG_SIZE: usize = 16;
//! const IFLA_IFNAME: u16 = 3;
//!
//! let mut socket = NetlinkSocket::open(NetlinkProtocol::ROUTE)?;
//! let mut request = NetlinkRequest::new(RTM_GETLINK, NetlinkFlags::DUMP, 1);
//! request.body(&[0; IFINFOMSG_SIZE]);
//!
//! let mut names = Vec::new();
//! let mut buffer = vec![0; 32 * 1024];
//! socket.exchange(&request, &mut buffer, Duration::from_secs(30), |message| {
//!     let attributes = message.payload.get(IFINFOMSG_SIZE..).unwrap_or_default();
//!     let name = Attributes::new(attributes).find(|attribute| attribute.kind == IFLA_IFNAME);
//!     names.extend(name.and_then(|name| name.text().map(str::to_owned)));
//! })?;
//! assert!(names.contains(&"lo".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(unsafe_code, reason = "the one crate that calls what no safe crate wraps")]
#![cfg(target_os = "linux")]

mod address;
mod batch_sender;
mod control;
mod filter;
mod handover;
mod headers;
mod link;
mod listen_fds;
mod memory;
mod netlink;
mod option;
mod packet;
mod privileged_port;
mod readiness;
mod receive_batch;
mod receive_message;
mod ring;
mod send_batch;
mod send_control;
mod signal;
mod source_group;
mod startup;
mod suspension;
mod tcp_info;
mod tun;
mod unacknowledged;
mod urgent;

pub use batch_sender::{BatchSender, OutgoingMessage};
pub use control::ReceivedControl;
pub use filter::{FilterInstruction, attach_filter, detach_filter, lock_filter};
pub use handover::{ExecError, FIRST_PASSED_DESCRIPTOR, exec_with, keep_open};
pub use link::{LinkAddress, LinkSource, PacketType};
pub use listen_fds::{InheritError, Inherited, inherited_descriptors};
pub use memory::dropped_datagrams;
pub use netlink::{
    Attribute, Attributes, ExchangeError, Message, Messages, NetlinkFlags, NetlinkProtocol,
    NetlinkReceiveError, NetlinkRequest, NetlinkSocket,
};
pub use option::{report_errors_as_priority, set_receive_buffer, set_timestamps};
pub use packet::{PacketFd, PacketLevel, PacketStatistics};
pub use privileged_port::is_privileged_port;
pub use readiness::wait_readable;
pub use receive_batch::{ReceiveBatch, ReceiveBatchIter, Received, Source};
pub use receive_message::{ReceivedMessage, receive_message};
pub use ring::{PacketRing, RingBlock, RingBlockIter};
pub use send_batch::{Destination, PushError, SendBatch};
pub use send_control::SendControl;
pub use signal::{hangup_is_ignored, outlive_file_size_limit};
pub use source_group::{join_source, leave_source};
pub use startup::{as_started, standard_output_was_closed};
pub use suspension::{suspend_process, suspend_process_group, suspension_is_ignored};
pub use tcp_info::{TcpInfo, tcp_info};
pub use tun::TunDevice;
pub use unacknowledged::unacknowledged_bytes;
pub use urgent::is_at_urgent_mark;

/// What the README shows, so that it stays true.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../README.md")]
struct Readme;
