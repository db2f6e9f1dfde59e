//! The idle clock where this end is late: what has come is heard, read or not.

use std::pin::pin;

use super::*;

const TIMEOUT: Duration = Duration::from_mins(1);

/// As after its thread was held up: all of the time is over before anybody had a turn to read.
#[tokio::test(start_paused = true)]
async fn what_came_in_time_and_nobody_could_read_is_no_silence() {
    let (link, mut peer) = pair();
    peer.write_all(b"in time").unwrap();
    arrived(&link, 7).await;
    tokio::time::advance(TIMEOUT * 2).await;
    let mut idle = pin!(link.idle(TIMEOUT));
    poll_once(idle.as_mut()).await;
    assert_eq!(read(&link, 10).await, b"in time");
    let begun = Instant::now();
    idle.await;
    assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs(), "silence from then on");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_ever_reads_holds_it_off_once() {
    let (link, mut peer) = pair();
    let begun = Instant::now();
    let mut idle = pin!(link.idle(TIMEOUT));
    for heard in 1..3 {
        peer.write_all(b"x").unwrap();
        arrived(&link, heard).await;
        tokio::time::advance(TIMEOUT).await;
        poll_once(idle.as_mut()).await;
    }
    idle.await;
    assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs() * 3);
}
