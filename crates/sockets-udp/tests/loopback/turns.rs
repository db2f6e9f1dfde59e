//! A task that waits gives way, wherever it runs and however much of its turn is used up.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::coop::consume_budget;

use crate::{V4, open};

/// More than tokio's budget of one turn, which it does not name.
const MORE_THAN_A_TURN: usize = 140;
/// What spins never ends; this is for whoever reads the failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs what would never come back were it broken.
fn to_its_end(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match ended.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("one poll does not come to its end"),
        _ => thread.join().unwrap(),
    }
}

/// A budget, and nobody who gives the others their turn: `block_on` of a runtime with threads.
fn threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap()
}

async fn spend(units: usize) {
    for _ in 0..units {
        consume_budget().await;
    }
}

/// Ready when it is polled again.
async fn next_turn() {
    let mut polled = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
fn a_receiver_without_budget_leaves_the_others_their_turn() {
    to_its_end(|| {
        let runtime = threads();
        for spent in 0..MORE_THAN_A_TURN {
            runtime.block_on(async {
                let socket = open(V4);
                spend(spent).await;
                tokio::select! {
                    biased;
                    received = socket.recv() => panic!("{received:?}"),
                    () = next_turn() => {}
                }
                // Nor does it sleep through what comes then.
                let mut receiving = std::pin::pin!(socket.recv());
                spend(spent).await;
                crate::assert_waits(receiving.as_mut()).await;
                socket.send_to(b"x", socket.local_addr()).await.unwrap();
                assert_eq!(receiving.await.unwrap().data, "x");
            });
        }
    });
}
