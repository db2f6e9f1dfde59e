//! A listener that a parent passes to its child, by the protocol of `sd_listen_fds(3)`. The program
//! is both: it starts itself, by a shell that sets the variables, since only the child knows its
//! own process id.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    match std::env::var("PORTS_TEST_ROLE").as_deref() {
        Ok("child") => std::process::exit(child()),
        Ok(other) => panic!("no role is called {other}"),
        Err(_) => parent(),
    }
}

#[cfg(target_os = "linux")]
fn parent() {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    // The listener comes as standard input, and goes on as descriptor 3.
    let script = "exec 3<&0 </dev/null; \
                  export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$0\"";
    let start = |passed: OwnedFd| {
        Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .env("PORTS_TEST_ROLE", "child")
            .stdin(Stdio::from(passed))
            .spawn()
            .unwrap()
    };

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut child = start(listener.into());
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"hello").unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"hello");
    assert!(child.wait().unwrap().success());

    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let status = start(datagrams.into()).wait().unwrap();
    assert_eq!(status.code(), Some(3), "what is no TCP listener is refused");
}

/// Serves one client on the inherited listener.
#[cfg(target_os = "linux")]
fn child() -> i32 {
    use std::time::Duration;

    use sockets_tcp::{Echo, InheritError, ServerEvent, TcpServer, inherited_listeners};

    let mut inherited = match inherited_listeners() {
        Ok(inherited) => inherited,
        Err(InheritError::NotAListener { fd: 3, name }) if name.as_deref() == Some("web") => {
            return 3;
        }
        Err(error) => panic!("{error:?}"),
    };
    assert!(matches!(
        inherited_listeners(),
        Err(InheritError::Descriptors(error)) if error.to_string().contains("once")
    ));
    let passed = inherited.pop().unwrap();
    assert_eq!(passed.name.as_deref(), Some("web"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let builder = TcpServer::builder().listener(passed.listener).handler(Echo::new());
        let server = builder.start().await.unwrap();
        let mut events = server.events();
        while let Some(event) = events.recv().await {
            if let ServerEvent::Disconnected { bytes_out, .. } = event {
                assert_eq!(bytes_out, 5);
                break;
            }
        }
        server.shutdown(Duration::from_secs(10)).await;
    });
    0
}
