//! The options of a connection's socket, the same for both roles.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Probes on a connection on which nothing moves, by which the kernel notices that the peer is gone
/// (RFC 9293 section 3.8.4; tcp(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Keepalive {
    idle: Duration,
    interval: Duration,
    count: u32,
}

impl Keepalive {
    /// How long nothing moves before the first probe, unless set: 60 s.
    pub const DEFAULT_IDLE: Duration = Duration::from_mins(1);
    /// The time between probes, unless set: 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// How many unanswered probes end the connection, unless set: 6. With the other defaults a peer
    /// that is gone is noticed after two minutes.
    pub const DEFAULT_COUNT: u32 = 6;

    /// Probes with the default times.
    pub const fn new() -> Self {
        Self {
            idle: Self::DEFAULT_IDLE,
            interval: Self::DEFAULT_INTERVAL,
            count: Self::DEFAULT_COUNT,
        }
    }

    /// How long nothing moves before the first probe, in whole seconds, at least one. Default:
    /// [`DEFAULT_IDLE`](Self::DEFAULT_IDLE).
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// The time between probes, in whole seconds, at least one. Default:
    /// [`DEFAULT_INTERVAL`](Self::DEFAULT_INTERVAL).
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many unanswered probes end the connection, at least one. Default:
    /// [`DEFAULT_COUNT`](Self::DEFAULT_COUNT).
    pub const fn count(mut self, probes: u32) -> Self {
        self.count = probes;
        self
    }

    /// As the kernel takes it: Linux has up to 32,767 seconds and 127 probes (`MAX_TCP_KEEPIDLE`).
    fn of_kernel(self) -> TcpKeepalive {
        const MOST_SECONDS: u64 = 32_767;
        const MOST_PROBES: u32 = 127;
        let seconds = |time: Duration| {
            let rounded = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
            Duration::from_secs(rounded.clamp(1, MOST_SECONDS))
        };
        TcpKeepalive::new()
            .with_time(seconds(self.idle))
            .with_interval(seconds(self.interval))
            .with_retries(self.count.clamp(1, MOST_PROBES))
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self::new()
    }
}

/// Has a byte that the peer marks as urgent stay in its place in the stream (`SO_OOBINLINE`, RFC 6093
/// section 4): else the kernel takes it out, and no read ever gives it.
///
/// It belongs on what connections are made of, too: one that is connected may have data before
/// anybody here has seen it, and of two urgent bytes the second drives out the first.
pub(crate) fn keep_urgent_in_line(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_out_of_band_inline(true)
}

/// What every connection's socket is set to, beside [`keep_urgent_in_line`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    /// `TCP_NODELAY`.
    pub(crate) no_delay: bool,
    /// `SO_KEEPALIVE` and its times.
    pub(crate) keepalive: Option<Keepalive>,
    /// `TCP_USER_TIMEOUT`; on Linux only.
    pub(crate) user_timeout: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { no_delay: true, keepalive: None, user_timeout: None }
    }
}

impl SocketOptions {
    /// Sets all of them; the first one that is refused ends it.
    pub(crate) fn apply(&self, tcp: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(tcp);
        keep_urgent_in_line(&socket)?;
        if self.no_delay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(keepalive) = self.keepalive {
            socket.set_tcp_keepalive(&keepalive.of_kernel())?;
        }
        #[cfg(target_os = "linux")]
        if let Some(timeout) = self.user_timeout {
            // In milliseconds, as a C int; none would be no limit.
            let most = Duration::from_millis(i32::MAX as u64);
            let timeout = timeout.clamp(Duration::from_millis(1), most);
            socket.set_tcp_user_timeout(Some(timeout))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    async fn stream() -> TcpStream {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn the_kernel_has_them_all() {
        let tcp = stream().await;
        let keepalive = Keepalive::new().idle(Duration::from_secs(7)).count(3);
        let options = SocketOptions {
            no_delay: true,
            keepalive: Some(keepalive.interval(Duration::from_millis(1500))),
            user_timeout: Some(Duration::from_millis(1234)),
        };
        options.apply(&tcp).unwrap();
        let socket = SockRef::from(&tcp);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert!(socket.out_of_band_inline().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(2));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(1234)));
    }

    #[tokio::test]
    async fn the_extremes_are_taken() {
        let tcp = stream().await;
        for (time, count) in [(Duration::ZERO, 0), (Duration::MAX, u32::MAX)] {
            let keepalive = Keepalive::new().idle(time).interval(time).count(count);
            let keepalive = Some(keepalive);
            let options = SocketOptions { no_delay: false, keepalive, user_timeout: Some(time) };
            options.apply(&tcp).unwrap();
        }
    }
}
