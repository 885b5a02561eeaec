//! A seller account that was taken away and is connected again is the same cabinet, so that its products are
//! not there twice.

use application::connect_cabinet::{self, Connected, Error};
use application::{Context, disconnect_cabinet};
use events::cabinet::Marketplace;
use events::ids::{CabinetId, CredentialId, TenantId};
use secrecy::SecretString;

use crate::world::{SCOPES, World, at, context, good_token, token};

async fn connect(world: &World, context: &Context, secret: &str) -> Result<Connected, Error> {
    let secret = SecretString::from(secret);
    connect_cabinet::execute(&world.app, context, Marketplace::Wildberries, &secret, None).await
}

async fn sealed(world: &World) -> Vec<CredentialId> {
    let rows = support::connect(&world.database.url)
        .await
        .query("SELECT credential_id FROM core.credentials ORDER BY 1", &[])
        .await
        .unwrap();
    rows.iter().map(|row| CredentialId(row.get(0))).collect()
}

/// A seller whose cabinet was taken away.
async fn left() -> (World, TenantId, CabinetId) {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    disconnect_cabinet::execute(&world.app, &context(tenant), cabinet)
        .await
        .unwrap();
    assert_eq!(sealed(&world).await, []);
    (world, tenant, cabinet)
}

#[tokio::test]
async fn the_same_seller_account_connected_again_is_the_same_cabinet_with_a_key_of_its_own() {
    let (world, tenant, cabinet) = left().await;
    let again = connect(&world, &context(tenant), &good_token()).await.unwrap();
    assert_eq!((again.cabinet_id, again.reconnected), (cabinet, true));
    assert_eq!(sealed(&world).await, [again.credential.credential_id]);
    assert_eq!(
        world.happened().await[2..],
        ["cabinet_connected", "cabinet_disconnected", "cabinet_reconnected"]
    );
    let third = connect(&world, &context(tenant), &good_token()).await;
    assert!(
        matches!(third, Err(Error::SellerConnected { cabinet_id }) if cabinet_id == cabinet),
        "{third:?}"
    );
    assert_eq!(
        sealed(&world).await,
        [again.credential.credential_id],
        "the key in use stays"
    );
}

#[tokio::test]
async fn reconnecting_twice_with_one_command_id_is_answered_like_the_first_time_and_keeps_the_key() {
    let (world, tenant, cabinet) = left().await;
    let command = context(tenant);
    let first = connect(&world, &command, &good_token()).await.unwrap();
    let again = connect(&world, &command, &good_token()).await.unwrap();
    assert_eq!((again.cabinet_id, again.reconnected), (cabinet, true));
    assert_eq!(again.credential, first.credential);
    assert!(again.receipt.duplicate && again.receipt.position == first.receipt.position);
    assert_eq!(sealed(&world).await, [first.credential.credential_id]);
    assert_eq!(world.happened().await.len(), 5);
}

#[tokio::test]
async fn of_two_requests_at_once_for_a_former_cabinet_one_gets_it_and_the_other_leaves_no_key() {
    let (world, tenant, cabinet) = left().await;
    let (one, other, secret) = (context(tenant), context(tenant), good_token());
    let (one, other) = tokio::join!(connect(&world, &one, &secret), connect(&world, &other, &secret));
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(
        matches!(lost, Err(Error::SellerConnected { cabinet_id }) if cabinet_id == cabinet),
        "{lost:?}"
    );
    assert_eq!(sealed(&world).await, [won.unwrap().credential.credential_id]);
}

#[tokio::test]
async fn another_account_and_another_tenant_get_cabinets_of_their_own() {
    let (world, tenant, cabinet) = left().await;
    let stranger = token("seller-2", 3, SCOPES, at(60 * 24 * 180));
    let other = connect(&world, &context(tenant), &stranger).await.unwrap();
    assert!(other.cabinet_id != cabinet && !other.reconnected);
    let boris = world.register("boris@example.com").await.unwrap().tenant_id;
    let his = connect(&world, &context(boris), &good_token()).await.unwrap();
    assert!(his.cabinet_id != cabinet && !his.reconnected);
}
