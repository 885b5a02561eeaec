//! Messages to receivers: what arrives, and what comes of it.

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use connectors::http::CallObserver;
use connectors::webhooks::{DeliveryError, DeliveryFailure, Outcome, WebhookClient};
use simulators::receiver::{Count, Reaction, Rule, Verdict};
use simulators::{Receiver, ReceiverConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use crate::http::Seen;
use crate::webhooks_world::{OWN, answering, client, listener, message, read, secret, target};

async fn receiver() -> Receiver {
    Receiver::start(ReceiverConfig::default()).await.unwrap()
}

/// Everything that an error says, in both forms, with its causes.
fn words(error: &DeliveryError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}

#[tokio::test]
async fn a_message_arrives_byte_for_byte_and_signed() {
    let receiver = receiver().await;
    let secret = secret(1);
    receiver.secrets("/hook", &[secret.expose()]);
    let secrets = [secret];
    let message = message("msg_1", &secrets);
    let body = message.body.clone();
    let delivered = client()
        .send(&target(&receiver.url("/hook")), message)
        .await
        .unwrap();
    assert_eq!(delivered.status, 204);
    let arrived = receiver.deliveries();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].verdict, Verdict::Valid);
    assert_eq!(arrived[0].body.as_bytes(), body);
    assert_eq!(arrived[0].id, "msg_1");
}

/// Once more in a process whose environment names a proxy that does not exist.
#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "webhooks::a_message_arrives_byte_for_byte_and_signed"]);
    for name in ["NO_PROXY", "no_proxy"] {
        test.env_remove(name);
    }
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        test.env(name, "http://127.0.0.1:9");
    }
    let output = test.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn during_a_rotation_either_secret_verifies() {
    let receiver = receiver().await;
    let (old, new) = (secret(1), secret(2));
    receiver.secrets("/old", &[old.expose()]);
    receiver.secrets("/new", &[new.expose()]);
    receiver.secrets("/other", &[secret(3).expose()]);
    let secrets = [new, old];
    let sent = async |path: &str| {
        let answer = client()
            .send(&target(&receiver.url(path)), message("msg_1", &secrets))
            .await;
        answer.map(|delivered| delivered.status)
    };
    assert_eq!(sent("/old").await.unwrap(), 204);
    assert_eq!(sent("/new").await.unwrap(), 204);
    let refused = sent("/other").await.unwrap_err();
    assert_eq!(
        (refused.outcome(), refused.failure.status()),
        (Outcome::Refused, Some(401))
    );
    assert!(
        receiver
            .deliveries()
            .iter()
            .all(|delivery| delivery.signatures == 2)
    );
}

#[tokio::test]
async fn a_request_has_the_headers_of_the_standard_and_ours_and_no_others() {
    let (socket, url) = listener().await;
    let requests = answering(socket, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let secrets = [secret(1)];
    let message = message("msg_1", &secrets);
    let at = message.sent_at.timestamp().to_string();
    client().send(&target(&url), message).await.unwrap();
    let request = requests.lock().unwrap()[0].clone();
    let (head, _body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /hook HTTP/1.1"));
    let mut headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp"
        ]
    );
    let value = |name: &str| headers[names.iter().position(|known| *known == name).unwrap()].1;
    assert_eq!(value("content-type"), "application/json");
    assert!(value("user-agent").starts_with("stock-tracker/"));
    assert_eq!(value("webhook-id"), "msg_1");
    assert_eq!(value("webhook-timestamp"), at);
    assert!(value("webhook-signature").starts_with("v1,"));
}

