//! Reads the places where the program may have written something.

use std::io::{Cursor, Read as _};

use serde_json::Value;
use tokio_postgres::Client;

use crate::seller::{Seller, plain};
use crate::world::World;

/// The page of a role, whose address its log tells.
pub(super) async fn metrics(said: &str) -> String {
    let line = said
        .lines()
        .find(|line| line.contains("metrics at /metrics"))
        .unwrap();
    let address = line
        .split("address=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let page = plain()
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .unwrap();
    page.text().await.unwrap()
}

/// Every message of every stream, which includes the buckets: subject, headers and body.
pub(super) async fn messages(world: &World) -> Vec<(String, Vec<u8>)> {
    use futures_util::TryStreamExt as _;
    let jetstream = world.jetstream().await.unwrap();
    let names: Vec<String> = jetstream.stream_names().try_collect().await.unwrap();
    assert!(names.iter().any(|name| name.starts_with("KV_")), "{names:?}");
    let mut messages = Vec::new();
    for name in names {
        let stream = jetstream.get_stream(&name).await.unwrap();
        let state = stream.cached_info().state.clone();
        for sequence in state.first_sequence..=state.last_sequence {
            // Those in between may be gone.
            if let Ok(message) = stream.get_raw_message(sequence).await {
                let head = format!("{} {:?} ", message.subject, message.headers);
                messages.push((name.clone(), [head.as_bytes(), &message.payload].concat()));
            }
        }
    }
    messages
}

/// Every value of every table.
pub(super) async fn cells(client: &Client) -> Vec<(String, Value)> {
    let sql = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let mut cells = Vec::new();
    for table in client.query(sql, &[]).await.unwrap() {
        let table: String = table.get(0);
        let sql = format!("SELECT row_to_json(t)::text FROM {table} t");
        for row in client.query(&sql, &[]).await.unwrap() {
            let row: Value = serde_json::from_str(row.get(0)).unwrap();
            for (column, value) in row.as_object().unwrap() {
                cells.push((format!("{table}.{column}"), value.clone()));
            }
        }
    }
    cells
}

/// Every file that the API exports, by its path: its bytes, and of a workbook those of its parts.
pub(super) async fn exports(seller: &Seller) -> Vec<(String, Vec<u8>)> {
    let origin = seller.base.strip_suffix("/api/v1").unwrap();
    let document = plain().get(format!("{}/openapi.json", seller.base));
    let document: Value = document.send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap().keys();
    let mut files = Vec::new();
    for path in paths.filter(|path| path.starts_with("/api/v1/exports/")) {
        let request = plain().get(format!("{origin}{path}")).bearer_auth(&seller.token);
        let answer = request.send().await.unwrap();
        let is_file = answer.status().is_success();
        let bytes = answer.bytes().await.unwrap().to_vec();
        let is_workbook = is_file && path.ends_with(".xlsx");
        files.push((path.clone(), if is_workbook { unpacked(bytes) } else { bytes }));
    }
    files
}

fn unpacked(workbook: Vec<u8>) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(workbook)).unwrap();
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        parts.extend_from_slice(part.name().unwrap().as_bytes());
        part.read_to_end(&mut parts).unwrap();
    }
    parts
}
