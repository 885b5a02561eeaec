//! What goes wrong with one sheet is told in words that help, is tried again at the right time, and stays
//! with that sheet.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use connectors::google::Accounts;
use events::ids::CredentialId;
use messaging::{Broker, BrokerOptions};
use secrecy::SecretString;
use serde_json::json;
use sheets::Notice;
use simulators::google::{Quotas, Role};
use simulators::{Effect, Fault};

use crate::world::{PRODUCTS, Seller, World, lines};

/// Who owns the spreadsheets of these tests.
const OWNER: &str = "seller@example.com";
/// Cells of all worksheets of a spreadsheet together (Sheets v4 usage limits).
const MOST_CELLS: u64 = 10_000_000;
/// The seller's worksheets that take the room.
const ARCHIVE: [i64; 2] = [901, 902];

impl World {
    /// Several tries in a row fail, each further from the next, and none comes before its time.
    async fn fails_ever_later(&self, seller: Seller, kind: &str, batches: u64) {
        let mut pauses = Vec::new();
        for _ in 0..4 {
            self.google.clear_calls();
            assert_eq!(self.round().await.failed, 1);
            assert_eq!(self.calls().1, batches, "whether it is Google who refuses");
            let state = self.state(seller).await;
            assert_eq!(
                state.get::<_, Option<String>>("error_kind").as_deref(),
                Some(kind)
            );
            pauses.push(self.next_try_in(seller).await);
            assert_eq!(self.round().await, sheets::Round::default());
            self.clock.advance(self.next_try_in(seller).await);
        }
        assert!(
            pauses.is_sorted_by(|one, next| *next > *one * 3 / 2),
            "{pauses:?}"
        );
    }

    /// Worksheets of the seller's leave so many cells of the file free.
    fn leave_room(&self, spreadsheet: &str, left: u64) {
        let read = "sheets(properties(gridProperties(rowCount,columnCount)))";
        let read = self.google.spreadsheet(spreadsheet, read).unwrap();
        let cells = |sheet: &serde_json::Value| {
            let grid = &sheet["properties"]["gridProperties"];
            grid["rowCount"].as_u64().unwrap() * grid["columnCount"].as_u64().unwrap()
        };
        let free = MOST_CELLS - left - read["sheets"].as_array().unwrap().iter().map(cells).sum::<u64>();
        let archive = |id: i64, rows: u64, columns: u64| {
            json!({"addSheet": {"properties": {"sheetId": id, "title": format!("Архив {id}"),
                "gridProperties": {"rowCount": rows, "columnCount": columns}}}})
        };
        let [large, rest] = ARCHIVE;
        let edits = json!([
            archive(large, free / 1_000 - 1, 1_000),
            archive(rest, 1, free % 1_000 + 1_000)
        ]);
        self.edit(spreadsheet, &edits);
    }

    /// And are deleted.
    fn make_room(&self, spreadsheet: &str) {
        let gone = ARCHIVE.map(|id| json!({"deleteSheet": {"sheetId": id}}));
        self.edit(spreadsheet, &json!(gone));
    }

    async fn shows_the_read_model(&self, seller: Seller, spreadsheet: &str) {
        assert_eq!(self.round().await.written, 1);
        assert_eq!(self.error(seller).await, None);
        assert_eq!(
            lines(&self.grid(spreadsheet)),
            lines(&self.expected(seller).await)
        );
    }
}

#[tokio::test]
async fn a_spreadsheet_that_is_not_shared_says_with_whom_to_share_it() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let spreadsheet = world.google.create_spreadsheet("Чужая", &[]);
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.failed, 1);
    let email = world.google.service_account_email(0);
    let text = world.error(seller).await.unwrap();
    assert!(
        text.contains(&format!("откройте к ней доступ {email} как редактору")),
        "{text}"
    );
    let question = sheets::wire::Test {
        tenant_id: seller.tenant,
        spreadsheet_id: None,
        credential_id: None,
    };
    let answer = world.sheets.test(question.clone()).await.unwrap();
    assert!(!answer.usable && answer.client_email.as_deref() == Some(&*email));
    assert_eq!(answer.findings[0].kind, "not_shared");
    // Once it is shared, the next try writes it, and the error is gone.
    world.google.share(&spreadsheet, &email, Some(Role::Writer));
    assert!(world.sheets.test(question).await.unwrap().usable);
    assert_eq!(world.round().await, sheets::Round::default());
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.error(seller).await, None);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_permission_that_was_reduced_to_reading_stops_at_the_batch_and_nothing_is_half_done() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = world.grid(&spreadsheet);
    world.google.share(
        &spreadsheet,
        &world.google.service_account_email(0),
        Some(Role::Reader),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert_eq!(world.grid(&spreadsheet), before);
    assert!(world.error(seller).await.unwrap().contains("как редактору"));
    let pauses = [world.next_try_in(seller).await, {
        world.clock.advance(TimeDelta::seconds(10));
        assert_eq!(world.round().await.failed, 1);
        world.next_try_in(seller).await
    }];
    assert!(pauses[1] > pauses[0], "{pauses:?}");
    // It is known that nothing was written, so no cell has to be read back afterwards.
    world.google.share(
        &spreadsheet,
        &world.google.service_account_email(0),
        Some(Role::Writer),
    );
    world.clock.advance(TimeDelta::minutes(1));
    world.google.clear_calls();
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.calls(), (1, 1));
}

