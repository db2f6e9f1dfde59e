//! What callers build on and no signature shows: which types may go to another thread, and that a wire
//! format's reader gives back parts of what it read.
#![cfg(target_os = "linux")]

use std::error::Error;
use std::io::Cursor;

use sockets_raw::{
    EchoOpenError, EchoSocket, InterfaceError, Neighbours, OpenError, PacketRing, PacketSocket,
    PcapError, PcapReader, PcapWriter, QueryError, RawSocket, ReceiveBatch, RouteError, RouteTable,
    SendBatch, SendError, SniffError, Sniffer, SnifferStop,
};

fn is_shared<T: Send + Sync + Unpin + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn sockets_may_go_to_another_thread_and_be_shared() {
    is_shared::<RawSocket>();
    is_shared::<PacketSocket>();
    is_shared::<PacketRing>();
    is_shared::<EchoSocket>();
    is_shared::<Sniffer>();
    is_shared::<SnifferStop>();
    is_shared::<SendBatch>();
    is_shared::<ReceiveBatch>();
    is_shared::<RouteTable>();
    is_shared::<Neighbours>();
    is_shared::<PcapReader<Cursor<Vec<u8>>>>();
    is_shared::<PcapWriter<Vec<u8>>>();
}

#[test]
fn errors_go_where_errors_go() {
    is_error::<OpenError>();
    is_error::<SendError>();
    is_error::<EchoOpenError>();
    is_error::<SniffError>();
    is_error::<RouteError>();
    is_error::<InterfaceError>();
    is_error::<QueryError>();
    is_error::<PcapError>();
}

/// Compiles only where what is read borrows from the packet, not from its reader.
#[test]
fn what_is_read_outlives_its_reader() {
    fn carried(bytes: &[u8]) -> Option<&[u8]> {
        let packet = sockets_raw::wire::parse(bytes)?;
        Some(packet.bytes())
    }
    assert_eq!(carried(&[]), None);
}
