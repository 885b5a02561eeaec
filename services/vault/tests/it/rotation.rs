//! Keys are replaced while secrets are sealed and opened, by processes that die at any moment: no secret is
//! ever unreadable, and an old key goes when nothing is under it any more.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use chrono::TimeDelta;
use database::Role;
use events::ids::{CredentialId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use vault::{Inventory, Keeper, LONGEST_USE_DAYS, MOST_SEALS, MasterKeys, Scope, Vault, VaultError};

use crate::{ANNA, BORIS, FIRST, World, world};

const KIND: &str = "wildberries_token";

fn secret_of(tenant: TenantId, number: u128) -> SecretString {
    SecretString::from(format!("{tenant}/{number}"))
}

/// Seals `count` secrets of each tenant.
async fn fill(vault: &Vault, tenants: &[TenantId], count: u128) {
    for tenant in tenants {
        for number in 0..count {
            let id = CredentialId(Uuid::from_u128(number));
            vault
                .seal(*tenant, id, KIND, &secret_of(*tenant, number))
                .await
                .unwrap();
        }
    }
}

async fn assert_all_open(vault: &Vault, tenants: &[TenantId], count: u128) {
    for tenant in tenants {
        for number in 0..count {
            let opened = vault
                .open(*tenant, CredentialId(Uuid::from_u128(number)))
                .await
                .map_err(|error| error.to_string());
            assert_eq!(
                opened
                    .as_ref()
                    .map(SecretString::expose_secret)
                    .map_err(String::as_str),
                Ok(secret_of(*tenant, number).expose_secret())
            );
        }
    }
}

fn two_versions(world: &World) -> SecretString {
    let second = MasterKeys::generate()
        .unwrap()
        .expose_secret()
        .replace("v1:", "v2:");
    SecretString::from(format!("{},{second}", world.ring.expose_secret()))
}

/// Runs the future until it has been polled so often, then drops it where it stands.
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

fn versions(inventory: &Inventory) -> Vec<(TenantId, i32, i64)> {
    inventory
        .keys
        .iter()
        .map(|key| (key.tenant, key.version, key.secrets))
        .collect()
}

#[tokio::test]
async fn a_new_data_key_takes_over_every_secret_and_the_old_one_is_destroyed() {
    let world = world().await;
    fill(&world.sealing, &[ANNA, BORIS], 5).await;
    let keeper = world.keeper(&world.ring);
    let rotated = keeper.rotate_data(Scope::Tenant(ANNA)).await.unwrap();
    assert_eq!(
        (
            rotated.tenants,
            rotated.secrets,
            rotated.destroyed,
            rotated.unreadable
        ),
        (1, 5, 1, 0)
    );
    let inventory = keeper.inventory().await.unwrap();
    assert_eq!(versions(&inventory), [(ANNA, 2, 5), (BORIS, 1, 5)]);
    assert_eq!((inventory.pending, inventory.destroyed), (0, 1));
    assert_all_open(&world.opening, &[ANNA, BORIS], 5).await;
}

#[tokio::test]
async fn a_rotation_that_dies_at_any_await_leaves_everything_readable_and_is_finished_by_the_next_one() {
    let world = world().await;
    let tenants = [ANNA, BORIS];
    fill(&world.sealing, &tenants, 3).await;
    let mut deaths = 0;
    for polls in 1.. {
        // A process of its own each time: nothing is remembered but what is in the tables.
        let died = die_after(polls, world.keeper(&world.ring).rotate_data(Scope::All)).await;
        assert_all_open(&world.opening, &tenants, 3).await;
        if died.is_some() {
            break;
        }
        deaths += 1;
        world.keeper(&world.ring).rotate_data(Scope::All).await.unwrap();
        let inventory = world.keeper(&world.ring).inventory().await.unwrap();
        assert_eq!(inventory.pending, 0);
        assert!(
            inventory.keys.iter().all(|key| key.newest && key.secrets == 3),
            "{inventory:?}"
        );
    }
    assert!(deaths > 20, "only {deaths} deaths: nothing was interrupted");
}

#[tokio::test]
async fn a_rotation_that_was_asked_for_again_after_a_death_is_finished_and_not_begun_anew() {
    let world = world().await;
    fill(&world.sealing, &[ANNA, BORIS], 3).await;
    let client = support::connect(&world.database.url).await;
    let requested = "INSERT INTO core.key_rotations (tenant_id) VALUES ($1)";
    client.execute(requested, &[&ANNA.uuid()]).await.unwrap();
    let keeper = world.keeper(&world.ring);
    assert_eq!(keeper.rotate_data(Scope::All).await.unwrap().tenants, 1);
    assert_eq!(
        versions(&keeper.inventory().await.unwrap()),
        [(ANNA, 2, 3), (BORIS, 1, 3)]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_sealed_and_opened_while_both_kinds_of_keys_are_replaced() {
    let world = world().await;
    let ring = two_versions(&world);
    fill(&world.sealing, &[ANNA], 8).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = tokio::task::JoinSet::new();
    for number in 0..8_u128 {
        let (sealing, opening) = (world.vault(Role::Api, &ring), world.vault(Role::Worker, &ring));
        let stop = stop.clone();
        others.spawn(async move {
            let id = CredentialId(Uuid::from_u128(number));
            let mut rounds = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                sealing
                    .seal(ANNA, id, KIND, &secret_of(ANNA, number))
                    .await
                    .unwrap();
                let opened = opening.open(ANNA, id).await.unwrap();
                assert_eq!(opened.expose_secret(), secret_of(ANNA, number).expose_secret());
                rounds += 1;
            }
            rounds
        });
    }
    let keeper = world.keeper(&ring);
    for _ in 0..20 {
        keeper.rotate_data(Scope::All).await.unwrap();
        keeper.rotate_master().await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(rounds) = others.join_next().await {
        assert!(rounds.unwrap() > 0);
    }
    let inventory = keeper.inventory().await.unwrap();
    assert_eq!(inventory.destroyed, 20);
    assert_eq!(versions(&inventory), [(ANNA, 21, 8)]);
    assert_all_open(&world.vault(Role::Worker, &ring), &[ANNA], 8).await;
}

#[tokio::test]
async fn a_new_master_key_takes_over_and_the_old_one_is_needed_no_more() {
    let world = world().await;
    fill(&world.sealing, &[ANNA, BORIS], 2).await;
    let ring = two_versions(&world);
    let mut wrapped = 0;
    for polls in 1.. {
        let died = die_after(polls, world.keeper(&ring).rotate_master()).await;
        assert_all_open(&world.vault(Role::Worker, &ring), &[ANNA, BORIS], 2).await;
        if let Some(done) = died {
            wrapped = done.unwrap();
            break;
        }
    }
    assert!(wrapped <= 2);
    let (_old, new) = ring.expose_secret().split_once(',').unwrap();
    let new = SecretString::from(new);
    assert_all_open(&world.vault(Role::Worker, &new), &[ANNA, BORIS], 2).await;
    let failed = crate::failure(world.opening.open(ANNA, FIRST).await);
    assert!(
        matches!(failed, VaultError::UnknownMasterKey { version: 2 }),
        "{failed}"
    );
}

#[tokio::test]
async fn a_process_that_meets_an_unknown_version_reads_its_file_again_without_a_restart() {
    let world = world().await;
    fill(&world.sealing, &[ANNA], 2).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("master.key");
    std::fs::write(&file, world.ring.expose_secret()).unwrap();
    let running = |role| {
        let keys = MasterKeys::parse(&world.ring).ok().unwrap();
        let pool = database::Pool::open(&world.url, role, 2).unwrap();
        Vault::new(pool, keys.kept_in(Some(file.clone())))
    };
    let (opening, sealing) = (running(Role::Worker), running(Role::Api));
    assert_all_open(&opening, &[ANNA], 2).await;
    let ring = two_versions(&world);
    std::fs::write(&file, format!("{}\n", ring.expose_secret())).unwrap();
    world.keeper(&ring).rotate_master().await.unwrap();
    assert_all_open(&opening, &[ANNA], 2).await;
    fill(&sealing, &[BORIS], 1).await;
    let inventory = world.keeper(&ring).inventory().await.unwrap();
    assert!(
        inventory.keys.iter().all(|key| key.master_version == 2),
        "{inventory:?}"
    );
    // A file that is damaged later takes nothing away from what is known.
    std::fs::write(&file, "v3:AAAA").unwrap();
    fill(&sealing, &[TenantId(Uuid::from_u128(0xC))], 1).await;
    assert_all_open(&opening, &[ANNA], 2).await;
}

#[tokio::test]
async fn every_ciphertext_counts_and_a_key_is_due_after_too_many_or_too_long() {
    let world = world().await;
    fill(&world.sealing, &[ANNA, BORIS], 3).await;
    fill(&world.sealing, &[ANNA], 3).await;
    let keeper = world.keeper(&world.ring);
    let keys = keeper.inventory().await.unwrap().keys;
    let seals: Vec<i64> = keys.iter().map(|key| key.seals).collect();
    assert_eq!(seals, [6, 3]);
    let now = keys[1].created_at;
    assert_eq!(keeper.rotate_data(Scope::Due(now)).await.unwrap().tenants, 0);
    world
        .tamper(&format!(
            "UPDATE core.tenant_keys SET seals = {MOST_SEALS} WHERE tenant_id = '{ANNA}'"
        ))
        .await;
    assert_eq!(keeper.rotate_data(Scope::Due(now)).await.unwrap().tenants, 1);
    assert_eq!(
        versions(&keeper.inventory().await.unwrap()),
        [(ANNA, 2, 3), (BORIS, 1, 3)]
    );
    let next_year = now + TimeDelta::days(LONGEST_USE_DAYS) + TimeDelta::hours(1);
    assert_eq!(
        keeper.rotate_data(Scope::Due(next_year)).await.unwrap().tenants,
        2
    );
}

#[tokio::test]
async fn a_secret_that_does_not_open_keeps_its_key_and_is_reported() {
    let world = world().await;
    fill(&world.sealing, &[ANNA], 3).await;
    world
        .tamper(&format!(
            "UPDATE core.credentials SET sealed = set_byte(sealed, 12, get_byte(sealed, 12) # 1)
              WHERE credential_id = '{FIRST}'"
        ))
        .await;
    let keeper: Keeper = world.keeper(&world.ring);
    let rotated = keeper.rotate_data(Scope::All).await.unwrap();
    assert_eq!(
        (rotated.secrets, rotated.unreadable, rotated.destroyed),
        (2, 1, 0)
    );
    let inventory = keeper.inventory().await.unwrap();
    assert_eq!(versions(&inventory), [(ANNA, 1, 1), (ANNA, 2, 2)]);
    let verified = keeper.verify().await.unwrap();
    assert_eq!(verified.readable, 2);
    let broken: Vec<_> = verified
        .unreadable
        .iter()
        .map(|(tenant, credential, _why)| (*tenant, *credential))
        .collect();
    assert_eq!(broken, [(ANNA, FIRST)]);
}

#[tokio::test]
async fn no_server_process_may_rotate() {
    let world = world().await;
    fill(&world.sealing, &[ANNA], 1).await;
    for role in [Role::Api, Role::Gateway, Role::Worker, Role::Sheets] {
        let pool = database::Pool::open(&world.url, role, 2).unwrap();
        let keeper = Keeper::new(pool, MasterKeys::parse(&world.ring).ok().unwrap());
        let refused = keeper.rotate_data(Scope::All).await;
        assert!(refused.is_err(), "{role:?} may rotate");
    }
}
