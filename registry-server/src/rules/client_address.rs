//! Whose request is it? The connection says so, unless it is one of a proxy that the
//! operator named: then the newest address in `X-Forwarded-For` that is no such proxy.
//!
//! A header of anybody else is never believed: everyone can write one.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Whether `address` is one of the proxies.
pub(crate) fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|it| it.contains(&address))
}

/// The client's address: `peer`, or what a trusted proxy says about it.
pub(crate) fn client_address<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    proxies: &[IpNet],
) -> IpAddr {
    let mut client = peer.to_canonical();
    // Each proxy adds the address that it saw at the end.
    let hops = forwarded.rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !is_trusted(client, proxies) {
            break;
        }
        match parse_hop(hop.trim()) {
            Some(address) => client = address,
            None => break,
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, forwarded: &[&str]) -> IpAddr {
        let proxies = ["10.0.0.0/8", "127.0.0.1/32"].map(|it| it.parse().unwrap());
        client_address(ip(peer), forwarded.iter().copied(), &proxies)
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
        assert_eq!(client("192.0.2.9", &["198.51.100.1"]), ip("192.0.2.9"));
    }

    #[test]
    fn a_proxy_tells_the_newest_address_that_is_no_proxy() {
        assert_eq!(client("10.0.0.1", &["192.0.2.9"]), ip("192.0.2.9"));
        let lie_first = client("10.0.0.1", &["198.51.100.1, 192.0.2.9, 10.0.0.2"]);
        assert_eq!(
            lie_first,
            ip("192.0.2.9"),
            "what the client wrote itself comes first"
        );
        let two_lines = client("10.0.0.1", &["198.51.100.1", "192.0.2.9"]);
        assert_eq!(two_lines, ip("192.0.2.9"));
        let with_port = client("127.0.0.1", &["[2001:db8::1]:4711"]);
        assert_eq!(with_port, ip("2001:db8::1"));
        assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.9"]), ip("192.0.2.9"));
    }

    #[test]
    fn nonsense_in_the_header_leaves_the_proxy_as_the_client() {
        assert_eq!(client("10.0.0.1", &["unknown"]), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
    }
}
