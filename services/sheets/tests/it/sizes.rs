//! A seller who wants to see sizes sees each in a row of its own, with the numbers that were told of it.

use events::cabinet::Marketplace;
use events::catalog::ProductEvent;
use events::ids::{ProductId, SyncId};
use events::product::{
    Details, Fulfilment, InWay, ProductListed, ProductSize, SizeUnits, StockLevel, StockObserved,
};
use events::sheet::{ExtraColumn, SheetLayoutChanged, Sizes};
use events::{Event, StreamType};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Seller, World, key, lines};

const DRESS: i64 = 333_333;
const SYNC: SyncId = SyncId(Uuid::from_u128(77));

impl World {
    async fn told_of(&self, seller: Seller, nm_id: i64, event: impl Into<ProductEvent>) {
        let id = ProductId::of(seller.cabinet, nm_id).uuid();
        let event = Event::Product(event.into());
        self.append(seller.tenant, StreamType::Product, id, vec![event])
            .await;
    }

    /// A product with sizes: id and name.
    pub(crate) async fn list_sized(&self, seller: Seller, nm_id: i64, code: &str, sizes: &[(i64, &str)]) {
        let size = |(size_id, name): &(i64, &str)| ProductSize {
            size_id: *size_id,
            name: (*name).to_owned(),
            barcodes: vec![],
        };
        let details = Details {
            vendor_code: code.to_owned(),
            brand: "BrandA".to_owned(),
            subject: "Платья".to_owned(),
            sizes: sizes.iter().map(size).collect(),
            ..Details::default()
        };
        let listed = ProductListed {
            cabinet_id: seller.cabinet,
            marketplace: Marketplace::Wildberries,
            nm_id,
            details,
            sync_id: SYNC,
        };
        self.told_of(seller, nm_id, listed).await;
    }

    /// Units of a warehouse by size: id, name and units.
    pub(crate) async fn stock_sized(
        &self,
        seller: Seller,
        nm_id: i64,
        warehouse: &str,
        available: i64,
        sizes: &[(i64, &str, i64)],
    ) {
        let level = StockLevel {
            warehouse: key(warehouse),
            name: warehouse.to_owned(),
            fulfilment: Fulfilment::Fbo,
            available,
            in_way_to_client: 0,
            in_way_from_client: 0,
            buckets: [].into(),
            cluster: None,
            sizes: sizes
                .iter()
                .map(|(size_id, name, available)| SizeUnits {
                    size_id: *size_id,
                    name: (*name).to_owned(),
                    available: *available,
                })
                .collect(),
        };
        let observed = StockObserved {
            sync_id: SYNC,
            source: "stock_fbo".to_owned(),
            as_of: self.clock.now(),
            levels: vec![level],
            regrouped: vec![],
            unassigned_in_way: Some(InWay {
                to_client: 3,
                from_client: 1,
            }),
            turnover: None,
        };
        self.told_of(seller, nm_id, observed).await;
    }

    async fn dress_stock(&self, seller: Seller, warehouse: &str, available: i64, sizes: &[(i64, &str, i64)]) {
        self.stock_sized(seller, DRESS, warehouse, available, sizes).await;
    }
}

fn sizes(sizes: Sizes) -> SheetLayoutChanged {
    SheetLayoutChanged {
        language: "en".to_owned(),
        sizes,
        ..SheetLayoutChanged::default()
    }
}

#[tokio::test]
async fn each_size_has_a_row_whose_numbers_add_up_to_the_products() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    world
        .list_sized(seller, DRESS, "DRESS", &[(1, "S"), (2, "M"), (3, "")])
        .await;
    world
        .dress_stock(seller, "Коледино", 10, &[(1, "S", 4), (2, "M", 5)])
        .await;
    // This source knows sizes by name only; and one that the catalogue does not have.
    world
        .dress_stock(seller, "Подольск", 7, &[(0, "M", 6), (0, "XXL", 1)])
        .await;
    world
        .orders_by_size(
            seller,
            DRESS,
            &[("Коледино", Some(2), 3), ("Коледино", None, 1), ("", Some(1), 2)],
        )
        .await;
    world.choose(seller, sizes(Sizes::Rows)).await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    // What no size was told of, and then the sizes as the catalogue has them, the one that is sold out too.
    let shown = |spreadsheet: &str| {
        let grid = lines(&world.grid(spreadsheet));
        let dress = |row: &String| row.strip_prefix("BrandA|Платья|DRESS|333333|").map(str::to_owned);
        grid.iter().filter_map(dress).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&spreadsheet),
        [
            "|3|1|1|2|14|0|0||0|0||1|1|7|1|0||0|0|",
            "S|0|0|2|4|14|0|2||0|0||4|0||0|0||0|0|",
            "M|0|0|3|11|25.7|0|0||0|0||5|3|11.7|6|0||0|0|",
            "3|0|0|0|0||0|0||0|0||0|0||0|0||0|0|",
        ]
    );
    // A product without sizes stays one row.
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid.iter().filter(|row| row.contains("|111111|")).count(), 1);

    world.google.clear_calls();
    world.dress_stock(seller, "Подольск", 1, &[(0, "XXL", 1)]).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.calls(), (1, 1));
    assert_eq!(
        shown(&spreadsheet)[2],
        "M|0|0|3|5|11.7|0|0||0|0||5|3|11.7|0|0||0|0|"
    );

    // Summed again, the product's own row tells everything; the rows of sizes may have notes beside them and
    // stay, struck, as those of a product that left the catalogue do.
    world.google.clear_calls();
    world.choose(seller, sizes(Sizes::Summed)).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.calls(), (1, 1));
    let nothing = |size: &str| format!("{size}|0|0|0|0||0|0||0|0||0|0||0|0||0|0|");
    assert_eq!(
        shown(&spreadsheet),
        [
            "|3|1|6|11|12.8|0|2||0|0||10|4|17.5|1|0||0|0|".to_owned(),
            nothing("S"),
            nothing("M"),
            nothing("3"),
        ]
    );
}