#[tokio::test]
async fn every_way_to_refuse_a_message_has_its_class() {
    let receiver = receiver().await;
    let secrets = [secret(1)];
    let fail = |status| Reaction::Fail { status };
    let redirect = |status| Reaction::Redirect {
        status,
        location: receiver.url("/elsewhere"),
    };
    for (reaction, outcome, status) in [
        (fail(400), Outcome::Refused, Some(400)),
        (fail(404), Outcome::Refused, Some(404)),
        (fail(500), Outcome::Unavailable, Some(500)),
        (fail(502), Outcome::Unavailable, Some(502)),
        (fail(599), Outcome::Unavailable, Some(599)),
        (redirect(301), Outcome::Redirect, Some(301)),
        (redirect(302), Outcome::Redirect, Some(302)),
        (redirect(303), Outcome::Redirect, Some(303)),
        (redirect(307), Outcome::Redirect, Some(307)),
        (redirect(308), Outcome::Redirect, Some(308)),
        (fail(304), Outcome::Redirect, Some(304)),
        (Reaction::Gone, Outcome::Gone, Some(410)),
        (
            Reaction::RateLimited { retry_seconds: 7 },
            Outcome::RateLimited,
            Some(429),
        ),
        (Reaction::Close, Outcome::Connection, None),
    ] {
        receiver.react(Rule::at("/hook", reaction.clone()));
        let url = target(&receiver.url("/hook"));
        let error = client().send(&url, message("msg_1", &secrets)).await.unwrap_err();
        assert_eq!(
            (error.outcome(), error.failure.status()),
            (outcome, status),
            "{reaction:?}"
        );
    }
    assert_eq!(
        receiver.count("/elsewhere", "msg_1"),
        Count::default(),
        "no redirect is followed"
    );
    assert_eq!(
        receiver.count("/hook", "msg_1"),
        Count {
            accepted: 0,
            attempts: 14
        },
        "sent once each"
    );
}

#[tokio::test]
async fn a_receiver_says_when_to_come_again_a_day_at_most() {
    let secrets = [secret(1)];
    let date = "date: Tue, 01 Dec 2026 10:00:00 GMT";
    for (status, header, wait) in [
        (429, "retry-after: 120", Some(120)),
        (503, "retry-after: 120", Some(120)),
        (500, "retry-after: 999999999", Some(86_400)),
        (429, "retry-after: Tue, 01 Dec 2026 10:02:00 GMT", Some(120)),
        (429, "retry-after: soon", None),
        (429, "x-other: 1", None),
        (404, "retry-after: 120", None),
    ] {
        let (socket, url) = listener().await;
        let answer = format!("HTTP/1.1 {status} No\r\n{date}\r\n{header}\r\ncontent-length: 0\r\n\r\n");
        answering(socket, answer).await;
        let error = client()
            .send(&target(&url), message("msg_1", &secrets))
            .await
            .unwrap_err();
        let asked = error.failure.retry_after();
        assert_eq!(asked, wait.map(Duration::from_secs), "{status} {header}");
    }
}

/// Time is moved as soon as the request has arrived, so that 15 s need not pass.
#[tokio::test]
async fn a_receiver_that_says_nothing_is_left_after_15_seconds() {
    let (socket, url) = listener().await;
    let sent = tokio::spawn(async move {
        let secrets = [secret(1)];
        client().send(&target(&url), message("msg_1", &secrets)).await
    });
    let (mut stream, _) = socket.accept().await.unwrap();
    read(&mut stream).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(14_000)).await;
    assert!(!sent.is_finished());
    let error = sent.await.unwrap().unwrap_err();
    let fifteen = Duration::from_secs(15);
    assert!(
        matches!(error.failure, DeliveryFailure::Timeout { deadline } if deadline == fifteen),
        "{error:?}"
    );
    assert!(
        error.duration >= fifteen && error.duration < Duration::from_secs(16),
        "{error:?}"
    );
    drop(stream);
}

#[tokio::test]
async fn a_host_that_takes_the_connection_and_says_nothing_is_left_after_10_seconds() {
    let (socket, url) = listener().await;
    let sent = tokio::spawn(async move {
        let secrets = [secret(1)];
        let url = url.replace("http://", "https://");
        client().send(&target(&url), message("msg_1", &secrets)).await
    });
    let (stream, _) = socket.accept().await.unwrap();
    // The client has begun to speak TLS.
    stream.readable().await.unwrap();
    tokio::time::pause();
    let error = sent.await.unwrap().unwrap_err();
    assert!(
        matches!(error.failure, DeliveryFailure::Timeout { deadline } if deadline.as_secs() == 10),
        "{error:?}"
    );
    drop(stream);
}

