//! Names of receivers: what they may lead to, and which address is called.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use connectors::http::NoObserver;
use connectors::webhooks::resolver::{GuardedResolver, ResolveError};
use connectors::webhooks::{DeliveryFailure, Outcome, Policy, Refused, SystemLookup, WebhookClient};
use tokio::net::TcpListener;

use crate::webhooks_world::{OWN, Prepared, Requests, addresses, answering, message, secret, target};

/// Answers of name servers, each refused as a whole.
const HOSTILE: [(&[&str], Refused); 24] = [
    (&["127.0.0.1"], Refused::Loopback),
    (&["10.0.0.1"], Refused::Private),
    (&["169.254.169.254"], Refused::LinkLocal),
    (&["100.64.0.1"], Refused::Shared),
    (&["0.0.0.0"], Refused::Unspecified),
    (&["255.255.255.255"], Refused::Multicast),
    (&["::1"], Refused::Loopback),
    (&["::"], Refused::Unspecified),
    (&["fd00::1"], Refused::Private),
    (&["fe80::1"], Refused::LinkLocal),
    (&["::ffff:127.0.0.1"], Refused::Loopback),
    (&["::127.0.0.1"], Refused::Loopback),
    (&["64:ff9b::10.0.0.1"], Refused::Private),
    (&["64:ff9b:1::8.8.8.8"], Refused::Tunnel),
    (&["2002:7f00:1::"], Refused::Loopback),
    (&["2001:0:808:808::80ff:fffe"], Refused::Loopback),
    // One is enough, wherever it stands.
    (&["8.8.8.8", "127.0.0.1"], Refused::Loopback),
    (&["127.0.0.1", "8.8.8.8"], Refused::Loopback),
    (&["8.8.8.8", "1.1.1.1", "10.0.0.1"], Refused::Private),
    (&["2606:4700:4700::1111", "::1"], Refused::Loopback),
    (&["2606:4700:4700::1111", "8.8.8.8", "fd00::1"], Refused::Private),
    (&["8.8.8.8", "::ffff:169.254.169.254"], Refused::LinkLocal),
    (&["8.8.8.8", "64:ff9b::127.0.0.1"], Refused::Loopback),
    (&["8.8.8.8", "2002:a00:1::1"], Refused::Private),
];

const PUBLIC: [&[&str]; 5] = [
    &["8.8.8.8"],
    &["2606:4700:4700::1111"],
    &["8.8.8.8", "1.1.1.1"],
    &["2606:4700:4700::1111", "1.1.1.1"],
    &["64:ff9b::8.8.8.8"],
];

async fn resolved(answer: io::Result<Vec<IpAddr>>, policy: Policy) -> Result<Vec<IpAddr>, ResolveError> {
    let resolver = GuardedResolver::new(Prepared::new([answer]), policy);
    resolver.addresses("receiver.example").await
}

#[tokio::test]
async fn a_name_with_one_address_that_is_not_public_is_refused_with_all_of_them() {
    for (answer, class) in HOSTILE {
        let refused = resolved(Ok(addresses(answer)), Policy::default())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ResolveError::Refused(why) if why == class),
            "{answer:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn public_addresses_are_handed_on_as_they_came() {
    for answer in PUBLIC {
        let handed = resolved(Ok(addresses(answer)), Policy::default()).await.unwrap();
        assert_eq!(handed, addresses(answer));
    }
}

#[tokio::test]
async fn no_address_and_no_answer_are_told_apart() {
    let nothing = resolved(Ok(Vec::new()), Policy::default()).await.unwrap_err();
    assert!(matches!(nothing, ResolveError::Nothing), "{nothing:?}");
    let failed = io::Error::new(io::ErrorKind::NotFound, "no such name");
    let failed = resolved(Err(failed), Policy::default()).await.unwrap_err();
    assert!(matches!(failed, ResolveError::Lookup(_)), "{failed:?}");
}

/// Every question is judged by its own answer; that none is asked twice for one connection is shown below.
#[tokio::test]
async fn an_answer_that_changes_from_public_to_private_is_refused_when_it_has_changed() {
    let answers = [&["8.8.8.8"][..], &["127.0.0.1"], &["8.8.8.8"]];
    let lookup = Prepared::new(answers.map(|answer| Ok(addresses(answer))));
    let resolver = GuardedResolver::new(lookup, Policy::default());
    let asked = async || resolver.addresses("receiver.example").await;
    assert_eq!(asked().await.unwrap(), addresses(&["8.8.8.8"]));
    assert!(matches!(
        asked().await,
        Err(ResolveError::Refused(Refused::Loopback))
    ));
    assert_eq!(asked().await.unwrap(), addresses(&["8.8.8.8"]));
}

#[tokio::test]
async fn the_names_of_this_machine_are_refused_whatever_its_resolver_says() {
    let resolver = GuardedResolver::new(Arc::new(SystemLookup), Policy::default());
    let refused = resolver.addresses("localhost").await.unwrap_err();
    assert!(
        matches!(refused, ResolveError::Refused(Refused::Loopback)),
        "{refused:?}"
    );
    let own = GuardedResolver::new(Arc::new(SystemLookup), OWN);
    assert!(
        own.addresses("localhost")
            .await
            .unwrap()
            .iter()
            .all(IpAddr::is_loopback)
    );
}

