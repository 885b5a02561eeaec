//! The vault against a real PostgreSQL: what is moved does not open, and who may not open cannot.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set up its world cannot go on"
)]

mod rotation;

use database::{Pool, Role};
use events::ids::{CredentialId, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use vault::{Keeper, MasterKeys, Scope, Vault, VaultError};

const ANNA: TenantId = TenantId(Uuid::from_u128(0xA));
const BORIS: TenantId = TenantId(Uuid::from_u128(0xB));
const FIRST: CredentialId = CredentialId(Uuid::from_u128(1));
const SECOND: CredentialId = CredentialId(Uuid::from_u128(2));

struct World {
    database: support::Database,
    url: SecretString,
    ring: SecretString,
    /// As the API does: seals.
    sealing: Vault,
    /// As the worker does: opens.
    opening: Vault,
}

impl World {
    fn vault(&self, role: Role, ring: &SecretString) -> Vault {
        let pool = Pool::open(&self.url, role, 4).unwrap();
        Vault::new(pool, MasterKeys::parse(ring).ok().unwrap())
    }

    fn keeper(&self, ring: &SecretString) -> Keeper {
        let pool = Pool::open(&self.url, Role::Keys, 4).unwrap();
        Keeper::new(pool, MasterKeys::parse(ring).ok().unwrap())
    }

    /// What somebody with full rights on the database does to it.
    async fn tamper(&self, statement: &str) -> u64 {
        support::connect(&self.database.url)
            .await
            .execute(statement, &[])
            .await
            .unwrap()
    }
}

async fn world() -> World {
    let migrate = |url: String| async move { database::migrate(&url.into()).await.map(drop) };
    let template = support::template("core", migrate).await;
    let database = support::fresh_database(Some(&template)).await;
    let url = SecretString::from(database.url.clone());
    let ring = MasterKeys::generate().unwrap();
    let open = |role| {
        Vault::new(
            Pool::open(&url, role, 4).unwrap(),
            MasterKeys::parse(&ring).ok().unwrap(),
        )
    };
    let (sealing, opening) = (open(Role::Api), open(Role::Worker));
    World {
        database,
        url,
        ring,
        sealing,
        opening,
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn failure<T>(result: Result<T, VaultError>) -> VaultError {
    result.err().expect("it should have failed")
}

#[tokio::test]
async fn the_worker_opens_what_the_api_sealed_until_it_is_destroyed() {
    let world = world().await;
    world
        .sealing
        .seal(ANNA, FIRST, "wildberries_token", &"s3cret".into())
        .await
        .unwrap();
    assert_eq!(
        world.opening.open(ANNA, FIRST).await.unwrap().expose_secret(),
        "s3cret"
    );
    world
        .sealing
        .seal(ANNA, FIRST, "wildberries_token", &"newer".into())
        .await
        .unwrap();
    assert_eq!(
        world.opening.open(ANNA, FIRST).await.unwrap().expose_secret(),
        "newer"
    );
    world.sealing.destroy(ANNA, FIRST).await.unwrap();
    world.sealing.destroy(ANNA, FIRST).await.unwrap();
    assert!(matches!(
        failure(world.opening.open(ANNA, FIRST).await),
        VaultError::NotFound(FIRST)
    ));
}

#[tokio::test]
async fn the_processes_that_face_the_outside_cannot_open() {
    let world = world().await;
    world
        .sealing
        .seal(ANNA, FIRST, "wildberries_token", &"s3cret".into())
        .await
        .unwrap();
    for role in [Role::Api, Role::Gateway] {
        let error = failure(world.vault(role, &world.ring).open(ANNA, FIRST).await);
        let refused = chain(&error);
        assert!(refused.contains("permission denied"), "{role:?}: {refused}");
    }
}

#[tokio::test]
async fn one_tenant_does_not_reach_another_ones_credential() {
    let world = world().await;
    world
        .sealing
        .seal(ANNA, FIRST, "wildberries_token", &"anna's".into())
        .await
        .unwrap();
    assert!(matches!(
        failure(world.opening.open(BORIS, FIRST).await),
        VaultError::NotFound(_)
    ));
    world.sealing.destroy(BORIS, FIRST).await.unwrap();
    assert_eq!(
        world.opening.open(ANNA, FIRST).await.unwrap().expose_secret(),
        "anna's"
    );
}

/// Every secret in the place of every other one, with and without the version it was encrypted under.
#[tokio::test]
async fn no_secret_opens_in_the_place_of_another_one() {
    let world = world().await;
    let client = support::connect(&world.database.url).await;
    let places = [(ANNA, FIRST), (ANNA, SECOND), (BORIS, FIRST), (BORIS, SECOND)];
    for (tenant, credential) in places {
        world
            .sealing
            .seal(tenant, credential, "wildberries_token", &"s3cret".into())
            .await
            .unwrap();
    }
    // A second version, so that versions can be mixed up too.
    world
        .keeper(&world.ring)
        .rotate_data(Scope::Tenant(BORIS))
        .await
        .unwrap();
    let kept = "CREATE TABLE kept AS SELECT * FROM core.credentials";
    client.batch_execute(kept).await.unwrap();
    let mut tried = 0;
    for (tenant, credential) in places {
        for (other_tenant, other) in places {
            if (tenant, credential) == (other_tenant, other) {
                continue;
            }
            for version in [
                "sealed = k.sealed, key_version = k.key_version",
                "sealed = k.sealed",
            ] {
                let attack = format!(
                    "UPDATE core.credentials c SET {version} FROM kept k
                      WHERE c.tenant_id = '{tenant}' AND c.credential_id = '{credential}'
                        AND k.tenant_id = '{other_tenant}' AND k.credential_id = '{other}'"
                );
                // Where the tenant has no key of that version, the database refuses already.
                if client.execute(&attack, &[]).await.is_ok() {
                    let error = failure(world.opening.open(tenant, credential).await);
                    assert!(matches!(error, VaultError::Seal(_)), "{attack}: {error}");
                }
                tried += 1;
            }
        }
        let restore =
            "UPDATE core.credentials c SET sealed = k.sealed, key_version = k.key_version FROM kept k
                        WHERE k.tenant_id = c.tenant_id AND k.credential_id = c.credential_id";
        client.execute(restore, &[]).await.unwrap();
    }
    assert_eq!(tried, 24);
    let verified = world.keeper(&world.ring).verify().await.unwrap();
    assert_eq!((verified.readable, verified.unreadable), (4, vec![]));
}

#[tokio::test]
async fn a_ciphertext_that_was_moved_or_changed_does_not_open() {
    let world = world().await;
    for (tenant, credential, text) in [
        (ANNA, FIRST, "anna 1"),
        (ANNA, SECOND, "anna 2"),
        (BORIS, FIRST, "boris 1"),
    ] {
        world
            .sealing
            .seal(tenant, credential, "wildberries_token", &text.into())
            .await
            .unwrap();
    }
    // Rows of one tenant swapped; a copy from another tenant; that tenant's key copied along; one bit.
    let attacks = [
        "UPDATE core.credentials c SET sealed = o.sealed FROM core.credentials o
          WHERE o.tenant_id = c.tenant_id AND o.credential_id <> c.credential_id",
        "UPDATE core.credentials c SET sealed = o.sealed FROM core.credentials o
          WHERE o.credential_id = c.credential_id AND o.tenant_id <> c.tenant_id",
        "UPDATE core.tenant_keys k SET wrapped = o.wrapped FROM core.tenant_keys o
          WHERE o.tenant_id <> k.tenant_id",
        "UPDATE core.credentials SET sealed = set_byte(sealed, 12, get_byte(sealed, 12) # 1)",
    ];
    for attack in attacks {
        assert!(
            world.tamper(attack).await > 0,
            "the attack touched nothing: {attack}"
        );
        let error = failure(world.opening.open(ANNA, FIRST).await);
        assert!(
            matches!(
                error,
                VaultError::Seal(_) | VaultError::WrongMasterKey { version: 1, .. }
            ),
            "{attack}: {error}"
        );
    }
}

#[tokio::test]
async fn a_missing_or_wrong_master_key_is_named_by_its_version() {
    let world = world().await;
    world
        .sealing
        .seal(ANNA, FIRST, "wildberries_token", &"s3cret".into())
        .await
        .unwrap();
    let other = MasterKeys::generate().unwrap();
    let wrong = failure(world.vault(Role::Worker, &other).open(ANNA, FIRST).await);
    assert!(
        matches!(wrong, VaultError::WrongMasterKey { version: 1, .. }),
        "{wrong}"
    );
    let renamed = SecretString::from(other.expose_secret().replace("v1:", "v2:"));
    let missing = failure(world.vault(Role::Worker, &renamed).open(ANNA, FIRST).await);
    assert!(
        matches!(missing, VaultError::UnknownMasterKey { version: 1 }),
        "{missing}"
    );
    let both = SecretString::from(format!(
        "{},{}",
        renamed.expose_secret(),
        world.ring.expose_secret()
    ));
    assert_eq!(
        world
            .vault(Role::Worker, &both)
            .open(ANNA, FIRST)
            .await
            .unwrap()
            .expose_secret(),
        "s3cret",
        "an older key still opens after a newer one was added"
    );
}

#[tokio::test]
async fn sixteen_first_uses_at_once_make_one_data_key() {
    let world = world().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0_u128..16 {
        let vault = world.sealing.clone();
        tasks.spawn(async move {
            let id = CredentialId(Uuid::from_u128(n));
            vault
                .seal(ANNA, id, "wildberries_token", &SecretString::from(n.to_string()))
                .await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let client = support::connect(&world.database.url).await;
    let keys: i64 = client
        .query_one("SELECT count(*) FROM core.tenant_keys", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(keys, 1);
    for n in 0_u128..16 {
        let secret = world
            .opening
            .open(ANNA, CredentialId(Uuid::from_u128(n)))
            .await
            .unwrap();
        assert_eq!(secret.expose_secret(), n.to_string());
    }
}

#[tokio::test]
async fn a_fingerprint_recognises_a_secret_inside_its_tenant_only() {
    let world = world().await;
    let of = async |tenant, text: &str| world.sealing.fingerprint(tenant, &text.into()).await.unwrap();
    assert_eq!(of(ANNA, "one").await, of(ANNA, "one").await);
    assert_ne!(of(ANNA, "one").await, of(ANNA, "two").await);
    assert_ne!(of(ANNA, "one").await, of(BORIS, "one").await);
    assert!(of(ANNA, "one").await.starts_with("k1:"));
}
