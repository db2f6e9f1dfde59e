//! Questions to the kernel of this machine: no privilege is needed to ask.

use super::super::{NetlinkFlags, NetlinkProtocol};
use super::*;

const RTM_GETLINK: u16 = 18;
const RTM_NEWLINK: u16 = 16;
const IFLA_IFNAME: u16 = 3;
const INTERFACE_HEADER: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

fn socket() -> NetlinkSocket {
    NetlinkSocket::open(NetlinkProtocol::ROUTE).unwrap()
}

fn links(sequence: u32) -> NetlinkRequest {
    let mut request = NetlinkRequest::new(RTM_GETLINK, NetlinkFlags::DUMP, sequence);
    request.body(&[0; INTERFACE_HEADER]);
    request
}

fn link_named(name: &str, sequence: u32) -> NetlinkRequest {
    let mut request = NetlinkRequest::new(RTM_GETLINK, NetlinkFlags::GET, sequence);
    request.body(&[0; INTERFACE_HEADER]).attribute(IFLA_IFNAME, format!("{name}\0").as_bytes());
    request
}

#[test]
fn a_dump_is_complete_and_a_get_is_one_message() {
    let mut socket = socket();
    let mut buffer = vec![0; 32 * 1024];
    let mut names = Vec::new();
    // Another process may make or remove an interface meanwhile.
    while let Err(error) = {
        names.clear();
        socket.exchange(&links(1), &mut buffer, PATIENCE, |message| {
            assert_eq!((message.kind, message.sequence), (RTM_NEWLINK, 1));
            let name = Attributes::new(&message.payload[INTERFACE_HEADER..])
                .find(|attribute| attribute.kind == IFLA_IFNAME);
            names.push(name.unwrap().text().unwrap().to_owned());
        })
    } {
        assert!(matches!(error, ExchangeError::Changed), "{error:?}");
    }
    assert_eq!(names.iter().filter(|name| *name == "lo").count(), 1, "{names:?}");

    let mut count = 0;
    socket
        .exchange(&link_named("lo", 2), &mut buffer, PATIENCE, |message| {
            assert_eq!(message.sequence, 2);
            count += 1;
        })
        .unwrap();
    assert_eq!(count, 1);
}

#[test]
fn a_refusal_is_the_kernels() {
    let mut buffer = vec![0; 32 * 1024];
    let request = link_named("no-such-link", 1);
    let error = socket().exchange(&request, &mut buffer, PATIENCE, |_| unreachable!()).unwrap_err();
    let ExchangeError::Refused { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(libc::ENODEV));
}

#[test]
fn the_kernels_words_are_passed_on() {
    let mut socket = socket();
    socket.set_strict(true).unwrap();
    // A strict kernel wants zeros where there is nothing to say.
    let mut request = NetlinkRequest::new(RTM_GETLINK, NetlinkFlags::DUMP, 1);
    request.body(&[0xff; INTERFACE_HEADER]);
    let error = socket
        .exchange(&request, &mut vec![0; 32 * 1024], PATIENCE, |_| unreachable!())
        .unwrap_err();
    let ExchangeError::Refused { text, source } = error else { panic!("{error:?}") };
    assert_eq!(source.raw_os_error(), Some(libc::EINVAL));
    assert!(text.is_some_and(|text| !text.is_empty()));
}

#[test]
fn an_answer_that_does_not_fit_is_told() {
    let mut buffer = [0; 64];
    let error =
        socket().exchange(&links(1), &mut buffer, PATIENCE, |_| unreachable!()).unwrap_err();
    let ExchangeError::Receive(NetlinkReceiveError::Truncated { length, buffer }) = error else {
        panic!("{error:?}")
    };
    assert!(length > buffer && buffer == 64);
}

#[test]
fn answers_to_an_earlier_request_are_passed_over() {
    let mut socket = socket();
    let mut buffer = vec![0; 32 * 1024];
    // Its answer waits in the socket.
    socket.send(link_named("lo", 1).as_bytes()).unwrap();
    let mut sequences = Vec::new();
    socket
        .exchange(&link_named("lo", 2), &mut buffer, PATIENCE, |message| {
            sequences.push(message.sequence);
        })
        .unwrap();
    assert_eq!(sequences, [2]);
}

#[test]
fn silence_ends_in_time() {
    let error = socket().receive(&mut [0; 64], Duration::ZERO).unwrap_err();
    assert!(matches!(error, NetlinkReceiveError::TimedOut { .. }), "{error:?}");
}

/// Answers that nobody takes fill the receive buffer; the kernel then drops one and says so.
fn fill(socket: &NetlinkSocket) {
    crate::set_receive_buffer(socket, 0).unwrap();
    for sequence in 0..200 {
        if socket.send(link_named("lo", sequence).as_bytes()).is_err() {
            break;
        }
    }
}

#[test]
fn lost_messages_are_told() {
    let socket = socket();
    fill(&socket);
    let mut buffer = vec![0; 32 * 1024];
    let lost = (0..200).any(|_| {
        matches!(socket.receive(&mut buffer, Duration::ZERO), Err(NetlinkReceiveError::Overrun))
    });
    assert!(lost);
}

#[test]
fn a_dump_that_failed_does_not_spoil_the_next() {
    let mut socket = socket();
    fill(&socket);
    let mut buffer = vec![0; 32 * 1024];
    // The kernel begins this dump and finds no room for it.
    let error = socket.exchange(&links(1000), &mut buffer, PATIENCE, |_| {}).unwrap_err();
    let overrun = ExchangeError::Receive(NetlinkReceiveError::Overrun);
    assert_eq!(error.to_string(), overrun.to_string());
    let mut count = 0;
    // Another process may make or remove an interface meanwhile.
    while let Err(error) = socket.exchange(&links(1001), &mut buffer, PATIENCE, |_| count += 1) {
        assert!(matches!(error, ExchangeError::Changed), "{error:?}");
    }
    assert!(count > 0);
}

#[test]
fn the_last_message_says_how_it_went() {
    const fn message(kind: u16, payload: &[u8]) -> Message<'_> {
        Message { kind, flags: 0, sequence: 0, port: 0, payload }
    }
    assert!(verdict(&message(Message::DONE, &[])).is_ok());
    assert!(verdict(&message(Message::DONE, &0_i32.to_ne_bytes())).is_ok());
    assert!(verdict(&message(Message::ERROR, &0_i32.to_ne_bytes())).is_ok());
    assert!(matches!(verdict(&message(Message::ERROR, &[1, 2])), Err(ExchangeError::Malformed)));
    for kind in [Message::DONE, Message::ERROR] {
        let code = (-libc::EPERM).to_ne_bytes();
        let Err(ExchangeError::Refused { source, text: None }) = verdict(&message(kind, &code))
        else {
            panic!("kind {kind}")
        };
        assert_eq!(source.raw_os_error(), Some(libc::EPERM));
    }
    assert!(verdict(&message(Message::ERROR, &i32::MIN.to_ne_bytes())).is_err());
}