#[tokio::test]
async fn a_slow_receiver_that_answers_in_time_has_the_message() {
    let receiver = receiver().await;
    receiver.react(Rule::at("/hook", Reaction::Slow { millis: 600_000 }));
    let secrets = [secret(1)];
    let (client, url) = (client(), target(&receiver.url("/hook")));
    let (sent, ()) = tokio::join!(client.send(&url, message("msg_1", &secrets)), async {
        receiver.until_held(1).await;
        receiver.release();
    });
    assert_eq!(sent.unwrap().status, 204);
}

#[tokio::test]
async fn of_an_answer_without_end_64_kib_are_read_and_the_status_counts() {
    let seen = Arc::new(Seen::default());
    let observer = Arc::clone(&seen) as Arc<dyn CallObserver>;
    let client = WebhookClient::new(OWN, observer).unwrap();
    let secrets = [secret(1)];
    for status in [200, 500] {
        let (socket, url) = listener().await;
        // Ends when the client closes the connection, and not before.
        let endless = tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.unwrap();
            read(&mut stream).await;
            let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
        });
        let answer = client.send(&target(&url), message("msg_1", &secrets)).await;
        match answer {
            Ok(delivered) => assert_eq!(delivered.status, status),
            Err(error) => assert_eq!(
                (error.outcome(), error.failure.status()),
                (Outcome::Unavailable, Some(status))
            ),
        }
        endless.await.unwrap();
    }
    for (host, endpoint, status, bytes) in seen.0.lock().unwrap().iter() {
        assert_eq!((host.as_str(), *endpoint), ("receivers", "POST webhook"));
        assert!(matches!(status, Some(200 | 500)));
        // The last piece may be larger than what was left.
        assert!((64 * 1024..512 * 1024).contains(bytes), "{bytes}");
    }
    assert_eq!(seen.0.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_whose_body_trickles_counts_when_time_is_up() {
    let (socket, url) = listener().await;
    let trickle = tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.unwrap();
        read(&mut stream).await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx")
            .await
            .unwrap();
        stream
    });
    let secrets = [secret(1)];
    let client = client().deadline(Duration::from_millis(300));
    let delivered = client
        .send(&target(&url), message("msg_1", &secrets))
        .await
        .unwrap();
    assert_eq!(delivered.status, 200);
    drop(trickle.await.unwrap());
}

#[tokio::test]
async fn nothing_of_an_answer_an_address_or_a_secret_is_in_an_error() {
    let canary = "c4n4ry";
    let secrets = [secret(1)];
    let (socket, url) = listener().await;
    let answer = format!("HTTP/1.1 500 {canary}\r\nx-a: {canary}\r\ncontent-length: 6\r\n\r\n{canary}");
    answering(socket, answer).await;
    let (refusing, closed) = refusing();
    for url in [url, closed] {
        let with_key = format!("{url}/{canary}?key={canary}");
        let error = client()
            .send(&target(&with_key), message("msg_1", &secrets))
            .await
            .unwrap_err();
        let said = words(&error);
        assert!(
            !said.contains(canary) && !said.contains(secrets[0].expose()),
            "{said}"
        );
    }
    drop(refusing);
}

/// A port that is ours and refuses.
fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/hook", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test]
async fn a_closed_port_is_a_failed_connection() {
    let (socket, url) = refusing();
    let secrets = [secret(1)];
    let error = client()
        .send(&target(&url), message("msg_1", &secrets))
        .await
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::Connection);
    drop(socket);
}

#[tokio::test]
async fn a_certificate_of_nobody_and_no_tls_at_all_are_failures_of_tls() {
    let secrets = [secret(1)];
    let (plain, url) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let (_thread, self_signed) = with_own_certificate();
    for url in [url.replace("http://", "https://"), self_signed] {
        let error = client()
            .send(&target(&url), message("msg_1", &secrets))
            .await
            .unwrap_err();
        assert_eq!(error.outcome(), Outcome::Tls, "{}", words(&error));
    }
}

/// A server with a certificate that it made for itself.
fn with_own_certificate() -> (std::thread::JoinHandle<()>, String) {
    connectors::http::install_crypto();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/hook", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // The client goes away when it sees the certificate.
            drop(std::io::Read::read(&mut stream, &mut [0; 1024]));
        }
    });
    (thread, url)
}
