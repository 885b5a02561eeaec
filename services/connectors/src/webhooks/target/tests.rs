//! Addresses as customers, and people who mean harm, enter them.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::{Policy, Refused, Target, TargetError, is_public};

const HOSTILE: [&str; 78] = [
    // Addresses that are no public ones, in every form that a parser knows.
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.1/",
    "https://0X7F.0x0.0x0.0x1/",
    "https://0177.0.0.1/",
    "https://0177.0.0.01/",
    "https://017700000001/",
    "https://0x7f.0.1/",
    "https://127.0.0.1:8443/hook",
    "https://%31%32%37.0.0.1/",
    "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
    "https://127\u{3002}0\u{3002}0\u{3002}1/",
    "https://\u{2460}27.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://167772161/",
    "https://0xa000001/",
    "https://012.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.0.1/",
    "https://3232235521/",
    "https://0300.0250.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0xa9.254.0251.254/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://4294967295/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::127.0.0.1]/",
    "https://[64:ff9b:1::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:808:808::80ff:fffe]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    // Names that only a local network knows.
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://localhost.localdomain/",
    "https://\u{ff4c}ocalhost/",
    "https://l%6fcalhost/",
    "https://printer.local/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://metadata.google.internal./",
    "https://router.home.arpa/",
    "https://home.arpa/",
    "https://postgres/",
    "https://postgres./",
    // Something else than an ordinary address by HTTPS.
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https://example.com:22/",
    "https://example.com:5432/",
    "https://example.com:80/",
    "https://example.com:0/",
    "https://example.com@10.0.0.1/",
    "https://user:secret@example.com/",
    "https://user@example.com/",
    "https://example.com/hook#part",
];

const BROKEN: [&str; 20] = [
    "",
    "example.com",
    "/hook",
    "https://",
    "https:///",
    "https://./",
    "https://../",
    "https://a..example.com/",
    "https://example.com../",
    "https://.example.com/",
    "https://exa mple.com/",
    "https://exam\nple.com/",
    "https://example.com/\r\nhost: x",
    "https://127.0.0.1\t/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://example.com:99999/",
    "https://exa<mple.com/",
];

const PUBLIC: [(&str, &str); 18] = [
    ("https://example.com", "https://example.com/"),
    ("https://example.com/hook", "https://example.com/hook"),
    ("https://example.com./hook", "https://example.com/hook"),
    (
        "HTTPS://Example.COM:443/Hook?a=B%20c",
        "https://example.com/Hook?a=B%20c",
    ),
    ("https://example.com:8443/hook", "https://example.com:8443/hook"),
    (
        "https://sub.domain.example.co.uk/",
        "https://sub.domain.example.co.uk/",
    ),
    ("https://xn--e1afmkfd.xn--p1ai/", "https://xn--e1afmkfd.xn--p1ai/"),
    (
        "https://пример.рф/хук",
        "https://xn--e1afmkfd.xn--p1ai/%D1%85%D1%83%D0%BA",
    ),
    ("https://8.8.8.8/", "https://8.8.8.8/"),
    ("https://134744072/", "https://8.8.8.8/"),
    (
        "https://[2001:4860:4860::8888]/",
        "https://[2001:4860:4860::8888]/",
    ),
    (
        "https://[2606:4700:4700::1111]:8443/x",
        "https://[2606:4700:4700::1111]:8443/x",
    ),
    ("https://[::ffff:8.8.8.8]/", "https://[::ffff:808:808]/"),
    ("https://[64:ff9b::8.8.8.8]/", "https://[64:ff9b::808:808]/"),
    // Names that only look like local ones.
    ("https://localhost.example.com/", "https://localhost.example.com/"),
    ("https://mylocalhost.com/", "https://mylocalhost.com/"),
    ("https://notinternal.example/", "https://notinternal.example/"),
    ("https://10.0.0.1.example.com/", "https://10.0.0.1.example.com/"),
];

fn strict(text: &str) -> Result<Target, TargetError> {
    Target::parse(text, &Policy::default())
}

#[test]
fn no_hostile_address_becomes_a_target() {
    let passed: Vec<&str> = HOSTILE.into_iter().filter(|text| strict(text).is_ok()).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    // Refused for what they are, not because the parser did not understand them.
    let not_understood: Vec<&str> = HOSTILE
        .into_iter()
        .filter(|text| strict(text) == Err(TargetError::Malformed))
        .collect();
    assert!(not_understood.is_empty(), "{not_understood:#?}");
}

