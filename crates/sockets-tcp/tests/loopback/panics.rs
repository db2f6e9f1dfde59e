//! Handlers that panic: what they held is free, and the books are right.

use sockets_tcp::{Connection, Handler, HandlerError};
use tokio::io::AsyncWriteExt;

use crate::support::{HANG, peer, read_exactly, read_to_end, server};

/// However a handler panics: the next client finds the one place free, and all counts are right.
#[tokio::test]
async fn whatever_panics_leaves_its_place() {
    /// What is thrown throws again as it is thrown away.
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            std::panic::panic_any("the payload");
        }
    }
    struct Faulty;
    impl Handler for Faulty {
        fn handle(
            &self,
            mut connection: Connection,
        ) -> impl Future<Output = Result<(), HandlerError>> + Send {
            let number = connection.id().number();
            assert_ne!(number % 4, 1, "before there is a future");
            async move {
                let read = connection.read_chunk().await?;
                assert_ne!(number % 4, 2, "in the middle");
                if number % 4 == 3 {
                    std::panic::panic_any(Payload);
                }
                connection.write_all(&read).await?;
                Ok(())
            }
        }
    }
    let builder = server(Faulty).max_connections(1).max_connections_per_address(1);
    let server = builder.start().await.unwrap();
    for number in 1..=12 {
        let mut peer = peer(server.local_addr()).await;
        let written = peer.write_all(b"x").await;
        if number % 4 == 0 {
            assert_eq!(read_exactly(&mut peer, 1).await, b"x");
            continue;
        }
        // The first of each four may be told already as it writes.
        if written.is_ok() {
            read_to_end(&mut peer).await.expect_err("a handler that panics is not done");
        }
    }
    let report = server.shutdown(HANG).await;
    assert!(report.cut_off.len() <= 1, "{report:?}");
    assert_eq!((server.info().active, server.info().accepted), (0, 12));
    let totals = server.stats().snapshot().totals();
    assert_eq!((totals.opened, totals.closed), (12, 12));
}
