//! The program on one machine: started, stopped, started again, started twice, started wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use simulators::{Google, GoogleConfig, SellerConfig, Wildberries, WildberriesConfig};
use support::{SOON, eventually};

use crate::process::{Process, Settings, run};
use crate::seller::{PASSWORD, Seller, plain, send};
use crate::world::{ROLES, World, outside, shop};

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

/// Where and how an embedded installation runs.
struct Installation {
    data: PathBuf,
    address: String,
    settings: Settings,
    folder: PathBuf,
    outside: (Wildberries, Google),
}

async fn installation(name: &str, seller: SellerConfig) -> Installation {
    let wildberries = Wildberries::start(WildberriesConfig {
        sellers: vec![seller],
        ..WildberriesConfig::default()
    })
    .await
    .unwrap();
    let google = Google::start(GoogleConfig::default()).await.unwrap();
    let folder = support::scratch_folder(name);
    let data = folder.join("data");
    let port = support::free_port();
    let mut settings = outside(&wildberries, &google);
    for (name, value) in [
        ("ST_DATA_DIR", data.display().to_string()),
        ("ST_HTTP_ADDR", format!("127.0.0.1:{port}")),
        ("ST_METRICS_ADDR", "127.0.0.1:0".to_owned()),
    ] {
        settings.push((name.to_owned(), value));
    }
    Installation {
        data,
        address: format!("http://127.0.0.1:{port}"),
        settings,
        folder,
        outside: (wildberries, google),
    }
}

/// The number in the first line of a file, of a process that lives.
fn process_in(file: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    Path::new(&format!("/proc/{pid}/cmdline")).exists().then_some(pid)
}

