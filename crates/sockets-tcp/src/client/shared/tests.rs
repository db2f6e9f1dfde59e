//! Ends that race with connections being made and lost: which of the two came first decides.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream as StdStream};
use std::time::Duration;

use ports_core::FiveTuple;
use stats::Role;

use super::*;
use crate::observer::Observer;
use crate::tcp::Tcp;

const LIMITS: QueueLimits = QueueLimits { bytes: 1024, messages: 16 };

fn shared() -> Shared {
    let target = Target::from(std::net::SocketAddr::from(([127, 0, 0, 1], 9)));
    Shared::new(
        target,
        Publisher::new(16, false, |missed| ClientEvent::Lagged { missed }),
        SocketStats::new(),
        LIMITS,
        true,
    )
}

fn link(shared: &Shared) -> (Arc<Link>, StdStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().unwrap();
    let tuple = FiveTuple::new(Transport::Tcp, stream.local_addr().unwrap(), remote);
    let mut recorder = shared.stats.open(Transport::Tcp, Role::Client, tuple);
    let observer = Observer::Client(shared.events.clone());
    let stream = Tcp::register(stream).unwrap();
    let link = Arc::new(Link::new(stream, tuple, observer, LIMITS, recorder.split(), false));
    link.keep_unsent();
    (link, peer)
}

#[tokio::test]
async fn a_connection_made_while_the_client_is_aborted_is_reset() {
    let shared = shared();
    shared.end(Ending::Abort);
    let (link, mut peer) = link(&shared);
    shared.connected(&link);
    assert_eq!(link.closing(), Some(Closing::Abort(CloseReason::Local)));
    link.bury();
    peer.read_to_end(&mut Vec::new()).expect_err("a reset");
}

#[tokio::test]
async fn a_connection_made_while_the_client_is_dropped_is_aborted() {
    let shared = shared();
    shared.end(Ending::Drop);
    let (link, _peer) = link(&shared);
    shared.connected(&link);
    assert_eq!(link.closing(), Some(Closing::Abort(CloseReason::Local)));
}

#[tokio::test]
async fn a_connection_made_while_the_client_is_closed_has_the_same_grace() {
    let shared = shared();
    let deadline = Some(Instant::now() + Duration::from_mins(1));
    shared.end(Ending::Close { deadline });
    let (link, _peer) = link(&shared);
    shared.connected(&link);
    assert_eq!(link.closing(), Some(Closing::Finish(CloseReason::Local)));
    assert_eq!(link.deadline(), deadline);
    shared.end(Ending::Close { deadline: None });
    assert_eq!(link.deadline(), deadline, "another close makes it no longer");
    shared.end(Ending::Abort);
    assert_eq!(link.closing(), Some(Closing::Abort(CloseReason::Local)));
}

#[tokio::test]
async fn a_stream_finished_before_its_connection_is_lost_is_the_last() {
    let shared = shared();
    let (link, _peer) = link(&shared);
    shared.connected(&link);
    assert!(matches!(shared.finish_standing(), State::Connected(_)));
    shared.disconnected(&link);
    assert!(shared.is_final());
}

#[tokio::test]
async fn a_stream_finished_after_its_connection_is_lost_ends_the_next() {
    let shared = shared();
    let (first, _peer) = link(&shared);
    shared.connected(&first);
    shared.disconnected(&first);
    assert!(matches!(shared.finish_standing(), State::Connecting));
    assert!(!shared.is_final(), "there is nothing yet whose end was sent");
    let (second, _peer) = link(&shared);
    shared.connected(&second);
    assert!(
        matches!(shared.finish_standing(), State::Connected(link) if Arc::ptr_eq(&link, &second))
    );
    assert!(shared.is_final());
}
