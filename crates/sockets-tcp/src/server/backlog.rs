//! Who waits in the backlog when the server begins to drain: each is taken in or reset, and counted.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;

use ports_core::PortClaim;
use tokio::task::yield_now;

use super::Refusal;
use super::accept::{Acceptor, concerns_one_connection, is_lack_of_descriptors};
use super::listening::{Accepted, Listening};
use super::serve::reset;
use crate::handler::Handler;
use crate::tcp::Tcp;

/// After so many the others of the runtime have their turn: a backlog may hold tens of thousands.
const TURN: usize = 64;

/// A listening socket that is about to close, behind those who wait on it.
#[derive(Debug)]
pub(super) struct Backlog {
    /// `None` where the runtime is going: then nobody can be served.
    socket: Option<StdListener>,
    /// No more come than the backlog is long, however fast others connect.
    left: usize,
    /// Held as long as the socket is bound.
    _claim: Option<Arc<PortClaim>>,
}

impl Backlog {
    pub(super) fn new(socket: Listening, length: usize, claim: Option<Arc<PortClaim>>) -> Self {
        Self { socket: socket.into_std(), left: length.saturating_add(1), _claim: claim }
    }

    /// The next one who waits; `None` where nobody does. An error is a lack of resources, and the one
    /// for whom they lacked waits on.
    fn accept(&mut self) -> io::Result<Option<Accepted>> {
        let Some(socket) = &self.socket else { return Ok(None) };
        while self.left > 0 {
            match socket.accept() {
                Ok((stream, peer)) => {
                    self.left -= 1;
                    return Ok(Some((Tcp::register(stream), peer)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if concerns_one_connection(&error) => self.left -= 1,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// How many wait, and are reset when the socket is closed; 0 where the kernel does not say.
    fn waiting(&self) -> usize {
        #[cfg(target_os = "linux")]
        if let Some(socket) = &self.socket
            && let Ok(info) = sockets_sys::tcp_info(socket)
        {
            return info.unacked as usize;
        }
        0
    }
}

impl<H: Handler> Acceptor<H> {
    /// The server is to drain: who waits in a backlog of its own has connected, and may have sent.
    /// Those for whom there is a place are drained with the others; the rest is reset, and said so.
    /// A listener that others may hold is only closed: who waits on it is theirs to serve.
    pub(super) async fn accept_the_rest(&mut self) {
        for listener in std::mem::take(&mut self.listeners) {
            let Some(mut backlog) = listener.into_backlog() else { continue };
            // The one descriptor of the reserve serves to tell all, not to take one of them in.
            let mut short = false;
            let mut turn = 0;
            // Once the grace is over nobody is taken in any more.
            while self.service.state.is_draining() {
                match backlog.accept() {
                    Ok(None) => break,
                    Ok(Some(accepted)) => self.take_in_or_refuse(accepted, short),
                    Err(error) if is_lack_of_descriptors(&error) && self.reserve.give_up() => {
                        short = true;
                    }
                    Err(error) => {
                        self.tell_failure("who waits in the backlog cannot be accepted", &error);
                        break;
                    }
                }
                turn = (turn + 1) % TURN;
                if turn == 0 {
                    yield_now().await;
                }
            }
            // Who comes between this line and the closing is reset by the kernel, which does not
            // tell: as far as anyone here knows, the port was closed by then.
            self.service.state.refused_unseen(backlog.waiting());
        }
    }

    fn take_in_or_refuse(&self, (stream, peer): Accepted, short: bool) {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return self.refuse_unregistered(peer, &error),
        };
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        match permit {
            Ok(permit) if !short && !self.service.has_handshake() => {
                drop(self.admit(stream, peer, permit));
            }
            _ => {
                reset(stream);
                self.service.state.refused(peer, Refusal::Shutdown);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream as StdStream;

    use super::*;

    /// Until so many wait: the last word of a connection may be on its way yet.
    fn wait_for(backlog: &Backlog, count: usize) {
        while backlog.waiting() < count {
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn the_kernel_says_how_many_wait() {
        let socket = StdListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut backlog = Backlog::new(Listening::new(socket).unwrap(), 8, None);
        assert_eq!(backlog.waiting(), 0);
        let _peers: Vec<_> = (0..3).map(|_| StdStream::connect(address).unwrap()).collect();
        wait_for(&backlog, 3);
        assert_eq!(backlog.waiting(), 3);
        assert!(backlog.accept().unwrap().is_some());
        assert_eq!(backlog.waiting(), 2);
    }

    #[tokio::test]
    async fn no_more_are_taken_in_than_the_backlog_is_long() {
        let socket = StdListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut backlog = Backlog::new(Listening::new(socket).unwrap(), 1, None);
        let _peers: Vec<_> = (0..3).map(|_| StdStream::connect(address).unwrap()).collect();
        wait_for(&backlog, 3);
        for _ in 0..2 {
            assert!(backlog.accept().unwrap().is_some());
        }
        assert!(backlog.accept().unwrap().is_none());
        assert_eq!(backlog.waiting(), 1, "it is counted all the same");
    }
}