fn kill(pid: u32) {
    let pid = pid.to_string();
    let sent = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    assert!(sent.success(), "kill -KILL {pid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_servers_that_are_killed_run_again_and_a_program_whose_servers_keep_dying_ends() {
    let at = installation("killed-servers", shop(63)).await;
    let mut program = Process::start(&["all", "--embedded"], at.settings.clone(), at.folder.join("log"));
    answers(&at.address, &mut program).await;
    let seller = Seller::register(&at.address, 0).await;
    let lock_files = ["postgres/cluster/postmaster.pid", "nats/nats.pid"].map(|file| at.data.join(file));

    for file in &lock_files {
        let killed = process_in(file).unwrap();
        kill(killed);
        eventually("another server in its place", PATIENCE, || {
            let now = process_in(file);
            async move { now.filter(|pid| *pid != killed).ok_or_else(|| format!("{now:?}")) }
        })
        .await;
        answers(&at.address, &mut program).await;
    }
    assert_eq!(seller.read("/tenants/me").await["name"], json!("Company 0"));

    // Killed whenever it is there, until the program gives up.
    let mut status = None;
    eventually("the end of the program", PATIENCE, || {
        status = program.ended();
        if let Some(pid) = process_in(&lock_files[1]) {
            // It may be gone already.
            drop(Command::new("kill").args(["-KILL", &pid.to_string()]).output());
        }
        let seen = status.ok_or_else(|| "it runs".to_owned());
        async move { seen }
    })
    .await;
    let said = program.said();
    assert_eq!(status.unwrap().code(), Some(1), "{said}");
    assert!(said.contains("the embedded NATS ended"), "{said}");
    assert!(living_in(&at.data).is_empty(), "a server outlives the program");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_starts_at_once_after_everything_was_killed() {
    let at = installation("killed-all", shop(64)).await;
    let mut program = Process::start(&["all", "--embedded"], at.settings.clone(), at.folder.join("log"));
    answers(&at.address, &mut program).await;
    for round in 0..4 {
        let server = process_in(&at.data.join("postgres/cluster/postmaster.pid")).unwrap();
        let broker = process_in(&at.data.join("nats/nats.pid")).unwrap();
        if round % 2 == 0 {
            kill(server);
            kill(broker);
        }
        program.kill();
        program.start_again();
        answers(&at.address, &mut program).await;
    }
    interrupted(&mut program).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_installation_keeps_its_data_ends_in_order_and_is_nobody_elses() {
    let Installation {
        data,
        address,
        settings,
        folder,
        outside: _outside,
    } = installation("installation", shop(61)).await;
    let mut first = Process::start(&["all", "--embedded"], settings.clone(), folder.join("first.log"));
    answers(&address, &mut first).await;
    let seller = Seller::register(&address, 0).await;
    assert!(!living_in(&data).is_empty(), "PostgreSQL and NATS are children");

    // A second one in the same folder says whose it is and goes.
    let mut intruder = settings.clone();
    intruder.push((
        "ST_HTTP_ADDR".to_owned(),
        format!("127.0.0.1:{}", support::free_port()),
    ));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tools_make_an_installation_of_empty_servers_and_say_what_is_missing_on_the_way() {
    let world = World::empty(vec![shop(62)]).await;
    let doctor = || world.tool_with(&["doctor"], "RUST_LOG", "warn");
    let line = |said: &str, of: &str| {
        let found = said.lines().find(|line| line.contains(&format!("{of}:")));
        found
            .unwrap_or_else(|| panic!("nothing about {of}: {said}"))
            .to_owned()
    };

    let (code, said) = doctor();
    assert_eq!(code, Some(1), "{said}");
    for (of, remedy) in [("database", "migrate"), ("broker", "nats apply")] {
        let told = line(&said, of);
        assert!(
            told.starts_with("FAIL") && told.contains(&format!("`stock-tracker {remedy}`")),
            "{told}"
        );
    }
    // What is not there cannot be rebuilt.
    let (code, said) = world.tool_with(&["rebuild", "all"], "RUST_LOG", "warn");
    assert_eq!(code, Some(1), "{said}");

    for _again in 0..2 {
        world.tool(&["migrate"]);
    }
    let (code, said) = doctor();
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "database").starts_with("ok"), "{said}");
    for _again in 0..2 {
        world.tool(&["nats", "apply"]);
    }
    let (code, said) = doctor();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        line(&said, "service account").contains(&world.google.service_account_email(0)),
        "{said}"
    );
    world.tool(&["rebuild", "all"]);

    // A key file is refused where it is read, whatever the tool, and one whose key is none where it is used.
    let mut key: Value = serde_json::from_str(&world.google.service_account_json()).unwrap();
    key["private_key"] = json!("-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n");
    let file = support::scratch_folder("key-file").join("key.json");
    let with_file = |content: &str| {
        std::fs::write(&file, content).unwrap();
        let path = file.display().to_string();
        world.tool_with(&["doctor"], "ST_GOOGLE_SERVICE_ACCOUNT_FILE", &path)
    };
    for content in ["{ not json", r#"{ "type": "service_account" }"#] {
        let (code, said) = with_file(content);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("ST_GOOGLE_SERVICE_ACCOUNT"), "{said}");
    }
    let (code, said) = with_file(&key.to_string());
    assert_eq!(code, Some(1), "{said}");
    assert!(line(&said, "service account").starts_with("FAIL"), "{said}");
    assert!(!said.contains("bm90IGEga2V5"), "the key is shown: {said}");
    let (code, said) = world.tool_with(&["rebuild", "colours"], "RUST_LOG", "warn");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("colours") && said.contains("inventory"), "{said}");

    // And what the tools made is enough for a seller to begin.
    for role in ROLES {
        world.begin(role);
    }
    world.ready().await;
    let mut seller = Seller::enter(&world, 0).await;
    seller.first_sync().await;
    world.assert_all_live();
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
    let lacking = pairs(&[
        ("NATS_URL", "nats://127.0.0.1:1"),
        ("ST_METRICS_ADDR", "127.0.0.1:0"),
    ]);
    let (code, said) = run(&["api"], &lacking);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("DATABASE_URL"), "{said}");
}
