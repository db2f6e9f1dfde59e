//! Two network namespaces and the links between them. They are gone with the thread of the test.
//!
//! The kernel's table of neighbours is one for all namespaces, and bounded (`gc_thresh3` in arp(7)):
//! while another test fills it, a datagram to an address without an entry is thrown away, and
//! `sendmsg` says that it was sent (`ip_finish_output2` and `udp_send_skb`). Groups and broadcast
//! addresses need an entry, too. So every address that something is sent to has a permanent one here,
//! which the bound is not for. And the kernel gives an IPv6 address its route some time after it has
//! taken the address (`addrconf_dad_work`), until when what comes to it is thrown away: that is waited
//! for.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

/// Where a socket is opened; each belongs to the host it was opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Here,
    There,
}

#[derive(Debug)]
pub(crate) struct Hosts {
    here: File,
    there: File,
}

impl Hosts {
    /// `10.71.N.1/24` and `fd71:N::1/64` here, `.2` and `::2` there, on `linkN` of both.
    pub(crate) fn address(host: Host, link: u8) -> (IpAddr, IpAddr) {
        let number = if host == Host::Here { 1 } else { 2 };
        let v6 = Ipv6Addr::new(0xfd71, link.into(), 0, 0, 0, 0, 0, number);
        (Ipv4Addr::new(10, 71, link, number as u8).into(), v6.into())
    }

    /// The address that the kernel makes of the link address (RFC 4291 appendix A).
    fn link_local(host: Host, link: u8) -> IpAddr {
        let number = if host == Host::Here { 1 } else { 2 };
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0x71, 0xff, 0xfe00, u16::from(link) << 8 | number).into()
    }

    pub(crate) fn enter(&self, host: Host) {
        let namespace = if host == Host::Here { &self.here } else { &self.there };
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Calls `open` on that host.
    pub(crate) fn on<T>(&self, host: Host, open: impl FnOnce() -> T) -> T {
        self.enter(host);
        open()
    }

    /// Lays a cable; both ends are up when this returns.
    pub(crate) fn connect(&self, link: u8) {
        self.enter(Host::Here);
        let name = format!("link{link}");
        // By the descriptor: a namespace of a thread has no name.
        let other = format!("/proc/{}/fd/{}", std::process::id(), self.there.as_raw_fd());
        let [here, there] = [Host::Here, Host::There].map(|host| link_address(host, link));
        let peer = ["peer", "name", &name, "address", &there, "netns", &other];
        ip(&[&["link", "add", &name, "address", &here, "type", "veth"][..], &peer].concat());
        for host in [Host::Here, Host::There] {
            self.enter(host);
            let (v4, v6) = Self::address(host, link);
            ip(&["link", "set", &name, "up"]);
            add_address(v4, link);
            add_address(v6, link);
        }
        for host in [Host::Here, Host::There] {
            let (v4, v6) = Self::address(host, link);
            let IpAddr::V4(of_network) = v4 else { unreachable!("an IPv4 address") };
            let [a, b, c, _] = of_network.octets();
            let everybody = [Ipv4Addr::new(a, b, c, 255), Ipv4Addr::BROADCAST].map(IpAddr::from);
            for address in [&[v4, v6, Self::link_local(host, link)][..], &everybody].concat() {
                self.make_known(host, address, link);
            }
        }
        for host in [Host::Here, Host::There] {
            self.enter(host);
            let is_up = || {
                let link = ip(&["link", "show", &name]);
                // The kernel says that it is up before it has a route for groups.
                let routes = ip(&["-6", "route", "show", "table", "all", "dev", &name]);
                link.contains("state UP") && routes.contains("ff00::/8")
            };
            while !is_up() {
                std::thread::yield_now();
            }
        }
    }

    /// Makes an address of that host, a group or a broadcast address known to the other host.
    pub(crate) fn make_known(&self, host: Host, address: IpAddr, link: u8) {
        let at = match address {
            IpAddr::V4(ip) if ip.is_multicast() => {
                let [_, b, c, d] = ip.octets();
                // RFC 1112 section 6.4: the group's lower 23 bits.
                format!("01:00:5e:{:02x}:{c:02x}:{d:02x}", b & 0x7f)
            }
            IpAddr::V6(ip) if ip.is_multicast() => {
                let [.., a, b, c, d] = ip.octets();
                // RFC 2464 section 7: its lower 32 bits.
                format!("33:33:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
            }
            IpAddr::V4(ip) if ip.octets()[3] == 255 => "ff:ff:ff:ff:ff:ff".to_owned(),
            _ => link_address(host, link),
        };
        self.enter(if host == Host::Here { Host::There } else { Host::Here });
        let (address, name) = (address.to_string(), format!("link{link}"));
        ip(&["neigh", "replace", &address, "lladdr", &at, "dev", &name, "nud", "permanent"]);
    }
}

/// Gives the host of this thread's namespace another address on the link.
pub(crate) fn add_address(address: IpAddr, link: u8) {
    let name = format!("link{link}");
    match address {
        IpAddr::V4(_) => {
            let network = format!("{address}/24");
            ip(&["address", "add", &network, "broadcast", "+", "dev", &name]);
        }
        IpAddr::V6(_) => {
            ip(&["address", "add", &format!("{address}/64"), "dev", &name, "nodad"]);
            let route = format!("local {address} ");
            while !ip(&["-6", "route", "show", "table", "local"]).contains(&route) {
                std::thread::yield_now();
            }
        }
    }
}

/// The link address of a host's end of a cable.
fn link_address(host: Host, link: u8) -> String {
    let number = if host == Host::Here { 1 } else { 2 };
    format!("02:71:00:00:{link:02x}:{number:02x}")
}

/// Runs the test on a thread and a runtime of its own, with two hosts that have no link yet.
pub(crate) fn with_hosts(test: impl AsyncFnOnce(Hosts) + Send + 'static) {
    let thread = std::thread::spawn(|| {
        let namespace = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
            ip(&["link", "set", "lo", "up"]);
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        let hosts = Hosts { here: namespace(), there: namespace() };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test(hosts));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().expect("this test needs iproute2");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
