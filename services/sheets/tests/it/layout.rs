//! What sellers see: the worked layout, then only what changed, and nothing of theirs is touched.

use chrono::TimeDelta;
use events::cabinet::{
    CabinetConnected, CabinetDisconnected, CabinetReconnected, CredentialFacts, Marketplace, TokenKind,
};
use events::catalog::CabinetEvent;
use events::ids::CredentialId;
use events::{Event, StreamType};
use serde_json::json;

use crate::world::{Seller, World, lines};

#[tokio::test]
async fn the_first_write_shows_the_worked_example() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let grid = world.grid(&spreadsheet);
    assert_eq!(
        lines(&grid),
        [
            "Основная информация||||Общие метрики|||||Казань|||Коледино|||Подольск|||Электросталь||",
            "Бренд|Предмет|Артикул продавца|Артикул товара (nmid)|В пути до покупателя|В пути конв. на склад WB|\
             Заказы (всего)|Остатки (всего)|Оборачиваемость (дни)|Остатки|Заказы|Оборач.|Остатки|Заказы|Оборач.|\
             Остатки|Заказы|Оборач.|Остатки|Заказы|Оборач.",
            "BrandA|Коллаген|COL-001|111111|5|2|50|100|14|0|0||40|20|14|35|18|13.6|25|12|14.6",
            "BrandA|Витамины|VIT-D3|222222|10|3|80|150|13.1|0|2||150|78|13.5|0|0||0|0|",
        ]
    );
    assert_eq!(lines(&grid), lines(&world.expected(seller).await));
}

#[tokio::test]
async fn a_changed_product_writes_its_cells_in_one_batch() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world
        .stock(seller, 111_111, &[("Подольск", 34), ("Коледино", 41)], None)
        .await;
    let round = world.round().await;
    assert_eq!((round.written, round.batches), (1, 1));
    assert_eq!(world.calls(), (1, 1));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    assert!(lines(&world.grid(&spreadsheet))[2].contains("|41|20|14.4|34|18|13.2|"));
}

#[tokio::test]
async fn a_change_that_shows_nowhere_writes_nothing() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    // The same numbers as before: the read model moves on, the sheet does not.
    world.stock(seller, 111_111, &[("Подольск", 35)], None).await;
    let round = world.round().await;
    assert_eq!((round.unchanged, round.batches), (1, 0));
    assert_eq!(world.calls(), (0, 0));
    // It is not looked at again before something happens.
    assert_eq!(world.round().await, sheets::Round::default());
}

#[tokio::test]
async fn a_sync_without_changes_writes_only_the_note_and_only_once() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = world.grid(&spreadsheet);
    world.completed_sync(seller).await;
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.round().await.batches, 0);
    assert_eq!(world.calls().1, 1);
    assert_eq!(world.grid(&spreadsheet), before);
}

#[tokio::test]
async fn a_burst_is_waited_out_but_not_for_ever() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    let mut batches = 0;
    for second in 0..11 {
        world
            .stock(seller, 111_111, &[("Подольск", 50 + second)], None)
            .await;
        world.project().await;
        world.mark().await;
        let round = world.sheets.write_due_once().await.unwrap();
        assert!(second == 10 || round.batches == 0, "written in second {second}");
        batches += round.batches;
        world.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(batches, 1);
}

#[tokio::test]
async fn nothing_is_written_before_the_read_model_has_the_change() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.stock(seller, 111_111, &[("Подольск", 99)], None).await;
    world.mark().await;
    world.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        world.sheets.write_due_once().await.unwrap(),
        sheets::Round::default()
    );
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn a_new_warehouse_goes_to_the_right_and_nothing_else_moves() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    assert_eq!(world.round().await.batches, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[0].ends_with("|Электросталь|||Алексин||"), "{}", grid[0]);
    assert!(grid[1].ends_with("|Остатки|Заказы|Оборач."));
    assert!(grid[2].starts_with("BrandA|Коллаген|COL-001|111111|") && grid[2].ends_with("|25|12|14.6|0|0|"));
    assert!(grid[3].ends_with("|0|0||9|0|"), "{}", grid[3]);
}

#[tokio::test]
async fn orders_that_name_no_warehouse_get_a_block_of_their_own() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.orders(seller, 222_222, &[("", 4)]).await;
    assert_eq!(world.round().await.batches, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[0].ends_with("|Без склада||"), "{}", grid[0]);
    assert!(
        grid[3].contains("|84|150|12.5|") && grid[3].ends_with("|0|4|"),
        "{}",
        grid[3]
    );
}

#[tokio::test]
async fn a_new_product_gets_a_row_below_and_a_delisted_one_keeps_its_row() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.delist(seller, 111_111).await;
    assert_eq!(world.round().await.batches, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid.len(), 5);
    assert!(
        grid[2].starts_with("BrandA|Коллаген|COL-001|111111|0|0|0|0||"),
        "{}",
        grid[2]
    );
    assert!(
        grid[4].starts_with("BrandA|Новинки|NEW-1|333333|0|0|0|0||"),
        "{}",
        grid[4]
    );
}

