//! Whoever is erased has left no trace of who they were, at whatever line a process died; what happened stays
//! in the log, and a database from before the erasure can be cleaned again.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use application::domain::tenant::TenantRefusal;
use application::erasure::{self, Error};
use application::{ExecuteError, erase_tenant, erase_user};
use auth::accounts::NewAccount;
use auth::erasures::{Erasure, Subject};
use auth::{Email, Sessions};
use database::{Pool, Role};
use event_store::{Append, StreamId};
use events::ids::{EventId, TenantId, UserId};
use events::tenant::MemberAdded;
use events::user::UserRegistered;
use events::{Event, Metadata, NewEvent, StreamType};
use support::Database;
use uuid::Uuid;

use crate::world::{World, at, context, new_id, somebody};

/// What tells who somebody is: as it was typed in [`somebody`], and parts of it.
const PERSONAL: [&str; 3] = ["Соколова", "@example.com", "Мой кабинет"];

/// Every table of the write side, as text.
async fn tables(database: &Database) -> Vec<(String, String)> {
    let client = support::connect(&database.url).await;
    let names = "SELECT c.relname::text FROM pg_class c
                  WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' ORDER BY 1";
    let mut found = Vec::new();
    for row in client.query(names, &[]).await.unwrap() {
        let name: String = row.get(0);
        let dump = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM core.{name} t");
        found.push((name, client.query_one(&dump, &[]).await.unwrap().get(0)));
    }
    found
}

/// Where something is still found.
async fn traces(database: &Database, of: &[&str]) -> BTreeSet<String> {
    let found = tables(database).await;
    found
        .into_iter()
        .filter(|(_, text)| of.iter().any(|word| text.contains(word)))
        .map(|(table, _)| table)
        .collect()
}

/// Tables that still have a row of the tenant, but for those that are kept.
async fn rows_left(database: &Database, tenant: TenantId) -> BTreeSet<String> {
    let kept = ["commands", "destroyed_keys", "erasure_acts", "events", "heads"];
    let mut left = traces(database, &[&tenant.to_string()]).await;
    left.retain(|table| !kept.contains(&table.as_str()));
    left
}

/// What the worker does with what others left.
async fn finish_all(world: &World) {
    let worker = world.app(Role::Worker);
    let ledger = erasure::ledger(&worker);
    for entry in ledger.unfinished(100).await.unwrap() {
        erasure::carry_out(&worker, &entry.erasure, at(5)).await.unwrap();
        pass_policies(world).await;
        assert!(ledger.finish(&entry.erasure, at(6)).await.unwrap());
    }
    assert_eq!(ledger.unfinished(100).await.unwrap(), []);
}

/// As if every policy had read the whole log.
async fn pass_policies(world: &World) {
    let client = support::connect(&world.database.url).await;
    let pass = "UPDATE core.policy_positions SET position = (SELECT position FROM core.log_head)";
    client.execute(pass, &[]).await.unwrap();
}

/// A second person in the tenant, with a session.
async fn member(world: &World, tenant: TenantId, email: &str) -> UserId {
    let user_id = UserId(new_id());
    let account = NewAccount {
        tenant_id: tenant,
        user_id,
        email: Email::parse(email).unwrap(),
        password: "ещё одна лошадь".into(),
        display_name: "Борис Соколова".into(),
        role: auth::Role::Member,
    };
    world.app.accounts.reserve(&account, at(0)).await.unwrap();
    let joined = MemberAdded {
        user_id,
        role: events::tenant::Role::Member,
    };
    append(
        world,
        tenant,
        StreamType::Tenant,
        tenant.uuid(),
        1,
        Event::Tenant(joined.into()),
    )
    .await;
    let registered = UserRegistered { tenant_id: tenant };
    append(
        world,
        tenant,
        StreamType::User,
        user_id.uuid(),
        0,
        Event::User(registered.into()),
    )
    .await;
    world.app.accounts.activate(tenant, user_id).await.unwrap();
    let sessions = Sessions::new(world.app.store.pool().clone());
    sessions.open(tenant, user_id, new_id(), at(0)).await.unwrap();
    user_id
}

async fn append(world: &World, tenant: TenantId, stream: StreamType, id: Uuid, expected: i64, event: Event) {
    let context = context(tenant);
    let append = Append {
        stream: StreamId { stream, id },
        expected,
        metadata: Metadata {
            tenant_id: tenant,
            command_id: context.command_id,
            correlation_id: context.correlation_id,
            causation_id: None,
            actor: context.actor,
            traceparent: None,
        },
        events: vec![NewEvent {
            event_id: EventId(new_id()),
            event,
        }],
        result: None,
    };
    world.app.store.append(append).await.unwrap();
}

/// The database as it is now, in another one, with processes of its own.
async fn backup(world: &World) -> World {
    let admin = support::connect(&support::postgres().await.url("postgres")).await;
    let (from, name) = (&world.database.name, format!("{}_restored", world.database.name));
    let alone = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
    admin.query(alone, &[from]).await.unwrap();
    admin
        .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {from}"))
        .await
        .unwrap();
    let database = Database {
        url: support::postgres().await.url(&name),
        name,
    };
    let mut restored = World {
        database,
        app: world.app.clone(),
    };
    restored.app = restored.app(Role::Api);
    restored
}