#[tokio::test]
async fn a_column_that_is_put_behind_a_group_takes_the_groups_line_over() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let right_of = |row: usize, column: usize| {
        let read = world.worksheet(
            &spreadsheet,
            sheet,
            "data(rowData(values(userEnteredFormat(borders))))",
        );
        let cell = &read["data"][0]["rowData"][row]["values"][column];
        let style = &cell["userEnteredFormat"]["borders"]["right"]["style"];
        style.as_str().unwrap_or_default().to_owned()
    };
    let (article, turnover) = (3, 8);
    assert_eq!(right_of(2, article), "SOLID_THICK");
    let chosen = SheetLayoutChanged {
        extra_columns: vec![ExtraColumn::Orders14, ExtraColumn::Orders28],
        ..sizes(Sizes::Rows)
    };
    world.choose(seller, chosen).await;
    assert_eq!(world.round().await.written, 1);
    for row in 1..4 {
        let lines = [article, article + 1, turnover + 1, turnover + 2, turnover + 3];
        assert_eq!(
            lines.map(|column| right_of(row, column)),
            ["SOLID", "SOLID_THICK", "SOLID", "SOLID", "SOLID_THICK"],
            "row {row}"
        );
    }
}

#[tokio::test]
async fn a_size_that_somebody_wrote_over_is_put_right_in_its_row() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    world
        .list_sized(seller, DRESS, "DRESS", &[(1, "S"), (2, "M")])
        .await;
    world.choose(seller, sizes(Sizes::Rows)).await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let column =
        |grid: &[Vec<serde_json::Value>], title: &str| grid[1].iter().position(|cell| cell == title).unwrap();
    let seen = || {
        let grid = world.grid(&spreadsheet);
        let (article, size) = (column(&grid, "Product article (nmid)"), column(&grid, "Size"));
        let rows = grid
            .into_iter()
            .filter(|row| row[article].as_f64() == Some(DRESS as f64));
        rows.map(|row| row[size].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(), ["", "S", "M"]);
    let write_over = |size: &str, text: &str| {
        let grid = world.grid(&spreadsheet);
        let (article, at) = (column(&grid, "Product article (nmid)"), column(&grid, "Size"));
        let is_it =
            |row: &Vec<serde_json::Value>| row[article].as_f64() == Some(DRESS as f64) && row[at] == size;
        let row = grid.iter().position(is_it).unwrap();
        world.edit(
            &spreadsheet,
            &json!([{"updateCells": {"start": {"sheetId": sheet, "rowIndex": row, "columnIndex": at},
                "fields": "userEnteredValue",
                "rows": [{"values": [{"userEnteredValue": {"stringValue": text}}]}]}}]),
        );
    };
    // One that no size has, and then one over a whole product's row.
    for (size, text) in [("S", "small"), ("", "all")] {
        write_over(size, text);
        world
            .dress_stock(seller, "Коледино", text.len() as i64, &[(1, "S", 1), (2, "M", 1)])
            .await;
        assert_eq!(world.round().await.written, 1);
        assert_eq!(seen(), ["", "S", "M"]);
    }
    // And where sizes are summed again, over the row that tells everything.
    world.choose(seller, sizes(Sizes::Summed)).await;
    assert_eq!(world.round().await.written, 1);
    write_over("", "all");
    world.dress_stock(seller, "Коледино", 9, &[(1, "S", 1)]).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(seen(), ["", "S", "M"]);
}

#[tokio::test]
async fn rows_of_sizes_are_known_in_a_sheet_of_which_nothing_is_remembered() {
    let world = World::new().await;
    let seller = world.seller();
    world
        .list_sized(seller, DRESS, "DRESS", &[(1, "S"), (2, "M")])
        .await;
    world.dress_stock(seller, "Коледино", 3, &[(1, "S", 3)]).await;
    world.choose(seller, sizes(Sizes::Rows)).await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    world.unlink(seller).await;
    world.choose(seller, sizes(Sizes::Summed)).await;
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[2].starts_with("BrandA|Платья|DRESS|333333||3|1|0|3|"),
        "{grid:#?}"
    );
    for (row, size) in [(3, "S"), (4, "M")] {
        assert_eq!(
            grid[row],
            format!("BrandA|Платья|DRESS|333333|{size}|0|0|0|0||0|0|")
        );
    }
    assert_eq!(grid.len(), 5);
}
