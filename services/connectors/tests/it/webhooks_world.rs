//! A receiver, clients for it, and a server of a few lines for what no receiver does.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use connectors::http::NoObserver;
use connectors::webhooks::resolver::Answer;
use connectors::webhooks::{Lookup, Message, Policy, Secret, Target, WebhookClient};
use simulators::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The policy of tests and of people who run the product in a network of their own.
pub(crate) const OWN: Policy = Policy {
    https_only: false,
    ports: None,
    private_addresses: true,
};

pub(crate) fn client() -> WebhookClient {
    WebhookClient::new(OWN, Arc::new(NoObserver)).unwrap()
}

pub(crate) fn target(url: &str) -> Target {
    Target::parse(url, &OWN).unwrap()
}

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; 24]).unwrap()
}

/// Receivers compare times with the machine's clock.
pub(crate) fn now() -> DateTime<Utc> {
    Clock::system().now()
}

pub(crate) fn message<'a>(id: &'a str, secrets: &'a [Secret]) -> Message<'a> {
    let body = r#"{"type":"ping","timestamp":"2026-12-01T10:00:00Z","data":{"text":"Привет"}}"#;
    Message {
        id,
        sent_at: now(),
        secrets,
        body: Bytes::from_static(body.as_bytes()),
    }
}

/// Answers the questions for names one after the other as prepared, and counts them.
#[derive(Default)]
pub(crate) struct Prepared {
    answers: Mutex<VecDeque<io::Result<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Prepared {
    pub(crate) fn new(answers: impl IntoIterator<Item = io::Result<Vec<IpAddr>>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Prepared {
    fn addresses(&self, host: String) -> Answer {
        self.asked.lock().unwrap().push(host);
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.expect("another question than were prepared") })
    }
}

pub(crate) fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Reads a request up to the end of its body.
pub(crate) async fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "the request ended in its head");
            continue;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.parse().ok());
        if read == 0 || length.is_none_or(|length: usize| body.len() >= length) {
            return text;
        }
    }
}

/// What a server was sent.
pub(crate) type Requests = Arc<Mutex<Vec<String>>>;

/// A server that gives every request this answer, and closes the connection.
pub(crate) async fn answering(listener: TcpListener, answer: String) -> Requests {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let request = read(&mut stream).await;
            seen.lock().unwrap().push(request);
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    requests
}

/// A listener on a free port of this machine, and its address.
pub(crate) async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    (listener, url)
}
