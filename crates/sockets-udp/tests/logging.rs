//! What is logged of an overload: nothing that is loud, and nothing while the socket is held.
#![cfg(test)]
#![forbid(unsafe_code)]

#[path = "loopback/arrived.rs"]
mod arrived;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use sockets_udp::UdpSocket;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Notes what is told of drops, and closes the socket then: whoever logs holds nothing that closing
/// waits for.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    drops: Vec<(Level, u64)>,
    socket: Option<UdpSocket>,
}

#[derive(Default)]
struct Datagrams(Option<u64>);

impl Visit for Datagrams {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "datagrams" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut datagrams = Datagrams::default();
        event.record(&mut datagrams);
        let Some(datagrams) = datagrams.0 else { return };
        let socket = {
            let mut noted = self.0.lock().unwrap();
            noted.drops.push((*event.metadata().level(), datagrams));
            noted.socket.take()
        };
        if let Some(socket) = socket {
            socket.close();
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn drops_are_logged_quietly_and_outside_the_locks() {
    let log = Log::default();
    let _default = tracing::subscriber::set_default(log.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let there = UdpSocket::builder().bind(address).receive_buffer(1).open().unwrap();
        let here = UdpSocket::builder().bind(address).open().unwrap();
        log.0.lock().unwrap().socket = Some(there.clone());
        for _ in 0..100 {
            arrived::send_to(&here, &[0; 512], there.local_addr()).await;
        }
        while there.try_recv().unwrap().is_some() {}
        here.send_to(b"last", there.local_addr()).await.unwrap();
        while there.recv().await.unwrap().data != "last" {}
        assert!(there.is_closed(), "nothing was logged");
        let drops = there.kernel_drops();
        let noted = log.0.lock().unwrap();
        assert!(noted.drops.iter().all(|(level, _)| *level == Level::DEBUG), "{:?}", noted.drops);
        assert_eq!(noted.drops.iter().map(|(_, datagrams)| datagrams).sum::<u64>(), drops);
    });
}
