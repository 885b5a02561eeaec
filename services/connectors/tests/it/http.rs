//! What holds for every call: it is watched, bounded, and says nothing that it should not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::error::CallFailure;
use connectors::http::{CallObserver, CallRecord, HttpClient, NoObserver};
use connectors::marketplace::{CategoryStatus, Marketplace};
use connectors::wildberries::{Hosts, Options, Token, Wildberries};
use simulators::SellerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, options};

/// Host, endpoint, status and size of a call.
pub(crate) type SeenCall = (String, &'static str, Option<u16>, u64);

#[derive(Default)]
pub(crate) struct Seen(pub(crate) Mutex<Vec<SeenCall>>);

impl CallObserver for Seen {
    fn observe(&self, record: &CallRecord<'_>) {
        let call = (
            record.host.to_owned(),
            record.endpoint,
            record.status,
            record.bytes,
        );
        self.0.lock().unwrap().push(call);
    }
}

fn client(world: &World, http: HttpClient, hosts: Hosts, options: Options) -> Wildberries {
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    Wildberries::new(
        http,
        hosts,
        Token::parse(&token).unwrap(),
        &world.sellers,
        options,
    )
}

#[tokio::test]
async fn every_call_is_seen_once_by_its_template() {
    let world = World::start(SellerConfig::default()).await;
    let seen = Arc::new(Seen::default());
    let http = HttpClient::new(Arc::clone(&seen) as Arc<dyn CallObserver>).unwrap();
    let fetched = client(&world, http, world.hosts(), options())
        .fbo_stock()
        .await
        .unwrap();
    let calls = seen.0.lock().unwrap();
    assert_eq!(calls.len(), usize::try_from(fetched.outcome.pages).unwrap());
    assert_eq!(
        calls.iter().map(|call| call.3).sum::<u64>(),
        fetched.outcome.payload_bytes
    );
    for (host, endpoint, status, _) in calls.iter() {
        assert_eq!(host, "127.0.0.1");
        assert_eq!(*endpoint, "POST /api/analytics/v1/stocks-report/wb-warehouses");
        assert_eq!(*status, Some(200));
    }
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_an_error_and_not_memory() {
    let world = World::start(SellerConfig::default()).await;
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let small = Options {
        report_bytes: 1000,
        ..options()
    };
    let error = client(&world, http, world.hosts(), small)
        .fbo_stock()
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::TooLarge { limit: 1000 }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_failed_connection_shows_neither_query_nor_credential() {
    let world = World::start(SellerConfig::default()).await;
    // Bound without listening: the port stays ours and refuses.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = socket.local_addr().unwrap();
    let nowhere = Hosts {
        analytics: format!("http://{refusing}/?key=hidden"),
        ..world.hosts()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let quick = Options {
        repeats: 0,
        repeat_pause: Duration::ZERO,
        ..options()
    };
    let error = client(&world, http, nowhere, quick)
        .fbo_stock()
        .await
        .unwrap_err();
    assert!(matches!(error.failure, CallFailure::Network(_)), "{error:?}");
    let token = world.simulator.personal_token(world.simulator.sellers()[0]);
    for text in [format!("{error:?}"), error.to_string()] {
        assert!(!text.contains("hidden") && !text.contains(&token), "{text}");
    }
}

#[tokio::test]
async fn a_base_address_that_is_none_is_said_to_be_none() {
    let world = World::start(SellerConfig::default()).await;
    let broken = Hosts {
        analytics: "seller-analytics".to_owned(),
        ..world.hosts()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let error = client(&world, http, broken, options())
        .fbo_stock()
        .await
        .unwrap_err();
    assert!(
        matches!(error.failure, CallFailure::Unsendable { .. }),
        "{error:?}"
    );
}

/// A server that answers everything with this head; how often it was asked.
async fn answering(head: String) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 16_384];
            let _read = stream.read(&mut request).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

#[tokio::test]
async fn no_answer_sends_a_call_elsewhere() {
    let world = World::start(SellerConfig::default()).await;
    let empty = "Content-Length: 0\r\nConnection: close\r\n\r\n";
    for status in [301, 302, 303, 307, 308] {
        let (elsewhere, reached) = answering(format!("HTTP/1.1 200 OK\r\n{empty}")).await;
        let moved = format!("HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}/inside\r\n{empty}");
        let (vendor, asked) = answering(moved).await;
        let hosts = Hosts {
            analytics: vendor.clone(),
            common: vendor,
            ..world.hosts()
        };
        let quick = Options {
            repeats: 0,
            ..options()
        };
        let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
        let client = client(&world, http, hosts, quick);
        // One call that sends a body, and one that does not.
        client.fbo_stock().await.unwrap_err();
        let check = client.check().await.unwrap();
        assert_eq!(check.categories[1].status, CategoryStatus::NoAnswer, "{status}");
        assert!(asked.load(Ordering::SeqCst) >= 2, "{status}");
        assert_eq!(reached.load(Ordering::SeqCst), 0, "{status}");
    }
}
