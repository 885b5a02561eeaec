//! `doctor` on installations that are broken in one way each: it names the cause and what mends it, for
//! every role and key.

use messaging::async_nats;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::installed::{Installed, assert_fails, finding};

const ROLES: [&str; 8] = [
    "st_api",
    "st_gateway",
    "st_relay",
    "st_projector",
    "st_worker",
    "st_sheets",
    "st_keys",
    "st_audit",
];

fn database(url: String) -> [(&'static str, String); 1] {
    [("DATABASE_URL", url)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_installation_is_sound_in_every_check() {
    let at = Installed::ready().await;
    let (code, report) = at.doctor(&[]);
    assert_eq!((code, &report["severity"]), (Some(0), &"ok".into()), "{report:#}");
    for role in ROLES {
        assert_eq!(finding(&report, &format!("role {role}")).0, "ok");
    }
    for user in [
        "api",
        "gateway",
        "relay",
        "projector",
        "worker",
        "sheets",
        "scheduler",
    ] {
        assert_eq!(finding(&report, &format!("broker user {user}")).0, "ok");
    }
    // Text says the same in lines.
    let ran = at.run(&["doctor"], &[]);
    assert!(ran.out.lines().all(|line| line.starts_with("ok ")), "{}", ran.out);

    // A seed that is elsewhere is no failure.
    std::fs::remove_file(at.seeds.join("sheets.nk")).unwrap();
    let (code, report) = at.doctor(&[]);
    assert_eq!(code, Some(3), "{report:#}");
    assert_eq!(finding(&report, "broker user sheets").0, "warning");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_database_is_named_with_what_mends_it() {
    let at = Installed::empty().await;
    let (code, report) = at.doctor(&[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_fails(&report, "database", "empty", "`stock-tracker migrate`");
    assert_fails(
        &report,
        "broker",
        "`EVENTS` does not exist",
        "`stock-tracker nats apply`",
    );

    let at = at.prepared();
    let dead = format!(
        "postgres://postgres:hidden@127.0.0.1:{}/postgres",
        support::free_port()
    );
    let (_, report) = at.doctor(&database(dead));
    assert_fails(&report, "database", "does not answer", "start PostgreSQL");
    assert!(!report.to_string().contains("hidden"), "{report:#}");

    let (_, report) = at.doctor(&database(at.postgres.url("absent")));
    assert_fails(&report, "database", "no database absent", "`createdb absent`");

    let tls = format!("{}?sslmode=require", at.postgres.url("postgres"));
    let (_, report) = at.doctor(&database(tls));
    assert_fails(&report, "database", "TLS", "sslmode");

    let admin = support::connect(&at.postgres.url("postgres")).await;
    let sql = "CREATE ROLE app LOGIN PASSWORD 'right'; GRANT SELECT ON refinery_schema_history TO app;
               GRANT st_gateway, st_relay, st_projector, st_worker, st_sheets, st_keys, st_audit TO app";
    admin.batch_execute(sql).await.unwrap();
    let (code, report) = at.doctor(&database(at.postgres.url_as("app", "postgres")));
    assert_eq!(code, Some(1));
    assert_fails(
        &report,
        "role st_api",
        "app may not act as it",
        "`GRANT st_api TO app`",
    );
    assert_eq!(finding(&report, "role st_worker").0, "ok");

    admin
        .batch_execute("ALTER ROLE st_sheets BYPASSRLS")
        .await
        .unwrap();
    let (_, report) = at.doctor(&[]);
    assert_fails(&report, "role st_sheets", "above row security", "NOBYPASSRLS");
    admin
        .batch_execute("ALTER ROLE st_sheets NOBYPASSRLS")
        .await
        .unwrap();

    let hba: String = admin.query_one("SHOW hba_file", &[]).await.unwrap().get(0);
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host all app all scram-sha-256\n{rules}")).unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let wrong = at.postgres.url_as("app:wrong", "postgres");
    support::eventually("the rule to hold", support::SOON, || {
        let (_, report) = at.doctor(&database(wrong.clone()));
        let found = finding(&report, "database").1.to_owned();
        async move {
            match found.contains("refuses the password of app") {
                true => Ok(()),
                false => Err(found),
            }
        }
    })
    .await;

    let newest: String = admin
        .query_one(
            "DELETE FROM refinery_schema_history WHERE version = (SELECT max(version) FROM refinery_schema_history)
             RETURNING 'V' || version || '__' || name",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let (_, report) = at.doctor(&[]);
    assert_fails(&report, "database", &newest, "`stock-tracker migrate`");
    let newer = "INSERT INTO refinery_schema_history
                 SELECT 9999, 'later', applied_on, checksum FROM refinery_schema_history LIMIT 1";
    admin.batch_execute(newer).await.unwrap();
    let (_, report) = at.doctor(&[]);
    assert_fails(&report, "database", &newest, "migrate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_do_not_open_what_is_there_are_named() {
    let at = Installed::ready().await;
    let setting = |name: &str| {
        at.settings
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .clone()
    };
    let pool = database::Pool::open(&setting("DATABASE_URL").into(), database::Role::Api, 1).unwrap();
    let ring = vault::MasterKeys::parse(&setting("ST_MASTER_KEY").into())
        .ok()
        .unwrap();
    let (tenant, credential) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    vault::Vault::new(pool, ring)
        .seal(
            events::ids::TenantId(tenant),
            events::ids::CredentialId(credential),
            "wildberries_token",
            &"secret".into(),
        )
        .await
        .unwrap();
    let (code, report) = at.doctor(&[]);
    assert_eq!(code, Some(0), "{report:#}");

    let other = vault::MasterKeys::generate().unwrap();
    let other = other.expose_secret().to_owned();
    let (code, report) = at.doctor(&[("ST_MASTER_KEY", other.clone())]);
    assert_eq!(code, Some(1));
    assert_fails(
        &report,
        "master keys",
        "1 data keys do not open under the given master key v1",
        "ST_MASTER_KEY",
    );
    let second = other.replace("v1:", "v2:");
    let (_, report) = at.doctor(&[("ST_MASTER_KEY", second)]);
    assert_fails(&report, "master keys", "need master key v1", "keys list");
    assert!(!report.to_string().contains(&other[3..]), "a key is shown");
    let (_, report) = at.doctor(&[("ST_JWT_KEY", String::new())]);
    assert_fails(&report, "token key", "ST_JWT_KEY", "keys generate");
}

/// A server that says it is old.
async fn old_server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let info = "INFO {\"server_id\":\"X\",\"version\":\"2.11.9\",\"proto\":1,\"headers\":true,\
                            \"nonce\":\"abc\",\"auth_required\":true,\"max_payload\":1048576}\r\n";
                let mut alive = stream.write_all(info.as_bytes()).await.is_ok();
                let mut heard = [0; 4096];
                while alive && matches!(stream.read(&mut heard).await, Ok(1..)) {
                    alive = stream.write_all(b"PONG\r\n").await.is_ok();
                }
            });
        }
    });
    format!("nats://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_broker_is_named_with_what_mends_it() {
    let at = Installed::ready().await;
    let nats = |url: String| [("NATS_URL", url)];
    let (_, report) = at.doctor(&nats(format!("nats://127.0.0.1:{}", support::free_port())));
    assert_fails(&report, "broker", "does not answer", "start nats-server");
    let (_, report) = at.doctor(&nats(old_server().await));
    assert_fails(
        &report,
        "broker",
        "nats-server 2.11.9 is too old",
        "update nats-server",
    );

    // Changed by hand.
    let options =
        messaging::BrokerOptions::new(at.nats.url(), "test").as_user(messaging::users::ADMIN, &at.seeds);
    let admin = messaging::Broker::connect(options).await.unwrap();
    assert!(admin.wait_connected(support::SOON).await);
    let stream = admin.jetstream().get_stream("DEAD").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_messages = 7;
    admin.jetstream().update_stream(config).await.unwrap();
    let (_, report) = at.doctor(&[]);
    assert_fails(&report, "broker", "`max_messages`", "nats stream rm DEAD");
    admin.jetstream().delete_stream("DEAD").await.unwrap();
    let (_, report) = at.doctor(&[]);
    assert_fails(
        &report,
        "broker",
        "`DEAD` does not exist",
        "`stock-tracker nats apply`",
    );

    // Seeds that the server does not know.
    let strangers = support::scratch_folder("strangers");
    messaging::users::prepare(&strangers).unwrap();
    let (_, report) = at.doctor(&[("ST_NATS_SEED_DIR", strangers.display().to_string())]);
    assert_fails(&report, "broker", "refuses us", "users.conf");
    std::fs::copy(strangers.join("relay.nk"), at.seeds.join("relay.nk")).unwrap();
    let (_, report) = at.doctor(&[]);
    assert_fails(&report, "broker user relay", "refuses us", "users.conf");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_jetstream_is_named() {
    let at = Installed::with_broker("jetstream { max_file_store: 2MB }", |_| {})
        .await
        .prepared();
    let options =
        messaging::BrokerOptions::new(at.nats.url(), "test").as_user(messaging::users::ADMIN, &at.seeds);
    let admin = messaging::Broker::connect(options).await.unwrap();
    assert!(admin.wait_connected(support::SOON).await);
    fill(&admin).await;
    let (code, report) = at.doctor(&[]);
    assert_eq!(code, Some(1));
    assert_fails(&report, "broker", "JetStream is full", "max_file_store");
}

/// Publishes until nothing is taken any more.
pub(crate) async fn fill(admin: &messaging::Broker) {
    support::eventually("the store to be full", support::SOON, || async {
        let subject = format!("work.default.{}", runtime::Ids::system().next());
        let sent: Result<_, async_nats::jetstream::context::PublishError> = admin
            .jetstream()
            .publish(subject, vec![b'x'; 200_000].into())
            .await;
        match sent.unwrap().await {
            Ok(_) => Err("it takes more".to_owned()),
            Err(_full) => Ok(()),
        }
    })
    .await;
}