#[test]
fn what_is_no_address_is_refused_as_such() {
    let wrong: Vec<(&str, Result<Target, TargetError>)> = BROKEN
        .into_iter()
        .map(|text| (text, strict(text)))
        .filter(|(_, answer)| *answer != Err(TargetError::Malformed))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ordinary_addresses_pass_in_their_normal_form() {
    for (text, normal) in PUBLIC {
        let target = strict(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        assert_eq!(target.as_str(), normal);
        assert_eq!(strict(normal).as_ref(), Ok(&target), "{normal}");
    }
}

#[test]
fn the_first_thing_that_is_wrong_is_named() {
    let port = |port| TargetError::Port { port };
    for (text, error) in [
        ("http://example.com/", TargetError::Scheme),
        ("https://user@example.com/", TargetError::UserInfo),
        ("https://:secret@example.com/", TargetError::UserInfo),
        ("https://example.com/#", TargetError::Fragment),
        ("https://example.com:22/", port(22)),
        ("https://example.com:0/", port(0)),
        ("https://printer/", TargetError::LocalName),
        ("https://127.1/", TargetError::Address(Refused::Loopback)),
        ("https://0xa9fea9fe/", TargetError::Address(Refused::LinkLocal)),
    ] {
        assert_eq!(strict(text), Err(error.clone()), "{text}");
        assert!(error.to_string().contains("`url`"), "{error}");
    }
}

#[test]
fn an_address_of_2048_bytes_is_the_longest() {
    let of = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    assert!(strict(&of(2048)).is_ok());
    assert_eq!(strict(&of(2049)), Err(TargetError::TooLong));
}

#[test]
fn a_network_of_ones_own_is_called_where_that_is_allowed_and_its_metadata_is_not() {
    let own = Policy {
        https_only: false,
        ports: None,
        private_addresses: true,
    };
    for text in [
        "http://127.0.0.1:9106/hook",
        "http://receiver:80/",
        "https://localhost:8000/",
        "http://192.168.0.10/",
        "http://[::1]:1/",
        "http://[fd00::1]/",
        "http://hook.internal/",
        "https://example.com:444/",
    ] {
        assert!(Target::parse(text, &own).is_ok(), "{text}");
    }
    for text in [
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "ftp://example.com/",
        "http://example.com:0/",
        "http://user@example.com/",
    ] {
        assert!(Target::parse(text, &own).is_err(), "{text}");
    }
}

#[test]
fn a_key_in_a_path_is_not_printed() {
    let target = strict("https://example.com/hooks/c2VjcmV0?key=c2VjcmV0").unwrap();
    assert_eq!(format!("{target:?}"), "Target(example.com)");
}

/// Every form in which the URL standard reads an IPv4 address: one to four parts, each in one of three bases.
fn forms(address: u32) -> Vec<String> {
    let number = |value: u32, base: u8| match base {
        0 => value.to_string(),
        1 => format!("{value:#x}"),
        _ => format!("0{value:o}"),
    };
    let byte = |place: u32| address >> (24 - 8 * place) & 0xff;
    let mut forms = Vec::new();
    for parts in 1..=4 {
        for base in 0..3 {
            let mut form: Vec<String> = (0..parts - 1).map(|place| number(byte(place), base)).collect();
            let rest = u64::from(address) & ((1 << (8 * (5 - parts))) - 1);
            form.push(number(u32::try_from(rest).unwrap(), (base + 1) % 3));
            forms.push(form.join("."));
        }
    }
    forms
}

proptest! {
    #[test]
    fn a_number_in_any_form_is_judged_as_the_address_that_it_means(
        address in any::<u32>(),
        near in 0..12_usize,
    ) {
        // Half of them in networks that are refused.
        let networks: [u32; 6] = [0x0a00_0000, 0x7f00_0000, 0xa9fe_a000, 0xc0a8_0000, 0x6440_0000, 0];
        let address = networks.get(near).map_or(address, |network| network | (address & 0xfff));
        let public = is_public(Ipv4Addr::from(address).into());
        for form in forms(address) {
            let parsed = strict(&format!("https://{form}/hook"));
            prop_assert_eq!(parsed.err(), public.err().map(TargetError::Address), "{}", form);
        }
    }

    #[test]
    fn whatever_is_entered_is_judged_and_what_passes_passes_again(text in "(https?://)?[-a-zA-Z0-9.:@/#?%\\[\\]\\PC]{0,40}") {
        if let Ok(target) = strict(&text) {
            prop_assert!(target.as_str().starts_with("https://"), "{}", text);
            prop_assert_eq!(strict(target.as_str()), Ok(target));
        }
    }
}
