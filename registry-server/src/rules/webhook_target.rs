//! Where webhooks may go: to the public internet over TLS, and to private networks that the
//! operator named. Anything else would let whoever makes a webhook reach into the network that
//! the registry runs in (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::Url;

/// Characters of an address.
pub(crate) const URL_CHARS_MAX: usize = 2048;

/// Whether an address can be one of a webhook; the error says why not.
pub(crate) fn parse(text: &str) -> Result<Url, String> {
    if text.len() > URL_CHARS_MAX {
        return Err(format!("it has more than {URL_CHARS_MAX} characters"));
    }
    let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("it must begin with `https://` and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user or password: messages are signed".to_owned());
    }
    if url.fragment().is_some() {
        return Err("it must not have a fragment".to_owned());
    }
    Ok(url)
}

/// Whether a message may go to a host with these addresses; all of them must be allowed,
/// since any of them may be taken.
pub(crate) fn judge(is_tls: bool, addresses: &[IpAddr], networks: &[IpNet]) -> Result<(), String> {
    if addresses.is_empty() {
        return Err("its host has no address".to_owned());
    }
    for address in addresses {
        let address = address.to_canonical();
        if networks.iter().any(|it| it.contains(&address)) {
            continue;
        }
        if !is_public(address) {
            return Err(format!(
                "`{address}` is no public address; `serve --webhook-network` allows networks"
            ));
        }
        if !is_tls {
            return Err("a public address needs `https://`".to_owned());
        }
    }
    Ok(())
}

/// Whether an address is one of the public internet (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let words = address.segments();
    let embedded = |at: usize| {
        let [high, low] = [words[at], words[at + 1]].map(u16::to_be_bytes);
        is_public_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]))
    };
    match (words[0], words[1]) {
        // NAT64 and 6to4 lead to the IPv4 address inside.
        (0x64, 0xff9b) if words[2..6] == [0; 4] => embedded(6),
        (0x2002, _) => embedded(1),
        // Teredo, benchmarking, ORCHID, documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        (first, _) => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(is_tls: bool, address: &str) -> Result<(), String> {
        let networks = ["10.1.0.0/16".parse().unwrap()];
        judge(is_tls, &[address.parse().unwrap()], &networks)
    }

    #[test]
    fn addresses_inside_are_refused_however_they_are_written() {
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            let error = judged(true, inside).unwrap_err();
            assert!(error.contains("no public address"), "{inside}: {error}");
        }
    }

    #[test]
    fn the_internet_is_reached_over_tls_and_named_networks_also_without() {
        for outside in [
            "192.0.3.1",
            "8.8.8.8",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            judged(true, outside).unwrap();
            assert!(judged(false, outside).unwrap_err().contains("https"));
        }
        judged(false, "10.1.2.3").unwrap();
        judged(true, "::ffff:10.1.2.3").unwrap();
    }

    #[test]
    fn one_address_inside_is_enough_to_refuse_a_host() {
        let addresses = ["8.8.8.8", "127.0.0.1"].map(|it| it.parse().unwrap());
        assert!(judge(true, &addresses, &[]).is_err());
        assert!(judge(true, &[], &[]).is_err());
    }

    #[test]
    fn strange_urls_are_refused() {
        parse("https://example.org/hook?x=1").unwrap();
        for bad in [
            "example.org",
            "ftp://example.org",
            "https://u:p@example.org",
            "https://example.org/#x",
            "https://",
            "file:///etc/passwd",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("https://example.org/{}", "x".repeat(3000))).is_err());
    }
}
