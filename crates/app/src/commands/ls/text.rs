//! Numbers and addresses as text, without the formatting machinery: a list may have 100,000 rows.

use std::fmt::Write as _;
use std::net::SocketAddr;

use stats::system::Address;

/// As many digits as a `u64` may have.
const DIGITS: usize = 20;

/// Adds a number.
pub(super) fn number(text: &mut String, mut value: u64) {
    let mut digits = [b'0'; DIGITS];
    let mut from = DIGITS;
    loop {
        from -= 1;
        digits[from] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend(digits[from..].iter().map(|digit| char::from(*digit)));
}

/// Adds an address.
pub(super) fn address(text: &mut String, address: &Address<'_>) {
    match address {
        Address::Ip(SocketAddr::V4(address)) => {
            for (index, byte) in address.ip().octets().into_iter().enumerate() {
                if index > 0 {
                    text.push('.');
                }
                number(text, byte.into());
            }
            text.push(':');
            number(text, address.port().into());
        }
        // Writing to a String does not fail.
        other => _ = write!(text, "{other}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_standard_library_writes_them(value: u64, ip: std::net::IpAddr, port: u16) {
            let mut text = String::new();
            number(&mut text, value);
            prop_assert_eq!(&text, &value.to_string());
            text.clear();
            let end = SocketAddr::new(ip, port);
            address(&mut text, &Address::Ip(end));
            prop_assert_eq!(text, end.to_string());
        }
    }
}
