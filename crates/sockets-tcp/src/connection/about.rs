//! What a connection and both of its halves tell of it.

use ports_core::FiveTuple;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::server::{ClientId, ClientInfo};

impl Shared {
    pub(super) fn tuple(&self) -> FiveTuple {
        self.link.tuple()
    }

    pub(super) fn client_info(&self) -> ClientInfo {
        ClientInfo::new(self.client, &self.link)
    }

    pub(super) fn client(&self) -> ClientId {
        self.client
    }

    pub(super) fn stopping(&self) -> &CancellationToken {
        self.clients.stopping()
    }

    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let link = self.link.clone();
        async move { link.closed().await }
    }
}

/// The same methods for the connection and its halves, as none of them has the others at hand.
macro_rules! about {
    ($type:ty) => {
        impl $type {
            /// The client's number, unique over the life of the server.
            pub fn id(&self) -> ClientId {
                self.shared().client()
            }

            /// The client's address.
            pub fn peer_addr(&self) -> SocketAddr {
                self.five_tuple().remote
            }

            /// The address the client connected to.
            pub fn local_addr(&self) -> SocketAddr {
                self.five_tuple().local
            }

            /// Both addresses.
            pub fn five_tuple(&self) -> FiveTuple {
                self.shared().tuple()
            }

            /// The connection as it is now, with its counts and the kernel's.
            pub fn info(&self) -> ClientInfo {
                self.shared().client_info()
            }

            /// The server, to send to others of its clients.
            pub fn server(&self) -> ServerHandle {
                ServerHandle::new(Arc::clone(&self.shared().clients))
            }

            /// The TLS session: whom the client asked for, what it showed, what is spoken. `None`
            /// where the server speaks no TLS, or the connection is over.
            #[cfg(feature = "tls")]
            pub fn tls_info(&self) -> Option<crate::TlsInfo> {
                self.shared().link.tls_info()
            }

            /// How many bytes were accepted for the client that it has not acknowledged: those that
            /// wait here, and those that the kernel holds, over TLS those of its records. Without
            /// the latter where the system does not tell (elsewhere than on Linux).
            pub fn outstanding_bytes(&self) -> usize {
                self.shared().link.outstanding()
            }

            /// Whether the client ended its stream, once reading has come to an end: not so where
            /// it ended because the server shuts down.
            pub fn peer_ended(&self) -> bool {
                self.shared().link.peer_ended()
            }

            /// Whether the server is shutting down: reading gives what is there, then 0.
            pub fn shutdown_requested(&self) -> bool {
                self.shutdown_token().is_cancelled()
            }

            /// A token that is cancelled when the server begins to shut down, for handlers that
            /// wait for something other than their client.
            pub fn shutdown_token(&self) -> &CancellationToken {
                self.shared().stopping()
            }

            /// Resolves once the connection has failed, or is over: for handlers that wait for
            /// something other than their client. It can be kept beside a read or a write.
            ///
            /// Somebody has to be told of the failure: a read, a write, or what others send to this
            /// client. An end of the client's stream is none; that only a read tells.
            ///
            /// # Cancel safety
            ///
            /// Safe.
            pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
                self.shared().closed()
            }
        }
    };
}
pub(super) use about;