/// Two addresses of this machine with a server each on the same port, and what they were sent.
struct TwoHosts {
    port: u16,
    first: Requests,
    second: Requests,
}

impl TwoHosts {
    async fn start() -> Self {
        let (one, other) = loop {
            let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = one.local_addr().unwrap().port();
            // The port may be taken there.
            if let Ok(other) = TcpListener::bind(("127.0.0.2", port)).await {
                break (one, other);
            }
        };
        let port = one.local_addr().unwrap().port();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
        Self {
            port,
            first: answering(one, answer.clone()).await,
            second: answering(other, answer).await,
        }
    }

    fn reached(&self) -> (usize, usize) {
        let count = |requests: &Requests| requests.lock().unwrap().len();
        (count(&self.first), count(&self.second))
    }
}

/// A client in a network of one's own: loopback is called, link-local addresses are not.
fn client(lookup: &Arc<Prepared>) -> WebhookClient {
    let lookup = Arc::clone(lookup);
    WebhookClient::with_lookup(OWN, Arc::new(NoObserver), lookup).unwrap()
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_called() {
    let hosts = TwoHosts::start().await;
    let answers = [
        &["127.0.0.1"][..],
        &["127.0.0.2"],
        &["169.254.169.254"],
        &["127.0.0.1"],
    ];
    let lookup = Prepared::new(answers.map(|answer| Ok(addresses(answer))));
    let client = client(&lookup);
    let url = target(&format!("http://receiver.example:{}/hook", hosts.port));
    let secrets = [secret(1)];
    let send = async || client.send(&url, message("msg_1", &secrets)).await;

    // A second question, for the connection, would have led to the second host.
    send().await.unwrap();
    assert_eq!((hosts.reached(), lookup.asked().len()), ((1, 0), 1));
    send().await.unwrap();
    assert_eq!((hosts.reached(), lookup.asked().len()), ((1, 1), 2));
    // Changed to an address that is not called.
    let error = send().await.unwrap_err();
    assert!(
        matches!(error.failure, DeliveryFailure::Blocked(Refused::LinkLocal)),
        "{error:?}"
    );
    assert_eq!((hosts.reached(), lookup.asked().len()), ((1, 1), 3));
    send().await.unwrap();
    assert_eq!((hosts.reached(), lookup.asked().len()), ((2, 1), 4));
    assert!(lookup.asked().iter().all(|name| name == "receiver.example"));
}

#[tokio::test]
async fn of_two_answers_of_which_one_is_not_called_neither_is() {
    let hosts = TwoHosts::start().await;
    let secrets = [secret(1)];
    for answer in [["127.0.0.1", "169.254.169.254"], ["169.254.169.254", "127.0.0.1"]] {
        let lookup = Prepared::new([Ok(addresses(&answer))]);
        let url = target(&format!("http://receiver.example:{}/hook", hosts.port));
        let error = client(&lookup)
            .send(&url, message("msg_1", &secrets))
            .await
            .unwrap_err();
        assert_eq!(error.outcome(), Outcome::Blocked, "{error:?}");
    }
    assert_eq!(hosts.reached(), (0, 0));
}

#[tokio::test]
async fn a_name_that_is_unknown_or_has_no_address_is_a_failed_connection() {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such name");
    let secrets = [secret(1)];
    for answer in [Err(unknown()), Ok(Vec::new())] {
        let lookup = Prepared::new([answer]);
        let url = target("http://receiver.example:1/hook");
        let error = client(&lookup)
            .send(&url, message("msg_1", &secrets))
            .await
            .unwrap_err();
        assert_eq!(error.outcome(), Outcome::Connection, "{error:?}");
    }
}

#[tokio::test]
async fn an_address_that_was_entered_under_a_looser_policy_is_judged_again() {
    let hosts = TwoHosts::start().await;
    let strict = Policy {
        private_addresses: false,
        ..OWN
    };
    let client = WebhookClient::new(strict, Arc::new(NoObserver)).unwrap();
    let secrets = [secret(1)];
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
        let url = target(&format!("http://{host}:{}/hook", hosts.port));
        let error = client.send(&url, message("msg_1", &secrets)).await.unwrap_err();
        assert!(
            matches!(error.failure, DeliveryFailure::Blocked(Refused::Loopback)),
            "{host}: {error:?}"
        );
    }
    assert_eq!(hosts.reached(), (0, 0));
}

#[tokio::test]
async fn an_address_in_place_of_a_name_is_called_without_a_question() {
    let hosts = TwoHosts::start().await;
    let lookup = Prepared::new([]);
    let secrets = [secret(1)];
    for host in ["127.0.0.2", "0x7f.2"] {
        let url = target(&format!("http://{host}:{}/hook", hosts.port));
        client(&lookup)
            .send(&url, message("msg_1", &secrets))
            .await
            .unwrap();
    }
    assert_eq!(hosts.reached(), (0, 2));
    assert!(lookup.asked().is_empty());
}
