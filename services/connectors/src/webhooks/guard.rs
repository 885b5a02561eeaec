//! Which addresses are public. Everything that is not certainly a host on the internet is refused, also where
//! an IPv6 address only carries an IPv4 address that is none.
//!
//! Source: the IANA special-purpose address registries (iana.org/assignments/iana-ipv4-special-registry and
//! iana-ipv6-special-registry), as of 2026-11, column "Globally Reachable"; stricter where it is said below.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// `0.0.0.0/8`, `::`: this host.
    #[error("it is an unspecified address")]
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    #[error("it is a loopback address")]
    Loopback,
    /// Networks of somebody's own: RFC 1918, `fc00::/7`, and the site-local addresses of before.
    #[error("it is a private address")]
    Private,
    /// `100.64.0.0/10`, between a provider and its customers.
    #[error("it is an address of a provider's own network")]
    Shared,
    /// `169.254.0.0/16`, `fe80::/10`: also where clouds answer questions about a machine.
    #[error("it is a link-local address")]
    LinkLocal,
    /// Kept for examples in texts.
    #[error("it is an address for documentation")]
    Documentation,
    /// Kept for measurements inside a laboratory.
    #[error("it is an address for benchmarks")]
    Benchmarking,
    /// Many hosts at once.
    #[error("it is a multicast or broadcast address")]
    Multicast,
    /// Given to a protocol, such as an anycast address of the nearest gateway.
    #[error("it is an address of a protocol")]
    Protocol,
    /// A tunnel or a translation of an address that is public itself; the way leads through a gateway of
    /// whoever runs this program.
    #[error("it is an address of a tunnel")]
    Tunnel,
    /// Given to nobody.
    #[error("it is a reserved address")]
    Reserved,
}

/// Network, length of its prefix in bits, and why it is refused. The first one that fits counts.
type Block<Address> = (Address, u32, Refused);

/// `192.0.0.0/24` as a whole: the two addresses in it that are globally reachable are anycast addresses of
/// the nearest gateway. AMT (`192.52.193.0/24`) and AS112 are globally reachable and not refused.
const IPV4: [Block<Ipv4Addr>; 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Refused::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Refused::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Refused::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Refused::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Refused::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Refused::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Refused::Protocol),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Refused::Documentation),
    // The relays of 6to4 (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24, Refused::Protocol),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Refused::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Refused::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Refused::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Refused::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Refused::Multicast),
    (Ipv4Addr::BROADCAST, 32, Refused::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Refused::Reserved),
];

/// What lies in `2000::/3`, the only part of IPv6 that was given out, and is no place of a host.
const IPV6: [Block<Ipv6Addr>; 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Refused::Protocol),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        Refused::Documentation,
    ),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Refused::Tunnel),
    (
        Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0),
        20,
        Refused::Documentation,
    ),
];

/// Globally reachable parts of `2001::/23`: AMT, AS112, ORCHIDv2 and drone remote ids. The anycast addresses
/// `2001:1::1` to `2001:1::3` are left out: they reach the nearest gateway, which may be ours.
const IPV6_PROTOCOLS: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 3, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28),
    (Ipv6Addr::new(0x2001, 0x30, 0, 0, 0, 0, 0, 0), 28),
];

/// What lies outside of `2000::/3` and has a name of its own. Everything else there is reserved.
const IPV6_LOCAL: [Block<Ipv6Addr>; 6] = [
    (Ipv6Addr::UNSPECIFIED, 128, Refused::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Refused::Loopback),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Refused::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Refused::LinkLocal),
    // Site-local addresses, given up by RFC 3879.
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Refused::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Refused::Multicast),
];

/// Whether the address is one of a host on the internet.
///
/// An IPv6 address that carries an IPv4 address is refused for the reason of the latter, if that is refused.
/// IPv4-mapped addresses and those of the well-known NAT64 prefix count as the address that they carry;
/// IPv4-compatible addresses, 6to4, Teredo and local NAT64 are refused in any case: no receiver needs them,
/// and where they lead depends on the gateways around us.
///
/// # Errors
/// The class of the address.
pub fn is_public(address: IpAddr) -> Result<(), Refused> {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> Result<(), Refused> {
    let inside = |network: Ipv4Addr, length: u32| {
        let host_bits = 32_u32.saturating_sub(length);
        (address.to_bits() ^ network.to_bits()).checked_shr(host_bits) == Some(0)
    };
    IPV4.iter()
        .find(|&&(network, length, _)| inside(network, length))
        .map_or(Ok(()), |&(_, _, why)| Err(why))
}

fn is_public_v6(address: Ipv6Addr) -> Result<(), Refused> {
    let is_local = IPV6_LOCAL
        .iter()
        .find(|&&(network, length, _)| inside(address, network, length));
    if let Some(&(_, _, why)) = is_local {
        return Err(why);
    }
    if let Some(carried) = Carried::of(address) {
        is_public_v4(carried.address)?;
        return if carried.counts {
            Ok(())
        } else {
            Err(Refused::Tunnel)
        };
    }
    if !inside(address, Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) {
        return Err(Refused::Reserved);
    }
    if IPV6_PROTOCOLS
        .iter()
        .any(|&(network, length)| inside(address, network, length))
    {
        return Ok(());
    }
    IPV6.iter()
        .find(|&&(network, length, _)| inside(address, network, length))
        .map_or(Ok(()), |&(_, _, why)| Err(why))
}

/// `length` is 1 to 128.
fn inside(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    let host_bits = 128_u32.saturating_sub(length);
    (address.to_bits() ^ network.to_bits()).checked_shr(host_bits) == Some(0)
}

/// An IPv4 address inside an IPv6 address.
struct Carried {
    address: Ipv4Addr,
    /// Whether the IPv6 address is as good as the one that it carries.
    counts: bool,
}

impl Carried {
    fn of(address: Ipv6Addr) -> Option<Self> {
        let pair = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
        let (carried, counts) = match address.segments() {
            // IPv4-mapped, RFC 4291 section 2.5.5.2.
            [0, 0, 0, 0, 0, 0xffff, high, low] => (pair(high, low), true),
            // NAT64 with the well-known prefix, RFC 6052.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (pair(high, low), true),
            // NAT64 with a prefix of the network's own, RFC 8215.
            [0x64, 0xff9b, 1, _, _, _, high, low] => (pair(high, low), false),
            // IPv4-compatible, RFC 4291 section 2.5.5.1.
            [0, 0, 0, 0, 0, 0, high, low] => (pair(high, low), false),
            // 6to4, RFC 3056.
            [0x2002, high, low, ..] => (pair(high, low), false),
            // Teredo, RFC 4380: the client's address with its bits turned over.
            [0x2001, 0, _, _, _, _, high, low] => (pair(!high, !low), false),
            _ => return None,
        };
        Some(Self {
            address: carried,
            counts,
        })
    }
}

#[cfg(test)]
mod tests;
