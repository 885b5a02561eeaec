//! `stock-tracker admin`: the first platform administrator, whom nobody could make over HTTP.

use std::process::{Command, Output};

use application::{App, Context, register};
use auth::Email;
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::CommandId;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use vault::{MasterKeys, Vault};

struct World {
    database: support::Database,
    ring: SecretString,
}

/// An installation in which Anna is registered.
async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let ring = MasterKeys::generate().unwrap();
    let pool = Pool::open(&database.url.clone().into(), Role::Api, 2).unwrap();
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let app = App::new(store, Vault::new(pool, MasterKeys::parse(&ring).ok().unwrap()));
    let command_id = CommandId(Uuid::from_u128(1));
    let context = Context {
        tenant_id: register::tenant_of(command_id),
        actor: "visitor".to_owned(),
        command_id,
        correlation_id: Uuid::from_u128(2),
        causation_id: None,
        traceparent: None,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    let who = register::Input {
        email: Email::parse("anna@shop.ru").unwrap(),
        password: "correct horse".into(),
        company_name: "Shop".to_owned(),
        display_name: String::new(),
    };
    register::execute(&app, &context, who).await.unwrap();
    World { database, ring }
}

impl World {
    fn admin(&self, action: &str, email: &str) -> Output {
        self.run(&[action, email])
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_stock-tracker"))
            .arg("admin")
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database.url)
            .env("ST_MASTER_KEY", self.ring.expose_secret())
            .output()
            .unwrap()
    }

    async fn is_admin(&self) -> bool {
        support::connect(&self.database.url)
            .await
            .query_one("SELECT admin FROM core.accounts", &[])
            .await
            .unwrap()
            .get(0)
    }
}

#[tokio::test]
async fn an_administrator_is_made_and_taken_away_by_whoever_runs_the_installation() {
    let world = world().await;
    assert!(!world.is_admin().await);
    for _twice in 0..2 {
        let granted = world.admin("grant", "Anna@shop.ru");
        assert!(granted.status.success(), "{granted:?}");
        assert!(world.is_admin().await);
    }
    let revoked = world.admin("revoke", "anna@shop.ru");
    assert!(revoked.status.success(), "{revoked:?}");
    assert!(!world.is_admin().await);
    let happened: Vec<String> = support::connect(&world.database.url)
        .await
        .query(
            "SELECT event_type || ' by ' || actor FROM core.events ORDER BY position OFFSET 2",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(happened, ["admin_granted by system", "admin_revoked by system"]);
}

#[tokio::test]
async fn an_address_that_nobody_registered_is_told_so_and_changes_nothing() {
    let world = world().await;
    let refused = world.admin("grant", "nobody@shop.ru");
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("nobody is registered with this address"), "{told}");
    assert!(!world.is_admin().await);
}

#[tokio::test]
async fn a_plan_is_granted_for_a_reason_or_for_a_paid_invoice() {
    let world = world().await;
    let to_anna = [
        "grant-plan",
        "--email",
        "anna@shop.ru",
        "--reason",
        "partner",
        "--plan",
    ];
    let granted = world.run(&[&to_anna[..], &["pro"]].concat());
    assert!(granted.status.success(), "{granted:?}");
    let paid = [
        "enterprise",
        "--until",
        "2099-01-01T00:00:00Z",
        "--invoice",
        "2026-117",
        "--amount",
        "2700000",
        "--currency",
        "rub",
    ];
    let recorded = world.run(&[&to_anna[..], &paid].concat());
    assert!(recorded.status.success(), "{recorded:?}");
    let told = String::from_utf8(recorded.stdout).unwrap();
    assert!(
        told.contains("has the plan enterprise until 2099-01-01"),
        "{told}"
    );
    let happened: Vec<String> = support::connect(&world.database.url)
        .await
        .query(
            "SELECT concat_ws(' ', event_type, payload ->> 'plan', payload ->> 'basis', payload ->> 'note', \
                    payload ->> 'amount_minor', payload ->> 'currency') \
               FROM core.events WHERE aggregate_type = 'subscription' ORDER BY position",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        happened,
        [
            "subscription_started pro grant partner",
            "subscription_changed enterprise invoice partner",
            "payment_succeeded invoice 2700000 RUB",
        ]
    );
}

#[tokio::test]
async fn an_invoice_without_its_amount_or_its_end_is_refused() {
    let world = world().await;
    let incomplete = world.run(&[
        "grant-plan",
        "--email",
        "anna@shop.ru",
        "--reason",
        "paid",
        "--plan",
        "pro",
        "--invoice",
        "7",
    ]);
    assert_eq!(incomplete.status.code(), Some(2));
    let told = String::from_utf8(incomplete.stderr).unwrap();
    for missing in ["--amount", "--currency", "--until"] {
        assert!(told.contains(missing), "{missing}: {told}");
    }
}
