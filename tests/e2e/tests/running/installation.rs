//! The program on one machine: started, stopped, started again, started twice, started wrong.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use simulators::{Google, GoogleConfig, Wildberries, WildberriesConfig};
use support::{SOON, eventually};

use crate::process::{Process, Settings, free_port, run};
use crate::seller::{PASSWORD, Seller, plain, send};
use crate::world::{outside, shop};

/// A first start makes a database cluster.
const PATIENCE: Duration = Duration::from_secs(60);

async fn answers(address: &str, process: &mut Process) {
    let path = format!("{address}/api/v1/health/ready");
    let began = std::time::Instant::now();
    loop {
        match plain().get(&path).send().await {
            Ok(answer) if answer.status().is_success() => return,
            _ => assert!(
                process.ended().is_none() && began.elapsed() < PATIENCE,
                "{}",
                process.said()
            ),
        }
        // pause: the end of a process is asked for at intervals, up to a deadline
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn interrupted(process: &mut Process) {
    process.signal("INT");
    let mut status = None;
    eventually("the end of the program", PATIENCE, || {
        status = process.ended();
        let seen = status.ok_or_else(|| "it runs".to_owned());
        async move { seen }
    })
    .await;
    assert_eq!(status.unwrap().code(), Some(0), "{}", process.said());
}

/// Processes whose command line or folder is below this folder.
fn living_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .chars()
                .all(|c| c.is_ascii_digit())
        })
        .filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&folder).then_some(line)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_installation_keeps_its_data_ends_in_order_and_is_nobody_elses() {
    let shops = vec![shop(61)];
    let wildberries = Wildberries::start(WildberriesConfig {
        sellers: shops,
        ..WildberriesConfig::default()
    })
    .await
    .unwrap();
    let google = Google::start(GoogleConfig::default()).await.unwrap();
    let folder = support::scratch_folder("installation");
    let data = folder.join("data");
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}");
    let mut settings = outside(&wildberries, &google);
    for (name, value) in [
        ("ST_DATA_DIR", data.display().to_string()),
        ("ST_HTTP_ADDR", format!("127.0.0.1:{port}")),
        ("ST_METRICS_ADDR", "127.0.0.1:0".to_owned()),
    ] {
        settings.push((name.to_owned(), value));
    }

    let mut first = Process::start(&["all", "--embedded"], settings.clone(), folder.join("first.log"));
    answers(&address, &mut first).await;
    let seller = Seller::register(&address, 0).await;
    assert!(!living_in(&data).is_empty(), "PostgreSQL and NATS are children");

    // A second one in the same folder says whose it is and goes.
    let mut intruder = settings.clone();
    intruder.push(("ST_HTTP_ADDR".to_owned(), format!("127.0.0.1:{}", free_port())));
    let (code, said) = run(&["all", "--embedded"], &intruder);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("in use") && said.contains(&data.display().to_string()),
        "{said}"
    );
    assert_eq!(
        seller.read("/tenants/me").await["name"],
        json!("Company 0"),
        "the first one is unharmed"
    );

    interrupted(&mut first).await;
    eventually("the children to be gone", SOON, || {
        let left = living_in(&data);
        async move {
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        }
    })
    .await;

    let mut second = Process::start(&["all", "--embedded"], settings, folder.join("second.log"));
    answers(&address, &mut second).await;
    let login = json!({ "email": "seller0@example.com", "password": PASSWORD });
    let entered = send(plain().post(format!("{address}/api/v1/auth/login")).json(&login))
        .await
        .unwrap();
    let token = entered.text("access_token").to_owned();
    let again = Seller {
        token,
        ..seller.clone()
    };
    assert_eq!(again.read("/tenants/me").await["name"], json!("Company 0"));
    // Keys are kept too: what the first run signed is believed by the second.
    assert_eq!(seller.read("/tenants/me").await["name"], json!("Company 0"));
    interrupted(&mut second).await;
}

#[test]
fn settings_that_cannot_be_used_end_the_program_with_78_and_their_names() {
    let pairs = |pairs: &[(&str, &str)]| -> Settings {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let wrong = pairs(&[
        ("ST_SYNC_PARALLEL", "many"),
        ("ST_HTTP_ADDR", "here"),
        ("ST_SHEET_COALESCE", "1"),
    ]);
    let (code, said) = run(&["all"], &wrong);
    assert_eq!(code, Some(78), "{said}");
    for (name, _) in &wrong {
        assert!(said.contains(name), "{name} is not named: {said}");
    }
    let (code, said) = run(&["api"], &pairs(&[("NATS_URL", "nats://127.0.0.1:1")]));
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("DATABASE_URL"), "{said}");
}
