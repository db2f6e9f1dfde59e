//! A target that sends more than is written.

use std::sync::Arc;

use rustix::process::Signal;

use crate::driver::Ports;
use crate::loopback::udp;

/// It is not to say that its output takes nothing, which is not so.
#[test]
fn a_target_that_goes_on_sending_does_not_keep_it_from_its_end() {
    let server = udp();
    let endpoint = format!("udp://{}", server.local_addr().unwrap());
    let mut ports = Ports::start(&["connect", &endpoint]);
    ports.write(b"hello");
    let (_, client) = server.recv_from(&mut [0; 16]).unwrap();
    let test = Arc::new(());
    let is_running = Arc::downgrade(&test);
    let flood = std::thread::spawn(move || {
        while is_running.strong_count() > 0 {
            // Nobody is there any more after its end.
            let _ = server.send_to(b"x", client);
        }
    });
    ports.stdout.until(b"xxx");
    ports.signal(Signal::INT);
    let ended = ports.end();
    drop(test);
    flood.join().unwrap();
    assert_eq!(ended.code, Some(130));
    assert!(!ended.stderr.contains("takes nothing"), "{}", ended.stderr);
}