async fn die_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn an_erased_tenant_leaves_no_trace_of_who_it_was_and_its_act_says_what_went() {
    let world = World::new().await;
    let (tenant, _cabinet) = world.seller().await;
    member(&world, tenant, "boris@example.com").await;
    assert!(
        traces(&world.database, &PERSONAL).await.len() >= 2,
        "nothing was there to be erased"
    );
    let act = erase_tenant::execute(&world.app, &context(tenant))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(traces(&world.database, &PERSONAL).await, BTreeSet::new());
    assert_eq!(act["subject"]["type"], "tenant");
    assert_eq!(act["data_keys_destroyed"], 1);
    for (table, rows) in [
        ("accounts", 2),
        ("credentials", 1),
        ("profiles", 2),
        ("sessions", 1),
    ] {
        assert_eq!(act["rows_destroyed"][table], rows, "{table}: {act:#}");
    }
    assert_eq!(act["requested_by"], context(tenant).actor);
    let logged: Vec<&str> = act["log"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["event_type"].as_str())
        .collect();
    assert!(
        logged.contains(&"tenant_registered") && logged.contains(&"tenant_erased"),
        "{logged:?}"
    );
    finish_all(&world).await;
    assert_eq!(rows_left(&world.database, tenant).await, BTreeSet::new());
    let happened = world.happened().await;
    for event in ["tenant_erased", "cabinet_disconnected", "user_erased"] {
        assert!(
            happened.iter().any(|kind| kind == event),
            "{event} in {happened:?}"
        );
    }
    assert_eq!(happened.iter().filter(|kind| *kind == "user_erased").count(), 2);
}

#[tokio::test]
async fn another_tenant_does_not_notice() {
    let world = World::new().await;
    let (tenant, _cabinet) = world.seller().await;
    let other = world.register("other@example.com").await.unwrap();
    let before = rows_left(&world.database, other.tenant_id).await;
    assert!(before.contains("accounts") && before.contains("profiles"));
    erase_tenant::execute(&world.app, &context(tenant)).await.unwrap();
    finish_all(&world).await;
    assert_eq!(rows_left(&world.database, other.tenant_id).await, before);
    let email = Email::parse("other@example.com").unwrap();
    let password = somebody("other@example.com").password;
    assert!(world.app.accounts.log_in(&email, &password).await.is_ok());
    let gone = Email::parse("seller@example.com").unwrap();
    assert!(world.app.accounts.log_in(&gone, &password).await.is_err());
    // The address is free for whoever comes next.
    assert!(world.register("seller@example.com").await.is_ok());
}

#[tokio::test]
async fn a_process_that_dies_at_any_await_is_followed_by_one_that_finishes() {
    let world = World::new().await;
    let mut deaths = 0;
    for polls in 1.. {
        let (tenant, _cabinet) = world.seller().await;
        let context = context(tenant);
        let done = die_after(polls, erase_tenant::execute(&world.app, &context)).await;
        if done.is_none() {
            deaths += 1;
        }
        // Nothing was asked for before the ledger knows; the client repeats its request then.
        let asked = traces(&world.database, &[&context.command_id.to_string()])
            .await
            .contains("erasure_acts");
        if !asked {
            erase_tenant::execute(&world.app, &context).await.unwrap();
        }
        finish_all(&world).await;
        assert_eq!(
            rows_left(&world.database, tenant).await,
            BTreeSet::new(),
            "after {polls} polls"
        );
        assert_eq!(
            traces(&world.database, &PERSONAL).await,
            BTreeSet::new(),
            "after {polls} polls"
        );
        if done.is_some() {
            break;
        }
    }
    assert!(deaths > 10, "only {deaths} deaths: nothing was interrupted");
    let positions: Vec<i64> = world.log().await.iter().map(|event| event.position).collect();
    assert!(positions.iter().copied().eq(1..=positions.len() as i64));
}