#[tokio::test]
async fn a_sellers_column_formula_and_order_of_rows_survive() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet_id: i32 = world.state(seller).await.get("sheet_id");
    // A column of theirs before the totals, with a formula over our cells, and the rows the other way round.
    let range = |dimension: &str, start: i32, end: i32| {
        json!({
            "sheetId": sheet_id, "dimension": dimension, "startIndex": start, "endIndex": end,
        })
    };
    let theirs = json!([
        {"insertDimension": {"range": range("COLUMNS", 4, 5), "inheritFromBefore": false}},
        {"updateCells": {"start": {"sheetId": sheet_id, "rowIndex": 1, "columnIndex": 4}, "fields": "userEnteredValue",
            "rows": [{"values": [{"userEnteredValue": {"stringValue": "Мой план"}}]},
                     {"values": [{"userEnteredValue": {"formulaValue": "=I3*2"}}]}]}},
        {"insertDimension": {"range": range("ROWS", 2, 3), "inheritFromBefore": false}},
        {"updateCells": {"start": {"sheetId": sheet_id, "rowIndex": 2, "columnIndex": 0}, "fields": "userEnteredValue",
            "rows": [{"values": [{"userEnteredValue": {"stringValue": "моя строка"}}]}]}},
    ]);
    world
        .google
        .edit(&spreadsheet, &theirs)
        .expect("the seller's edit");
    world.stock(seller, 111_111, &[("Подольск", 45)], None).await;
    world.stock(seller, 222_222, &[("Алексин", 1)], None).await;
    assert_eq!(world.round().await.batches, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[2].starts_with("моя строка|"), "{}", grid[2]);
    assert!(grid[1].contains("|Мой план|"), "{}", grid[1]);
    // 110 units in all, twice that in the seller's cell.
    assert!(
        grid[3].starts_with("BrandA|Коллаген|COL-001|111111|220|5|2|50|110|"),
        "{}",
        grid[3]
    );
    assert!(grid[0].ends_with("|Алексин||"), "{}", grid[0]);
}

#[tokio::test]
async fn at_midnight_in_moscow_old_orders_leave_the_sheet_without_an_event() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.clock.advance(TimeDelta::days(7));
    assert_eq!(world.round().await.batches, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[2].starts_with("BrandA|Коллаген|COL-001|111111|5|2|0|100||"),
        "{}",
        grid[2]
    );
    assert_eq!(world.round().await, sheets::Round::default());
    assert_eq!(world.error(seller).await, None);
}

#[tokio::test]
async fn a_large_first_write_comes_in_batches_that_each_end_with_whole_rows() {
    // Room for two products with one warehouse and the block of orders without one.
    let world = World::with(simulators::google::Quotas::off(), |options| {
        options.cells_per_batch = 30;
    })
    .await;
    let seller = world.seller();
    for nm_id in 1..=7 {
        world.list(seller, nm_id, &format!("V-{nm_id}"), "Предмет").await;
        world.stock(seller, nm_id, &[("Коледино", nm_id)], None).await;
    }
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    let round = world.round().await;
    assert_eq!((round.written, round.batches), (1, 4));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    // A change of everything is larger than a batch of rows that are there already.
    for nm_id in 1..=7 {
        world
            .rename(seller, nm_id, &format!("W-{nm_id}"), "Другой предмет")
            .await;
        world
            .stock(seller, nm_id, &[("Коледино", nm_id + 10)], Some((nm_id, nm_id)))
            .await;
        world.orders(seller, nm_id, &[("Коледино", 1)]).await;
    }
    assert_eq!(world.round().await.written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

async fn cabinet_event(world: &World, seller: Seller, event: CabinetEvent) {
    let events = vec![Event::Cabinet(event)];
    world
        .append(seller.tenant, StreamType::Cabinet, seller.cabinet.uuid(), events)
        .await;
}

#[tokio::test]
async fn rows_of_a_cabinet_that_was_taken_away_are_struck_and_zero_until_it_is_back() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = lines(&world.grid(&spreadsheet));
    let credential = || CredentialFacts {
        credential_id: CredentialId(uuid::Uuid::from_u128(1)),
        fingerprint: "f".to_owned(),
        token_kind: TokenKind::Personal,
        seller_id: Some("a".to_owned()),
        expires_at: None,
        scopes: vec![],
    };
    let connected = CabinetConnected {
        marketplace: Marketplace::Wildberries,
        credential: credential(),
    };
    cabinet_event(&world, seller, connected.into()).await;
    assert_eq!(
        world.round().await,
        sheets::Round::default(),
        "connecting changes no sheet"
    );

    cabinet_event(&world, seller, CabinetDisconnected {}.into()).await;
    assert_eq!(world.round().await.written, 1, "without waiting for a sync");
    let gone = lines(&world.grid(&spreadsheet));
    assert_eq!(gone[..2], before[..2], "titles stay");
    assert!(
        gone[2].starts_with("BrandA|Коллаген|COL-001|111111|0|0|0|0||0|0||"),
        "{}",
        gone[2]
    );
    assert!(
        gone[3].starts_with("BrandA|Витамины|VIT-D3|222222|0|0|0|0||"),
        "{}",
        gone[3]
    );

    let back = CabinetReconnected {
        credential: credential(),
    };
    cabinet_event(&world, seller, back.into()).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(lines(&world.grid(&spreadsheet)), before, "in the rows they had");
}
