//! What becomes of a request to write a sheet now: the first write that began after it ends it, and nothing
//! that comes later changes that.

use serde_json::json;
use simulators::{Effect, Fault};
use uuid::Uuid;

use crate::world::{Seller, World};

impl World {
    /// A request as the API makes it.
    async fn ask(&self, seller: Seller) -> Uuid {
        let operation = self.ids.next();
        self.sql()
            .await
            .execute(
                "INSERT INTO core.sheet_syncs (tenant_id, operation_id, wanted, requested_at) \
                 VALUES ($1, $2, 1, $3)",
                &[&seller.tenant.uuid(), &operation, &self.clock.now()],
            )
            .await
            .unwrap();
        let question = sheets::wire::Sync {
            tenant_id: seller.tenant,
        };
        self.sheets.sync(question).await.unwrap();
        operation
    }

    async fn sql(&self) -> tokio_postgres::Client {
        use secrecy::ExposeSecret as _;
        support::connect(self.url.expose_secret()).await
    }

    /// `running`, `succeeded`, or the kind of the failure.
    async fn outcome(&self, operation: Uuid) -> String {
        let row = self
            .sql()
            .await
            .query_one(
                "SELECT CASE WHEN ended_at IS NULL THEN 'running' ELSE coalesce(error_kind, 'succeeded') END \
                   FROM core.sheet_syncs WHERE operation_id = $1",
                &[&operation],
            )
            .await
            .unwrap();
        row.get(0)
    }
}

/// The next batch is refused.
fn refused() -> Fault {
    let refusal = Effect::Status {
        status: 403,
        body: json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "refused"}})
            .to_string(),
        content_type: None,
    };
    Fault::on("/v4/", refusal).containing(":batchUpdate").times(1)
}

#[tokio::test]
async fn a_request_ends_with_its_own_write_and_does_not_change_with_later_ones() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.google.script(refused());
    let first = world.ask(seller).await;
    assert_eq!(world.outcome(first).await, "running", "nothing was written yet");
    assert_eq!(world.round().await.failed, 1);
    let failed = world.outcome(first).await;
    assert!(failed != "running" && failed != "succeeded", "{failed}");

    world.clock.advance(world.next_try_in(seller).await);
    assert_eq!(world.round().await.written, 1, "it is tried again by itself");
    assert_eq!(world.outcome(first).await, failed);

    // The sheet shows all already, and its failure is over: this one is of the second request alone.
    let second = world.ask(seller).await;
    assert_eq!(world.outcome(second).await, "running");
    world.round().await;
    assert_eq!(
        (world.outcome(second).await, world.outcome(first).await),
        ("succeeded".to_owned(), failed)
    );
}

#[tokio::test]
async fn an_earlier_failure_is_not_told_of_a_new_request() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.google.script(refused());
    assert_eq!(world.round().await.failed, 1);
    let asked = world.ask(seller).await;
    assert_eq!(world.outcome(asked).await, "running");
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.outcome(asked).await, "succeeded");
}

#[tokio::test]
async fn a_request_whose_sheet_is_unlinked_ends_badly() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    let asked = world.ask(seller).await;
    let unlinked = events::catalog::SheetEvent::from(events::sheet::SheetUnlinked {});
    world
        .append(
            seller.tenant,
            events::StreamType::Sheet,
            seller.tenant.uuid(),
            vec![events::Event::Sheet(unlinked)],
        )
        .await;
    world.round().await;
    assert_eq!(world.outcome(asked).await, "unlinked");
}