#[tokio::test]
async fn a_member_is_forgotten_and_the_others_stay() {
    let world = World::new().await;
    let owner = world.register("anna@example.com").await.unwrap();
    let tenant = owner.tenant_id;
    let user = member(&world, tenant, "boris@example.com").await;
    let act = erase_user::execute(&world.app, &context(tenant), user)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(act["subject"]["type"], "user");
    assert_eq!(
        (
            &act["rows_destroyed"]["accounts"],
            &act["rows_destroyed"]["sessions"]
        ),
        (&1.into(), &1.into()),
        "{act:#}"
    );
    assert_eq!(
        traces(&world.database, &["boris@", "Борис"]).await,
        BTreeSet::new()
    );
    let logged: Vec<&str> = act["log"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["event_type"].as_str())
        .collect();
    assert_eq!(
        logged,
        ["member_added", "user_registered", "member_removed", "user_erased"]
    );
    finish_all(&world).await;
    assert!(
        world
            .app
            .accounts
            .get(tenant, owner.user_id)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_ledger_line_about_nobody_in_this_database_is_done_with() {
    let world = World::new().await;
    let worker = world.app(Role::Worker);
    let ledger = erasure::ledger(&worker);
    let tenant = TenantId(new_id());
    for subject in [Subject::Tenant(tenant), Subject::User(UserId(new_id()))] {
        let line = Erasure {
            tenant_id: tenant,
            erasure_id: new_id(),
            subject,
            requested_by: "user:somebody".to_owned(),
            requested_at: at(0),
        };
        assert!(ledger.enter(&line).await.unwrap());
        erasure::carry_out(&worker, &line, at(5)).await.unwrap();
    }
    assert_eq!(ledger.unfinished(10).await.unwrap(), []);
    assert_eq!(world.happened().await, [""; 0]);
}

#[tokio::test]
async fn the_last_owner_can_only_erase_the_whole_tenant() {
    let world = World::new().await;
    let owner = world.register("anna@example.com").await.unwrap();
    let refused = erase_user::execute(&world.app, &context(owner.tenant_id), owner.user_id).await;
    assert!(
        matches!(
            refused,
            Err(Error::Tenant(ExecuteError::Refused(TenantRefusal::LastOwner)))
        ),
        "{refused:?}"
    );
    let ledger = erasure::ledger(&world.app(Role::Worker));
    assert_eq!(
        ledger.unfinished(10).await.unwrap(),
        [],
        "the request was not taken back"
    );
    assert!(
        world
            .app
            .accounts
            .get(owner.tenant_id, owner.user_id)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_database_from_before_the_erasure_is_cleaned_again_by_the_ledger() {
    let world = World::new().await;
    let (tenant, _cabinet) = world.seller().await;
    let user = member(&world, tenant, "boris@example.com").await;
    let restored = backup(&world).await;
    erase_user::execute(&world.app, &context(tenant), user)
        .await
        .unwrap();
    erase_tenant::execute(&world.app, &context(tenant)).await.unwrap();
    finish_all(&world).await;
    let ledger = erasure::ledger(&world.app(Role::Worker)).ledger().await.unwrap();
    assert_eq!(ledger.len(), 2);

    let world = restored;
    assert_ne!(traces(&world.database, &PERSONAL).await, BTreeSet::new());
    let worker = erasure::ledger(&world.app(Role::Worker));
    for line in &ledger {
        let text = serde_json::to_string(line).unwrap();
        let read = serde_json::from_str(&text).unwrap();
        assert!(worker.enter(&read).await.unwrap());
        assert!(!worker.enter(&read).await.unwrap());
    }
    finish_all(&world).await;
    assert_eq!(traces(&world.database, &PERSONAL).await, BTreeSet::new());
    assert_eq!(rows_left(&world.database, tenant).await, BTreeSet::new());
}

#[tokio::test]
async fn an_act_stays_and_only_processes_that_need_it_see_the_ledger() {
    let world = World::new().await;
    let owner = world.register("anna@example.com").await.unwrap();
    erase_tenant::execute(&world.app, &context(owner.tenant_id))
        .await
        .unwrap();
    let client = support::connect(&world.database.url).await;
    let refused = client
        .execute("DELETE FROM core.erasure_acts", &[])
        .await
        .unwrap_err();
    assert!(
        refused
            .as_db_error()
            .unwrap()
            .message()
            .contains("stays in the ledger")
    );
    let other = TenantId(new_id());
    let ledger = erasure::ledger(&world.app);
    let subject = Subject::Tenant(owner.tenant_id);
    assert!(ledger.act(owner.tenant_id, subject).await.unwrap().is_some());
    assert!(ledger.act(other, subject).await.unwrap().is_none());
    assert!(
        ledger.unfinished(1).await.is_err(),
        "the API may not see all tenants' requests"
    );
    for role in [Role::Gateway, Role::Relay, Role::Projector, Role::Sheets] {
        let pool = Pool::open(&world.database.url.clone().into(), role, 1).unwrap();
        let session = pool.get().await.unwrap();
        assert!(
            session
                .query("SELECT * FROM core.erasure_acts", &[])
                .await
                .is_err(),
            "{role:?}"
        );
    }
}

/// A table that somebody adds is emptied too, or this says that it is not.
#[tokio::test]
async fn no_table_with_a_tenant_escapes_erasure() {
    let world = World::new().await;
    let client = support::connect(&world.database.url).await;
    let offenders = "SELECT c.relname::text FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
         WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND NOT core.is_kept(c.relname)
           AND NOT EXISTS (SELECT FROM pg_policy p
                            WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'd') AND p.polpermissive
                              AND 'st_owner'::regrole = ANY (p.polroles))";
    let offenders: Vec<String> = client
        .query(offenders, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        offenders, [""; 0],
        "add the policy owner_erases (see V10__erasure.sql) to these tables"
    );
}
