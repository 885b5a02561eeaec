//! A seller with several cabinets, at both marketplaces: what shares columns and what does not, what is
//! shown, and whose row is whose.

use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{CabinetId, ProductId, SyncId};
use events::product::{Details, ProductListed};
use events::sheet::SheetLayoutChanged;
use events::{Event, StreamType};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Seller, World, lines};

/// An article number that two cabinets have.
const SHARED: i64 = 700_700;

/// Two cabinets at Wildberries and one at Ozon, of one seller.
struct Cabinets {
    first: Seller,
    second: Seller,
    ozon: Seller,
}

impl World {
    async fn list_at(&self, seller: Seller, marketplace: Marketplace, nm_id: i64, vendor_code: &str) {
        let listed = ProductListed {
            cabinet_id: seller.cabinet,
            marketplace,
            nm_id,
            details: Details {
                vendor_code: vendor_code.to_owned(),
                brand: "BrandA".to_owned(),
                subject: "Платья".to_owned(),
                ..Details::default()
            },
            sync_id: SyncId(Uuid::from_u128(77)),
        };
        let id = ProductId::of(seller.cabinet, nm_id).uuid();
        let event = Event::Product(ProductEvent::ProductListed(listed));
        self.append(seller.tenant, StreamType::Product, id, vec![event])
            .await;
    }

    /// All have stock in a warehouse of the same name and key, each a number of its own.
    async fn cabinets(&self) -> Cabinets {
        let first = self.seller();
        let another = || Seller {
            cabinet: CabinetId(self.ids.next()),
            ..first
        };
        let (second, ozon) = (another(), another());
        self.list_at(first, Marketplace::Wildberries, SHARED, "FIRST")
            .await;
        self.stock(first, SHARED, &[("Казань", 10)], Some((1, 0))).await;
        self.orders(first, SHARED, &[("Казань", 7)]).await;
        self.list_at(second, Marketplace::Wildberries, 800_800, "SECOND")
            .await;
        self.stock(second, 800_800, &[("Казань", 20), ("Тула", 2)], None)
            .await;
        self.list_at(ozon, Marketplace::Ozon, SHARED, "OZON").await;
        self.stock(ozon, SHARED, &[("Казань", 40), ("Хоругвино", 4)], None)
            .await;
        Cabinets { first, second, ozon }
    }

    /// And a sheet that is written.
    async fn written_cabinets(&self) -> (Cabinets, String) {
        let cabinets = self.cabinets().await;
        let spreadsheet = self.spreadsheet("Остатки");
        self.link(cabinets.first, &spreadsheet, None).await;
        assert_eq!(self.round().await.written, 1);
        self.google.clear_calls();
        (cabinets, spreadsheet)
    }

    /// Rows below the header, from the seller's article on.
    fn rows(&self, spreadsheet: &str) -> Vec<String> {
        let grid = self.grid(spreadsheet);
        let rows: Vec<Vec<Value>> = grid.into_iter().skip(2).map(|row| row[2..].to_vec()).collect();
        lines(&rows)
    }

    /// Places of the rows whose text is struck through, counted below the header.
    fn struck_rows(&self, spreadsheet: &str) -> Vec<usize> {
        let hands = crate::hands::Hands::on(spreadsheet.to_owned());
        let struck = crate::hands::struck(self, &hands);
        struck.into_iter().map(|row| row - 2).collect()
    }
}

#[tokio::test]
async fn cabinets_of_a_marketplace_share_a_warehouses_columns_and_the_other_marketplace_has_its_own() {
    let world = World::new().await;
    let (_, spreadsheet) = world.written_cabinets().await;
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[0].ends_with("|Казань|||Казань (Ozon)|||Тула|||Хоругвино||"),
        "{}",
        grid[0]
    );
    let mut rows = world.rows(&spreadsheet);
    rows.sort();
    assert_eq!(
        rows,
        [
            "FIRST|700700|1|0|7|10|10|10|7|10|0|0||0|0||0|0|",
            "OZON|700700|0|0|0|44||0|0||40|0||0|0||4|0|",
            "SECOND|800800|0|0|0|22||20|0||0|0||2|0||0|0|",
        ]
    );
}

