//! Which ports only privileged programs may bind.

/// Where the first port is that anybody may bind, unless set (`inet_init_net`).
const USUAL_FLOOR: u16 = 1024;
const FLOOR: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// Whether binding this port needs `CAP_NET_BIND_SERVICE`, whoever asks: it is below
/// `net.ipv4.ip_unprivileged_port_start` (ip(7)), which is about IPv6, too. Port 0 never does. So a
/// bind that is not permitted on any other port was refused for another reason, such as a security
/// module's policy.
pub fn is_privileged_port(port: u16) -> bool {
    let floor = std::fs::read_to_string(FLOOR).ok().and_then(|text| text.trim().parse().ok());
    is_below(port, floor.unwrap_or(USUAL_FLOOR))
}

fn is_below(port: u16, floor: u16) -> bool {
    port != 0 && port < floor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_itself_and_port_0_are_anybodys() {
        assert!(is_below(1, 1024) && is_below(1023, 1024));
        assert!(!is_below(0, 1024) && !is_below(1024, 1024));
        assert!(!is_below(1, 0) && !is_below(0, 0));
    }
}
