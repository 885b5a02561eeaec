//! Batches whose answer never came, processes that died in between, and sheets that people broke: the next
//! round finds out what is there, and no row or column is ever doubled.

use chrono::TimeDelta;
use serde_json::json;
use simulators::{Effect, Fault};

use crate::world::{World, lines};

/// The longest that Google may work on a request, after which the next try comes.
const SETTLED: TimeDelta = TimeDelta::seconds(300);

/// A batch that is applied and whose answer is lost in `effect`'s way.
async fn the_answer_is_lost(world: &World, effect: Effect) {
    let (seller, spreadsheet) = world.written_example().await;
    world
        .google
        .script(Fault::on("/v4/", effect).containing(":batchUpdate").times(1));
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.stock(seller, 333_333, &[("Алексин", 4)], None).await;
    let round = world.round().await;
    assert_eq!((round.failed, round.written), (1, 0));
    // The batch is in the sheet, but nobody knows.
    assert_eq!(lines(&world.grid(&spreadsheet)).len(), 5);
    // Google may still be working on it, so it is not read before that has ended.
    assert!(world.next_try_in(seller).await >= TimeDelta::seconds(185));
    assert_eq!(world.round().await, sheets::Round::default());
    world.clock.advance(SETTLED);
    let round = world.round().await;
    assert_eq!((round.failed, round.unchanged + round.written), (0, 1));
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid.len(), 5);
    assert_eq!(grid[0].matches("Алексин").count(), 1, "{}", grid[0]);
    assert!(
        grid[4].starts_with("BrandA|Новинки|NEW-1|333333|0|0|0|4||"),
        "{}",
        grid[4]
    );
    assert_eq!(world.error(seller).await, None);
    // And what was read back is as good as what was written.
    world.stock(seller, 333_333, &[("Алексин", 5)], None).await;
    world.google.clear_calls();
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.calls(), (1, 1));
    assert!(lines(&world.grid(&spreadsheet))[4].ends_with("|5|0|"));
}

#[tokio::test]
async fn a_batch_that_was_done_but_answered_with_an_error_is_not_done_again() {
    the_answer_is_lost(&World::new().await, Effect::DoneButFailed).await;
}

#[tokio::test]
async fn a_batch_whose_answer_was_cut_is_not_done_again() {
    the_answer_is_lost(&World::new().await, Effect::CutBody).await;
}

#[tokio::test]
async fn a_first_write_whose_answer_was_lost_makes_one_worksheet() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    world.google.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .times(1),
    );
    assert_eq!(world.round().await.failed, 1);
    world.clock.advance(SETTLED);
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_process_that_died_between_batch_and_record_is_followed_by_one_that_reads_first() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.project().await;
    world.mark().await;
    world.clock.advance(TimeDelta::seconds(3));
    // The batch is applied and its answer held back; then the process is gone without a trace of its own.
    world.google.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .after(0)
            .times(1),
    );
    let client = support::connect(secrecy::ExposeSecret::expose_secret(&world.url)).await;
    // What the process would have recorded after the answer is refused, as if it had been killed before.
    client
        .batch_execute(
            "REVOKE UPDATE ON core.sheet_states FROM st_sheets;
            GRANT UPDATE (lease_holder, lease_until, write_started_at, veiled) ON core.sheet_states TO st_sheets",
        )
        .await
        .unwrap();
    assert_eq!(world.sheets.write_due_once().await.unwrap().failed, 1);
    client
        .batch_execute("GRANT UPDATE ON core.sheet_states TO st_sheets")
        .await
        .unwrap();
    let state = world.state(seller).await;
    assert!(
        state
            .get::<_, Option<chrono::DateTime<chrono::Utc>>>("write_started_at")
            .is_some()
    );
    assert!(
        state
            .get::<_, Option<chrono::DateTime<chrono::Utc>>>("lease_until")
            .is_some()
    );
    // Nobody takes the sheet before the lease has ended, which is after Google has ended.
    assert_eq!(world.round().await, sheets::Round::default());
    world.clock.advance(SETTLED);
    assert_eq!(world.round().await.failed, 0);
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid.len(), 5);
    assert_eq!(grid, lines(&world.expected(seller).await));
}

#[tokio::test]
async fn a_forgotten_grid_is_read_from_the_sheet_and_costs_no_rewrite() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let client = support::connect(secrecy::ExposeSecret::expose_secret(&world.url)).await;
    client
        .batch_execute("UPDATE core.sheet_states SET written = 'broken'")
        .await
        .unwrap();
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(world.calls(), (4, 1));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_sync_on_demand_repairs_what_people_overwrote() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet_id: i32 = world.state(seller).await.get("sheet_id");
    let theirs = json!([{"updateCells": {"start": {"sheetId": sheet_id, "rowIndex": 2, "columnIndex": 6},
        "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": {"stringValue": "сто"}},
            {"userEnteredValue": {"boolValue": true}}, {}]}]}}]);
    world
        .google
        .edit(&spreadsheet, &theirs)
        .expect("the seller's edit");
    let answer = world
        .sheets
        .sync(sheets::wire::Sync {
            tenant_id: seller.tenant,
        })
        .await
        .unwrap();
    assert!(answer.position >= answer.written_position);
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    assert!(world.state(seller).await.get::<_, i64>("written_position") >= answer.position);
    // Once.
    assert_eq!(world.round().await, sheets::Round::default());
}

#[tokio::test]
async fn a_deleted_worksheet_is_made_again() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet_id: i32 = world.state(seller).await.get("sheet_id");
    let theirs =
        json!([{"addSheet": {"properties": {"title": "Другой"}}}, {"deleteSheet": {"sheetId": sheet_id}}]);
    world
        .google
        .edit(&spreadsheet, &theirs)
        .expect("the seller's edit");
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_sheet_that_is_linked_again_is_taken_up_as_it_is() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.unlink(seller).await;
    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    assert_eq!(world.round().await, sheets::Round::default());
    assert_eq!(world.calls(), (0, 0));
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.failed, 0);
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid, lines(&world.expected(seller).await));
    assert_eq!(grid.len(), 4);
}