#[tokio::test]
async fn a_choice_of_marketplace_or_cabinet_shows_its_products_and_their_warehouses_only() {
    let world = World::new().await;
    let cabinets = world.cabinets().await;
    let choices = [
        (
            SheetLayoutChanged {
                marketplaces: vec![Marketplace::Ozon],
                ..SheetLayoutChanged::default()
            },
            "|Казань (Ozon)|||Хоругвино||",
            vec!["OZON|700700|0|0|0|44||40|0||4|0|"],
        ),
        (
            SheetLayoutChanged {
                cabinets: vec![cabinets.second.cabinet],
                ..SheetLayoutChanged::default()
            },
            "|Казань|||Тула||",
            vec!["SECOND|800800|0|0|0|22||20|0||2|0|"],
        ),
        (
            SheetLayoutChanged {
                cabinets: vec![cabinets.first.cabinet, cabinets.ozon.cabinet],
                marketplaces: vec![Marketplace::Wildberries],
                ..SheetLayoutChanged::default()
            },
            "|Казань||",
            vec!["FIRST|700700|1|0|7|10|10|10|7|10"],
        ),
    ];
    for (choice, groups, rows) in choices {
        world.choose(cabinets.first, choice).await;
        let spreadsheet = world.spreadsheet("Остатки");
        world.link(cabinets.first, &spreadsheet, None).await;
        assert_eq!(world.round().await.written, 1);
        let titles = lines(&world.grid(&spreadsheet)).remove(0);
        assert!(
            titles.ends_with(&format!("|Общие метрики||||{groups}")),
            "{titles}"
        );
        assert_eq!(world.rows(&spreadsheet), rows);
    }
}

#[tokio::test]
async fn what_is_not_chosen_any_more_keeps_struck_rows_that_come_back_with_the_choice() {
    let world = World::new().await;
    let (cabinets, spreadsheet) = world.written_cabinets().await;
    let before = world.rows(&spreadsheet);
    let place = |code: &str| before.iter().position(|row| row.starts_with(code)).unwrap();
    let ozon = SheetLayoutChanged {
        marketplaces: vec![Marketplace::Ozon],
        ..SheetLayoutChanged::default()
    };
    world.choose(cabinets.first, ozon).await;
    assert_eq!(world.round().await.written, 1);
    let rows = world.rows(&spreadsheet);
    assert_eq!(rows[place("OZON")], before[place("OZON")]);
    assert_eq!(rows[place("FIRST")], "FIRST|700700|0|0|0|0||0|0||0|0||0|0||0|0|");
    let mut others = vec![place("FIRST"), place("SECOND")];
    others.sort_unstable();
    assert_eq!(world.struck_rows(&spreadsheet), others);

    world.choose(cabinets.first, SheetLayoutChanged::default()).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.rows(&spreadsheet), before);
    assert_eq!(world.struck_rows(&spreadsheet), Vec::<usize>::new());
}

#[tokio::test]
async fn rows_of_one_article_number_in_two_cabinets_stay_apart_when_they_are_sorted_and_one_is_deleted() {
    let world = World::new().await;
    let (cabinets, spreadsheet) = world.written_cabinets().await;
    let sheet: i32 = world.state(cabinets.first).await.get("sheet_id");
    let row = |start: usize| json!({"sheetId": sheet, "dimension": "ROWS", "startIndex": start, "endIndex": start + 1});
    let row_of = |code: &str| {
        let rows = world.rows(&spreadsheet);
        2 + rows.iter().position(|row| row.starts_with(code)).unwrap()
    };
    let width = world.grid(&spreadsheet)[0].len();
    let plan = |at: usize, text: &str| {
        json!({"updateCells": {"start": {"sheetId": sheet, "rowIndex": at, "columnIndex": width},
            "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": {"stringValue": text}}]}]}})
    };
    // What the seller plans for each stands beside it; then the last one goes to the top, as a sort would do.
    world.edit(
        &spreadsheet,
        &json!([
            {"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": 1}},
            plan(row_of("FIRST"), "план WB"),
            plan(row_of("OZON"), "план Ozon"),
        ]),
    );
    let above = row_of("FIRST").min(row_of("OZON"));
    let below = row_of("FIRST").max(row_of("OZON"));
    world.edit(
        &spreadsheet,
        &json!([{"moveDimension": {"source": row(below), "destinationIndex": above}}]),
    );
    world.stock(cabinets.first, SHARED, &[("Казань", 11)], None).await;
    world.stock(cabinets.ozon, SHARED, &[("Казань", 41)], None).await;
    assert_eq!(world.round().await.written, 1);
    let rows = world.rows(&spreadsheet);
    assert_eq!(
        rows[row_of("FIRST") - 2],
        "FIRST|700700|1|0|7|11|11|11|7|11|0|0||0|0||0|0||план WB"
    );
    assert_eq!(
        rows[row_of("OZON") - 2],
        "OZON|700700|0|0|0|45||0|0||41|0||0|0||4|0||план Ozon"
    );
    assert_eq!(rows.len(), 3);

    let deleted = row(row_of("FIRST"));
    world.edit(&spreadsheet, &json!([{"deleteDimension": {"range": deleted}}]));
    world.stock(cabinets.ozon, SHARED, &[("Казань", 42)], None).await;
    assert_eq!(world.round().await.written, 1);
    let rows = world.rows(&spreadsheet);
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[row_of("OZON") - 2],
        "OZON|700700|0|0|0|46||0|0||42|0||0|0||4|0||план Ozon"
    );
    assert_eq!(
        rows.last().unwrap(),
        "FIRST|700700|1|0|7|11|11|11|7|11|0|0||0|0||0|0||"
    );
}
