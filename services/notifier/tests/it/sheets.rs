//! Sheets that wait for a person.

use chrono::TimeDelta;
use events::StreamType;
use events::sheet::SheetLinked;
use notifier::sheets::SheetPolicy;

use crate::world::World;

#[tokio::test]
async fn a_sheet_that_nobody_may_write_is_reported_after_ten_minutes_and_once() {
    let world = World::start().await;
    let anna = world.owner("anna").await;
    let link = SheetLinked {
        spreadsheet_id: "1AbC".into(),
        worksheet: "Products".into(),
        credential_id: None,
    };
    let id = anna.tenant.uuid();
    world
        .append(
            anna.tenant,
            StreamType::Sheet,
            id,
            vec![events::Event::Sheet(link.into())],
        )
        .await;
    let sql = "INSERT INTO core.sheet_states (tenant_id, spreadsheet_id, worksheet, linked, link_position, \
               dirty_position, last_error, error_kind, failing_since) \
               VALUES ($1, '1AbC', 'Products', true, 1, 1, 'откройте доступ', 'not_shared', $2)";
    let since = world.clock.now() - TimeDelta::minutes(9);
    world.admin.execute(sql, &[&id, &since]).await.unwrap();
    let policy = SheetPolicy {
        app: world.app.clone(),
        pool: world.pool.clone(),
        clock: world.clock.clone(),
        ids: world.ids.clone(),
    };
    policy.round().await.unwrap();
    let happened = async || {
        let sql = "SELECT event_type FROM core.events WHERE aggregate_type = 'sheet' ORDER BY position";
        let rows = world.admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    assert_eq!(happened().await, ["sheet_linked"]);
    world.pass(120);
    policy.round().await.unwrap();
    policy.round().await.unwrap();
    assert_eq!(happened().await, ["sheet_linked", "sheet_blocked"]);
    world.fan_out().await;
    world.pass(10);
    world.send_all().await;
    assert!(anna.got()[0].contains("откройте доступ"), "{:?}", anna.got());
    let button = &anna.person.last().unwrap().buttons[0][0];
    assert_eq!(
        button.url.as_deref(),
        Some("https://docs.google.com/spreadsheets/d/1AbC")
    );
    let sql = "UPDATE core.sheet_states SET error_kind = NULL, last_error = NULL, failing_since = NULL";
    world.admin.execute(sql, &[]).await.unwrap();
    policy.round().await.unwrap();
    assert_eq!(
        happened().await,
        ["sheet_linked", "sheet_blocked", "sheet_unblocked"]
    );
}