#[tokio::test]
async fn a_used_up_quota_is_waited_out_for_a_minute_and_not_held_against_the_sheet() {
    // Our own limiter is out of the way, but waits after a refusal are as long as against Google.
    let world = World::with(Quotas::off(), |options| {
        options.google.accounts = Arc::new(Accounts::new(60_000, 1.0));
    })
    .await;
    let (seller, spreadsheet) = world.written_example().await;
    let refusal = Effect::RateLimited { retry_seconds: 0 };
    world
        .google
        .script(Fault::on("/v4/", refusal).containing(":batchUpdate").times(1));
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert_eq!(world.state(seller).await.get::<_, i32>("attempts"), 0);
    assert!(world.error(seller).await.unwrap().contains("квота"));
    let pause = world.next_try_in(seller).await;
    assert!(
        pause >= TimeDelta::seconds(60) && pause <= TimeDelta::seconds(75),
        "{pause}"
    );
    // The limiter of this process stays closed for a minute of real time; another process takes over.
    world.clock.advance(pause);
    let broker = Broker::connect(BrokerOptions::new("nats://127.0.0.1:9", "second"))
        .await
        .unwrap();
    let second = sheets::Sheets::new(world.options(broker));
    assert_eq!(second.write_due_once().await.unwrap().written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn one_broken_tenant_delays_no_other_and_none_sees_anothers_rows() {
    let world = World::with(Quotas::off(), |options| options.concurrency = 2).await;
    let (first, spreadsheet) = world.written_example().await;
    let second = world.seller();
    world.list(second, 555_555, "OTHER", "Чужое").await;
    world.stock(second, 555_555, &[("Тула", 3)], None).await;
    let other = world.spreadsheet("Вторая");
    world.link(second, &other, None).await;
    world.google.delete_spreadsheet(&spreadsheet);
    world.stock(first, 111_111, &[("Подольск", 36)], None).await;
    let round = world.round().await;
    assert_eq!((round.written, round.failed), (1, 1));
    assert!(
        world
            .error(first)
            .await
            .unwrap()
            .contains("такой таблицы больше нет")
    );
    let grid = lines(&world.grid(&other));
    assert_eq!(grid, lines(&world.expected(second).await));
    assert!(
        grid.iter()
            .all(|row| !row.contains("BrandA|Коллаген") && !row.contains("Подольск"))
    );
}

#[tokio::test]
async fn a_tenants_own_key_opens_its_sheet_and_a_missing_one_is_told() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let email = world.google.service_account_email(1);
    let spreadsheet = world.google.create_spreadsheet("Своя", &[(&email, Role::Writer)]);
    let credential = CredentialId(world.ids.next());
    world.link(seller, &spreadsheet, Some(credential)).await;
    assert_eq!(world.round().await.failed, 1);
    let text = world.error(seller).await.unwrap();
    assert!(text.contains("не читается"), "{text}");
    let key = SecretString::from(world.google.service_account_json_of(1));
    world
        .vault
        .seal(seller.tenant, credential, "google_service_account", &key)
        .await
        .unwrap();
    world.clock.advance(TimeDelta::seconds(30));
    assert_eq!(world.round().await.written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_refused_batch_makes_the_next_round_read_everything() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let refusal = Effect::Status {
        status: 400,
        body: serde_json::json!({ "error": {
            "code": 400,
            "message": "Invalid requests[0].updateCells: You are trying to edit a protected cell or object.",
            "status": "INVALID_ARGUMENT",
        } })
        .to_string(),
        content_type: None,
    };
    world
        .google
        .script(Fault::on("/v4/", refusal).containing(":batchUpdate").times(1));
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert!(world.error(seller).await.unwrap().contains("защищённые"));
    world.google.clear_calls();
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.calls(), (1, 1));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn every_batch_is_told_with_its_cells_and_every_failure_with_its_class() {
    let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let hears = Arc::clone(&told);
    let world = World::with(Quotas::off(), |options| {
        options.observer = Arc::new(move |notice| hears.lock().unwrap().push(notice));
    })
    .await;
    let (seller, spreadsheet) = world.written_example().await;
    let sent = std::mem::take(&mut *told.lock().unwrap());
    assert!(
        matches!(*sent, [Notice::Sent { cells }] if cells > 20),
        "the first writing fills the sheet: {sent:?}"
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.round().await;
    let sent = std::mem::take(&mut *told.lock().unwrap());
    assert!(
        matches!(*sent, [Notice::Sent { cells }] if (1..20).contains(&cells)),
        "only what changed: {sent:?}"
    );
    world.google.share(
        &spreadsheet,
        &world.google.service_account_email(0),
        Some(Role::Reader),
    );
    world.stock(seller, 111_111, &[("Подольск", 35)], None).await;
    world.round().await;
    let failed = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(failed, [Notice::Failed { class: "not_shared" }]);
}

#[tokio::test]
async fn a_full_storage_of_the_owners_is_told_and_tried_again_ever_later_until_there_is_room() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = world.grid(&spreadsheet);
    world.google.storage_is_full(OWNER, true);
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.fails_ever_later(seller, "storage_full", 1).await;
    let text = world.error(seller).await.unwrap();
    let email = world.google.service_account_email(0);
    assert!(
        text.contains("Освободите место владельца таблицы") && text.contains(&email),
        "{text}"
    );
    assert_eq!(world.grid(&spreadsheet), before);
    world.google.storage_is_full(OWNER, false);
    // It is known that nothing was written, so no cell has to be read back afterwards.
    world.google.clear_calls();
    world.shows_the_read_model(seller, &spreadsheet).await;
    assert_eq!(world.calls(), (1, 1));
}

#[tokio::test]
async fn a_file_that_has_no_cell_left_for_the_worksheet_is_told_and_written_once_there_is_room() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.leave_room(&spreadsheet, 0);
    world.link(seller, &spreadsheet, None).await;
    // Seen before anything is sent.
    world.fails_ever_later(seller, "too_large", 0).await;
    let text = world.error(seller).await.unwrap();
    assert!(
        text.contains("больше 10 млн ячеек: удалите лишние листы"),
        "{text}"
    );
    world.make_room(&spreadsheet);
    world.shows_the_read_model(seller, &spreadsheet).await;
}

#[tokio::test]
async fn a_worksheet_of_several_batches_is_not_begun_where_its_last_rows_would_find_no_room() {
    let world = World::with(Quotas::off(), |options| options.cells_per_batch = 30).await;
    let seller = world.seller();
    for nm_id in 1..=7 {
        world.list(seller, nm_id, &format!("V-{nm_id}"), "Предмет").await;
        world.stock(seller, nm_id, &[("Коледино", nm_id)], None).await;
    }
    let spreadsheet = world.spreadsheet("Остатки");
    // Nine rows of twelve columns are needed, and the first batch makes fewer.
    world.leave_room(&spreadsheet, 9 * 12 - 1);
    world.link(seller, &spreadsheet, None).await;
    world.fails_ever_later(seller, "too_large", 0).await;
    assert_eq!(world.google.grid(&spreadsheet, PRODUCTS), None);
    world.make_room(&spreadsheet);
    world.leave_room(&spreadsheet, 9 * 12);
    world.shows_the_read_model(seller, &spreadsheet).await;
}

#[tokio::test]
async fn a_full_file_is_written_as_long_as_nothing_is_added_and_grows_once_there_is_room() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.leave_room(&spreadsheet, 0);
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.shows_the_read_model(seller, &spreadsheet).await;
    let before = world.grid(&spreadsheet);
    world.stock(seller, 111_111, &[("Юдино", 4)], None).await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.fails_ever_later(seller, "too_large", 1).await;
    assert_eq!(world.grid(&spreadsheet), before, "nothing is half done");
    world.make_room(&spreadsheet);
    world.shows_the_read_model(seller, &spreadsheet).await;
}
