//! Reads the places where the program may have written something.

use serde_json::Value;
use tokio_postgres::Client;

use crate::seller::plain;
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
