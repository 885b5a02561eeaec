//! NATS: keeps port and store over kills, halts and goes on, refuses a folder in use.

use std::time::Duration;

use embedded::{Error, Nats, NatsOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::scratch;

/// Sends one request on a connection of its own and returns the answer's payload line.
async fn request(server: &Nats, subject: &str, payload: &str) -> String {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).await.unwrap());
    let length = payload.len();
    let talk =
        format!("CONNECT {{\"verbose\":false}}\r\nSUB in 1\r\nPUB {subject} in {length}\r\n{payload}\r\n");
    stream.write_all(talk.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("MSG in") {
        line.clear();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "connection closed");
    }
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    line
}

#[tokio::test]
async fn a_stream_survives_a_kill_and_is_lost_with_the_store_folder() {
    let folder = scratch();
    let server = Nats::start(NatsOptions::new(folder.path().join("nats")))
        .await
        .unwrap();
    let port = server.port();
    let made = request(
        &server,
        "$JS.API.STREAM.CREATE.S",
        r#"{"name":"S","subjects":["s"]}"#,
    )
    .await;
    assert!(made.contains("\"did_create\":true"), "{made}");
    server.kill().await.unwrap();
    server.start_again().await.unwrap();
    assert_eq!(server.port(), port);
    let info = request(&server, "$JS.API.STREAM.INFO.S", "").await;
    assert!(info.contains("\"name\":\"S\""), "{info}");

    server.stop().await.unwrap();
    std::fs::remove_dir_all(server.store_dir()).unwrap();
    server.start_again().await.unwrap();
    let info = request(&server, "$JS.API.STREAM.INFO.S", "").await;
    assert!(info.contains("stream not found"), "{info}");
}

#[tokio::test]
async fn a_paused_server_answers_nobody_until_it_goes_on() {
    let folder = scratch();
    let server = Nats::start(NatsOptions::new(folder.path().join("nats")))
        .await
        .unwrap();
    server.pause().unwrap();
    let asked = tokio::time::timeout(Duration::from_millis(300), request(&server, "$JS.API.INFO", "")).await;
    assert!(asked.is_err(), "a halted server answered");
    server.resume().unwrap();
    let info = request(&server, "$JS.API.INFO", "").await;
    assert!(info.contains("account_info_response"), "{info}");
    server.pause().unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_owner_is_told_who_has_the_folder() {
    let folder = scratch();
    let options = NatsOptions::new(folder.path().join("nats"));
    let server = Nats::start(options.clone()).await.unwrap();
    let error = Nats::start(options).await.unwrap_err();
    assert!(
        matches!(error, Error::InUse { pid, .. } if Some(pid) == server.pid()),
        "{error}"
    );
}

#[tokio::test]
async fn a_broken_configuration_is_told_with_what_the_server_said() {
    let folder = scratch();
    let config = folder.path().join("broken.conf");
    std::fs::write(&config, "authorization { no_such_thing: 1 }\nlisten: [").unwrap();
    let options = NatsOptions {
        config_file: Some(config),
        ..NatsOptions::new(folder.path().join("nats"))
    };
    let error = Nats::start(options).await.unwrap_err().to_string();
    assert!(error.contains("Parse error on line 2"), "{error}");
}

#[tokio::test]
async fn a_configuration_file_adds_to_what_we_set() {
    let folder = scratch();
    let config = folder.path().join("nats.conf");
    std::fs::write(&config, "server_name: \"named-by-file\"\n").unwrap();
    let options = NatsOptions {
        config_file: Some(config),
        ..NatsOptions::new(folder.path().join("nats"))
    };
    let server = Nats::start(options).await.unwrap();
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", server.port())).await.unwrap());
    let mut greeting = String::new();
    stream.read_line(&mut greeting).await.unwrap();
    assert!(
        greeting.contains("named-by-file") && greeting.contains("\"jetstream\":true"),
        "{greeting}"
    );
}
