//! Addresses by class: at the edges of each network, and in every form in which IPv6 carries IPv4.

use super::Refused::{
    Benchmarking, Documentation, LinkLocal, Loopback, Multicast, Private, Protocol, Reserved, Shared, Tunnel,
    Unspecified,
};
use super::{Refused, is_public};

const HOSTILE: [(&str, Refused); 101] = [
    ("0.0.0.0", Unspecified),
    ("0.1.2.3", Unspecified),
    ("0.255.255.255", Unspecified),
    ("10.0.0.0", Private),
    ("10.255.255.255", Private),
    ("100.64.0.0", Shared),
    ("100.100.100.200", Shared),
    ("100.127.255.255", Shared),
    ("127.0.0.1", Loopback),
    ("127.1.2.3", Loopback),
    ("127.255.255.255", Loopback),
    ("169.254.0.0", LinkLocal),
    ("169.254.169.254", LinkLocal),
    ("169.254.170.2", LinkLocal),
    ("169.254.255.255", LinkLocal),
    ("172.16.0.0", Private),
    ("172.31.255.255", Private),
    ("192.0.0.0", Protocol),
    ("192.0.0.8", Protocol),
    // Globally reachable by the registry, and answered by the nearest gateway.
    ("192.0.0.9", Protocol),
    ("192.0.0.10", Protocol),
    ("192.0.0.170", Protocol),
    ("192.0.0.192", Protocol),
    ("192.0.2.1", Documentation),
    ("192.88.99.1", Protocol),
    ("192.88.99.2", Protocol),
    ("192.168.0.0", Private),
    ("192.168.255.255", Private),
    ("198.18.0.0", Benchmarking),
    ("198.19.255.255", Benchmarking),
    ("198.51.100.7", Documentation),
    ("203.0.113.7", Documentation),
    ("224.0.0.1", Multicast),
    ("239.255.255.250", Multicast),
    ("240.0.0.1", Reserved),
    ("255.255.255.254", Reserved),
    ("255.255.255.255", Multicast),
    ("::", Unspecified),
    ("::1", Loopback),
    ("fc00::1", Private),
    ("fd00:ec2::254", Private),
    ("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Private),
    ("fe80::1", LinkLocal),
    ("fe80::a9fe:a9fe", LinkLocal),
    ("febf:ffff::1", LinkLocal),
    ("fec0::1", Private),
    ("feff::1", Private),
    ("ff02::1", Multicast),
    ("ff0e::1", Multicast),
    ("ffff::1", Multicast),
    ("2001:db8::1", Documentation),
    ("2001:db8:ffff:ffff::1", Documentation),
    ("3fff::1", Documentation),
    ("3fff:fff:ffff::1", Documentation),
    ("100::1", Reserved),
    // The dummy prefix of RFC 9780 and segment routing of RFC 9602.
    ("100:0:0:1::1", Reserved),
    ("5f00::1", Reserved),
    ("4000::1", Reserved),
    ("fe00::1", Reserved),
    ("1fff:ffff::1", Reserved),
    ("2001:1::1", Protocol),
    ("2001:1::2", Protocol),
    ("2001:1::3", Protocol),
    ("2001:2::1", Protocol),
    ("2001:10::1", Protocol),
    ("2001:5::1", Protocol),
    ("2001:1ff:ffff::1", Protocol),
    // IPv4-mapped.
    ("::ffff:0.0.0.0", Unspecified),
    ("::ffff:127.0.0.1", Loopback),
    ("::ffff:7f00:1", Loopback),
    ("::ffff:10.1.2.3", Private),
    ("::ffff:169.254.169.254", LinkLocal),
    ("::ffff:100.64.0.1", Shared),
    ("::ffff:192.168.1.1", Private),
    ("::ffff:255.255.255.255", Multicast),
    // IPv4-compatible.
    ("::127.0.0.1", Loopback),
    ("::10.0.0.1", Private),
    ("::a9fe:a9fe", LinkLocal),
    ("::8.8.8.8", Tunnel),
    // Translated (RFC 2765), which nothing translates any more.
    ("::ffff:0:127.0.0.1", Reserved),
    ("::ffff:0:8.8.8.8", Reserved),
    // NAT64 with the well-known prefix.
    ("64:ff9b::127.0.0.1", Loopback),
    ("64:ff9b::10.0.0.1", Private),
    ("64:ff9b::a9fe:a9fe", LinkLocal),
    ("64:ff9b::100.64.0.1", Shared),
    ("64:ff9b::192.168.0.1", Private),
    // NAT64 with a prefix of the network's own.
    ("64:ff9b:1::127.0.0.1", Loopback),
    ("64:ff9b:1::10.0.0.1", Private),
    ("64:ff9b:1::8.8.8.8", Tunnel),
    ("64:ff9b:1:a00:0:100::", Unspecified),
    ("64:ff9b:2::8.8.8.8", Reserved),
    // 6to4.
    ("2002:7f00:1::1", Loopback),
    ("2002:a00:1::1", Private),
    ("2002:a9fe:a9fe::", LinkLocal),
    ("2002:c0a8:101::1", Private),
    ("2002:6440:1::1", Shared),
    ("2002:808:808::1", Tunnel),
    // Teredo: 127.0.0.1, 192.168.1.1, 169.254.169.254 and 8.8.8.8 with their bits turned over.
    ("2001:0:808:808:0:0:80ff:fffe", Loopback),
    ("2001:0:808:808:0:0:3f57:fefe", Private),
    ("2001:0:808:808:0:0:5601:5601", LinkLocal),
    ("2001:0:808:808:0:0:f7f7:f7f7", Tunnel),
];

/// Numbers of well-known public services, and the neighbours of what is refused. Nothing calls them.
const PUBLIC: [&str; 41] = [
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "77.88.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.112.255",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2000::1",
    "2001:200::1",
    "2001:3::1",
    "2001:4:112::1",
    "2001:20::1",
    "2001:3f:ffff::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a02:6b8::feed:ff",
    "3ffe::1",
    "3fff:1000::1",
];

#[test]
fn what_is_no_host_on_the_internet_is_refused_by_its_class() {
    let wrong: Vec<String> = HOSTILE
        .iter()
        .filter_map(|(text, class)| {
            let answer = is_public(text.parse().unwrap());
            (answer != Err(*class)).then(|| format!("{text}: {answer:?}, not {class:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn hosts_on_the_internet_pass_up_to_the_edges_of_what_is_refused() {
    let wrong: Vec<String> = PUBLIC
        .iter()
        .filter_map(|text| {
            let refused = is_public(text.parse().unwrap()).err()?;
            Some(format!("{text}: {refused:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The mapped form and the well-known NAT64 prefix must not change the answer for any IPv4 address.
#[test]
fn an_ipv4_address_counts_the_same_in_whichever_form_it_comes() {
    for first in 0..=255_u8 {
        for (second, third, fourth) in [(0, 0, 1), (64, 0, 0), (168, 1, 1), (254, 169, 254), (18, 99, 9)] {
            let plain = std::net::Ipv4Addr::new(first, second, third, fourth);
            let answer = is_public(plain.into());
            assert_eq!(is_public(plain.to_ipv6_mapped().into()), answer, "{plain}");
            let translated = format!("64:ff9b::{plain}");
            assert_eq!(is_public(translated.parse().unwrap()), answer, "{plain}");
        }
    }
}
