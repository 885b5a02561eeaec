//! The numbers that the pages promise, on the page of a running installation; readiness while JetStream is
//! full.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use support::{SOON, eventually, scratch_folder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::doctor::fill;
use crate::installed::{Installed, program};

/// A first start makes a database cluster.
const FIRST_START: Duration = Duration::from_secs(120);

/// A running program, ended in order when dropped so that its servers end too.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        // Gone already is as good.
        drop(std::process::Command::new("kill").args(["-TERM", &pid]).status());
        drop(self.0.wait());
    }
}

async fn page(port: u16, path: &str) -> Result<String, String> {
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        Ok::<_, std::io::Error>(page)
    };
    ask.await.map_err(|error| error.to_string())
}

/// Names of series that a page of ours shows as code.
fn promised() -> BTreeSet<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let pages = ["docs/operations.md", "deploy/README.md"];
    let texts = pages.map(|page| std::fs::read_to_string(format!("{root}/{page}")).unwrap());
    let code = texts.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
    code.map(|code| code.split('{').next().unwrap().to_owned())
        // Those of billing are told only where Stripe is set up.
        .filter(|code| code.starts_with("stock_") && !code.starts_with("stock_billing_"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_series_that_a_page_names_is_told_by_a_running_installation() {
    let promised = promised();
    assert!(promised.len() > 10, "{promised:?}");
    let folder = scratch_folder("series");
    let (http, metrics) = (support::free_port(), support::free_port());
    let mut command = program(&["all", "--embedded"]);
    command
        .env("ST_DATA_DIR", folder.join("data"))
        .env("ST_HTTP_ADDR", format!("127.0.0.1:{http}"))
        .env("ST_METRICS_ADDR", format!("127.0.0.1:{metrics}"))
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _running = Running(command.spawn().unwrap());
    eventually("all of them", FIRST_START, || async {
        let page = page(metrics, "/metrics").await?;
        let told = |name: &String| {
            page.lines().any(|line| {
                let rest = line.strip_prefix(name.as_str());
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
        };
        let missing: Vec<_> = promised.iter().filter(|name| !told(name)).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("missing: {missing:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_sees_a_full_jetstream_and_a_lost_stream_and_both_heal() {
    let at = Installed::with_broker("jetstream { max_file_store: 2MB }", |_| {})
        .await
        .prepared();
    let options =
        messaging::BrokerOptions::new(at.nats.url(), "test").as_user(messaging::users::ADMIN, &at.seeds);
    let admin = messaging::Broker::connect(options).await.unwrap();
    assert!(admin.wait_connected(SOON).await);
    let port = support::free_port();
    let settings = [("ST_METRICS_ADDR", format!("127.0.0.1:{port}"))];
    let mut command = at.command(&["worker"], &settings);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _worker = Running(command.spawn().unwrap());
    let ready = |status: &'static str, word: &'static str| async move {
        eventually("readiness", SOON, || async {
            let page = page(port, "/health/ready").await?;
            match page.contains(status) && page.contains(word) {
                true => Ok(()),
                false => Err(page),
            }
        })
        .await;
    };
    ready("200 OK", "").await;
    fill(&admin).await;
    ready("503", "JetStream is full").await;
    let work = admin.jetstream().get_stream("WORK").await.unwrap();
    work.purge().await.unwrap();
    ready("200 OK", "").await;

    admin.jetstream().delete_stream("WORK").await.unwrap();
    admin
        .jetstream()
        .delete_stream("KV_marketplace_cache")
        .await
        .unwrap();
    eventually("both to be made again", SOON, || async {
        for name in ["WORK", "KV_marketplace_cache"] {
            let found = admin.jetstream().get_stream(name).await;
            found.map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    })
    .await;
    ready("200 OK", "").await;
}
