//! `stock-tracker erase`: a backup from before an erasure is restored, and the ledger that was kept elsewhere
//! cleans it again, with the real worker, also when the tool is killed on the way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use application::{App, Context, accept_invitation, erase_tenant, erase_user, members, register};
use auth::{Email, Role as Membership};
use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::{CommandId, TenantId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use support::{SOON, eventually};
use uuid::Uuid;
use vault::{MasterKeys, Vault};

const ANNA: u128 = 1;
const BORIS: u128 = 2;
const VERA: u128 = 3;
/// Commands of erasure.
const ERASE_ANNA: u128 = 101;
const ERASE_VERA: u128 = 102;

/// One database in which Anna and Boris each have a business and Vera works for Boris. Made twice, it holds
/// the same people under the same ids: the second one stands for a backup that was restored.
struct Installation {
    database: support::Database,
    ring: SecretString,
    app: App,
    people: [(TenantId, UserId); 3],
}

/// Long enough ago that no request of before the erasure can be under way.
fn then() -> DateTime<Utc> {
    runtime::Clock::system().now() - TimeDelta::hours(1)
}

fn context(tenant: Option<TenantId>, number: u128) -> Context {
    let command_id = CommandId(Uuid::from_u128(number));
    Context {
        tenant_id: tenant.unwrap_or_else(|| register::tenant_of(command_id)),
        actor: "visitor".to_owned(),
        command_id,
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        now: then(),
    }
}

impl Installation {
    async fn new() -> Self {
        let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
        let template = support::template("core", migrate).await;
        let database = support::fresh_database(Some(&template)).await;
        let ring = MasterKeys::generate().unwrap();
        let pool = Pool::open(&database.url.clone().into(), Role::Api, 2).unwrap();
        let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
        let app = App::new(store, Vault::new(pool, MasterKeys::parse(&ring).ok().unwrap()));
        let anna = registered(&app, ANNA, "anna@shop.ru").await;
        let boris = registered(&app, BORIS, "boris@shop.ru").await;
        let vera = joined(&app, boris, VERA, "vera@shop.ru").await;
        Self {
            database,
            ring,
            app,
            people: [anna, boris, vera],
        }
    }

    /// As Anna's business and Vera asked for it.
    async fn erase(&self) {
        let [(anna, _), _, (boris, vera)] = self.people;
        let erased = erase_tenant::execute(&self.app, &context(Some(anna), ERASE_ANNA)).await;
        assert!(erased.unwrap().is_some());
        let erased = erase_user::execute(&self.app, &context(Some(boris), ERASE_VERA), vera).await;
        assert!(erased.unwrap().is_some());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stock-tracker"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database.url)
            .env("ST_MASTER_KEY", self.ring.expose_secret())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn erase_tool(&self, arguments: &[&str]) -> Output {
        let arguments = [&["erase"], arguments].concat();
        self.command(&arguments).output().unwrap()
    }

    fn replay(&self, ledger: &Path) -> Output {
        self.erase_tool(&["replay", ledger.to_str().unwrap()])
    }

    /// Addresses of everybody who has a login.
    async fn logins(&self) -> Vec<String> {
        let client = support::connect(&self.database.url).await;
        let rows = client
            .query("SELECT email FROM core.accounts ORDER BY email", &[])
            .await
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn count(&self, of: &str) -> i64 {
        let client = support::connect(&self.database.url).await;
        let count = format!("SELECT count(*) FROM {of}");
        client.query_one(&count, &[]).await.unwrap().get(0)
    }
}

async fn registered(app: &App, number: u128, email: &str) -> (TenantId, UserId) {
    let who = register::Input {
        email: Email::parse(email).unwrap(),
        password: "correct horse".into(),
        company_name: "Canary Shop".to_owned(),
        display_name: "Canary".to_owned(),
    };
    let registered = register::execute(app, &context(None, number), who).await.unwrap();
    (registered.tenant_id, registered.user_id)
}

async fn joined(
    app: &App,
    (tenant, by): (TenantId, UserId),
    number: u128,
    email: &str,
) -> (TenantId, UserId) {
    let of = |number| context(Some(tenant), number);
    let invited = members::invite(app, &of(1_000 + number), by, Membership::Member, None).await;
    let (_, issued) = invited.unwrap().unwrap();
    let who = accept_invitation::Input {
        code: issued.code,
        email: Email::parse(email).unwrap(),
        password: "correct horse".into(),
        display_name: "Canary".to_owned(),
    };
    let joined = accept_invitation::execute(app, &of(number), who).await.unwrap();
    (tenant, joined.user_id)
}

fn ok(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The file in which whoever runs the installation keeps the ledger.
fn kept(ledger: &str) -> PathBuf {
    let file = support::scratch_folder("ledger").join("ledger.jsonl");
    std::fs::write(&file, ledger).unwrap();
    file
}

/// A child that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn the_ledger_and_the_acts_say_what_was_erased_and_name_nobody() {
    let live = Installation::new().await;
    assert_eq!(ok(live.erase_tool(&["ledger"])), "");
    assert_eq!(ok(live.erase_tool(&["acts"])), "");
    live.erase().await;
    let [(anna, _), _, (boris, vera)] = live.people;
    let ledger = ok(live.erase_tool(&["ledger"]));
    let written = lines(&ledger);
    let subjects: Vec<_> = written
        .iter()
        .map(|line| {
            (
                line["tenant_id"].clone(),
                line["subject_type"].clone(),
                line["subject_id"].clone(),
            )
        })
        .collect();
    assert_eq!(
        subjects,
        [
            (json!(anna), json!("tenant"), json!(anna)),
            (json!(boris), json!("user"), json!(vera))
        ]
    );
    let acts = ok(live.erase_tool(&["acts"]));
    let told = lines(&acts);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["rows_destroyed"]["accounts"], 1, "{:#}", told[0]);
    let events: Vec<_> = told[0]["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["event_type"].as_str().unwrap())
        .collect();
    assert!(
        events.contains(&"tenant_registered") && events.contains(&"tenant_erased"),
        "{events:?}"
    );
    for text in [&ledger, &acts] {
        assert!(!text.contains("shop.ru") && !text.contains("Canary"), "{text}");
    }
}

#[tokio::test]
async fn a_restored_backup_is_cleaned_again_by_replaying_the_ledger_that_was_kept() {
    let live = Installation::new().await;
    live.erase().await;
    let ledger = kept(&ok(live.erase_tool(&["ledger"])));
    let restored = Installation::new().await;
    assert_eq!(restored.people, live.people);
    assert_eq!(
        restored.logins().await,
        ["anna@shop.ru", "boris@shop.ru", "vera@shop.ru"]
    );
    assert!(ok(restored.replay(&ledger)).starts_with("2 erasures were entered"));
    assert!(
        ok(restored.replay(&ledger)).starts_with("0 erasures were entered"),
        "each is entered once"
    );
    let _worker = Running(
        restored
            .command(&["worker"])
            .env("NATS_URL", support::nats().await.url())
            .env("ST_METRICS_ADDR", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    eventually("the worker has carried the ledger out", SOON, || async {
        let logins = restored.logins().await;
        let open = restored
            .count("core.erasure_acts WHERE finished_at IS NULL")
            .await;
        if logins == ["boris@shop.ru"] && open == 0 {
            Ok(())
        } else {
            Err(format!("{logins:?}, {open} erasures are open"))
        }
    })
    .await;
    assert!(ok(restored.replay(&ledger)).starts_with("0 erasures were entered"));
    let same = |installation: &Installation| {
        let acts = lines(&ok(installation.erase_tool(&["acts"])));
        let act = |act: &Value| {
            (
                act["act"].clone(),
                act["subject"].clone(),
                act["requested_at"].clone(),
            )
        };
        acts.iter().map(act).collect::<Vec<_>>()
    };
    assert_eq!(same(&restored), same(&live));
    let profiles = restored
        .count("core.profiles WHERE display_name = 'Canary Shop'")
        .await;
    assert_eq!(profiles, 1, "Boris keeps his name and nobody else's is left");
}

#[tokio::test]
async fn a_replay_that_is_killed_is_run_again_and_enters_the_rest() {
    let live = Installation::new().await;
    live.erase().await;
    let written = ok(live.erase_tool(&["ledger"]));
    let ledger = kept(&written);
    let restored = Installation::new().await;
    // Somebody else is entering the second line and does not come to an end.
    let second = &lines(&written)[1];
    let mut blocker = support::connect(&restored.database.url).await;
    let transaction = blocker.transaction().await.unwrap();
    let field = |name: &str| second[name].as_str().unwrap().to_owned();
    transaction
        .batch_execute(&format!(
            "SELECT core.enter_erasure('{}', '{}', '{}', '{}', '{}', '{}')",
            field("tenant_id"),
            field("erasure_id"),
            field("subject_type"),
            field("subject_id"),
            field("requested_by"),
            field("requested_at")
        ))
        .await
        .unwrap();
    let mut tool = Running(
        restored
            .command(&["erase", "replay", ledger.to_str().unwrap()])
            .spawn()
            .unwrap(),
    );
    eventually("the tool waits for the second line", SOON, || async {
        let waiting = restored
            .count(
                "pg_stat_activity WHERE datname = current_database() AND application_name = 'st_worker' \
                    AND wait_event_type = 'Lock'",
            )
            .await;
        if waiting > 0 {
            Ok(())
        } else {
            Err("it does not wait".to_owned())
        }
    })
    .await;
    tool.0.kill().unwrap();
    tool.0.wait().unwrap();
    transaction.rollback().await.unwrap();
    eventually("the server has noticed", SOON, || async {
        let of_tool =
            "pg_stat_activity WHERE datname = current_database() AND application_name = 'st_worker'";
        match restored.count(of_tool).await {
            0 => Ok(()),
            left => Err(format!("{left} connections are left")),
        }
    })
    .await;
    // What the server had been told by then, it may have done.
    let entered = restored.count("core.erasure_acts").await;
    assert!((1..=2).contains(&entered), "{entered}");
    let again = ok(restored.replay(&ledger));
    assert!(
        again.starts_with(&format!("{} erasures were entered", 2 - entered)),
        "{again}"
    );
    assert_eq!(ok(restored.erase_tool(&["ledger"])), written);
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_named_with_its_line_and_nothing_of_it_is_entered() {
    let live = Installation::new().await;
    live.erase().await;
    let ledger = kept(&format!(
        "{}{{\"tenant_id\":7}}\n",
        ok(live.erase_tool(&["ledger"]))
    ));
    let restored = Installation::new().await;
    let refused = restored.replay(&ledger);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("ledger.jsonl, line 3"), "{told}");
    assert_eq!(restored.count("core.erasure_acts").await, 0);
    let nowhere = restored.erase_tool(&["replay", "/nowhere/ledger.jsonl"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere/ledger.jsonl"));
}
