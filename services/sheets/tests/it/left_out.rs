//! A warehouse that the seller leaves out of what can be sold: the totals are without it, its columns stay,
//! and the sheet says so until it counts again.

use events::cabinet::{WarehouseExcluded, WarehouseIncluded};
use events::catalog::CabinetEvent;
use events::{Event, StreamType};
use serde_json::Value;

use crate::world::{Seller, World, key, lines};

impl World {
    async fn cabinet_event(&self, seller: Seller, event: impl Into<CabinetEvent>) {
        let events = vec![Event::Cabinet(event.into())];
        self.append(seller.tenant, StreamType::Cabinet, seller.cabinet.uuid(), events)
            .await;
    }

    /// Notes in the sheet that speak of what is left out: the note on the title, and the line in the other.
    fn said_of_left_out(&self, spreadsheet: &str) -> Vec<String> {
        let notes = self.google.notes(spreadsheet, "Products");
        let lines = notes.iter().flat_map(|note| note.lines());
        let said = lines.filter(|line| line.starts_with("Не учитывается"));
        said.map(str::to_owned).collect()
    }
}

/// The rows of the worked example from the seller's article on, without what is behind Коледино.
fn rows(grid: &[Vec<Value>]) -> Vec<String> {
    let rows: Vec<Vec<Value>> = grid.iter().skip(2).map(|row| row[2..].to_vec()).collect();
    let mut rows = lines(&rows);
    rows.sort();
    rows
}

#[tokio::test]
async fn the_totals_are_without_it_until_it_counts_again_and_its_columns_stay() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let before = world.grid(&spreadsheet);
    assert!(
        rows(&before)[0].starts_with("COL-001|111111|5|2|50|100|14|"),
        "{:?}",
        rows(&before)
    );
    let warehouse = key("Коледино");
    let reason = "остатки зависли".to_owned();
    let told = WarehouseExcluded {
        warehouse: warehouse.clone(),
        reason,
    };
    world.cabinet_event(seller, told).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.round().await.batches, 0, "nothing is left to do");
    let now = world.grid(&spreadsheet);
    assert!(
        rows(&now)[0].starts_with("COL-001|111111|5|2|50|60|8.4|"),
        "{:?}",
        rows(&now)
    );
    assert!(
        rows(&now)[1].starts_with("VIT-D3|222222|10|3|80|0||"),
        "{:?}",
        rows(&now)
    );
    assert_eq!(now[..2], before[..2], "titles are what they were");
    let own = |grid: &[Vec<Value>]| grid.iter().map(|row| row[9..].to_vec()).collect::<Vec<_>>();
    assert_eq!(own(&now), own(&before), "and so are the warehouses' own columns");
    let said = world.said_of_left_out(&spreadsheet);
    let [title, line] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(
        title.starts_with("Не учитывается в «Остатки (всего)»: остатки зависли, с "),
        "{title}"
    );
    assert!(
        line.starts_with("Не учитывается в «Остатки (всего)»: Коледино, 190 ед.: остатки зависли, с "),
        "{line}"
    );
    world.cabinet_event(seller, WarehouseIncluded { warehouse }).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.grid(&spreadsheet), before);
    assert!(world.said_of_left_out(&spreadsheet).is_empty());
}

#[tokio::test]
async fn a_note_of_the_sellers_own_on_the_title_stays() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet_id: i32 = world.state(seller).await.get("sheet_id");
    let title = world.grid(&spreadsheet)[0]
        .iter()
        .position(|cell| cell == "Коледино")
        .unwrap();
    world.edit(
        &spreadsheet,
        &serde_json::json!([{"updateCells": {
            "start": {"sheetId": sheet_id, "rowIndex": 0, "columnIndex": title},
            "rows": [{"values": [{"note": "сверить"}]}], "fields": "note"
        }}]),
    );
    let told = WarehouseExcluded {
        warehouse: key("Коледино"),
        reason: "остатки зависли".to_owned(),
    };
    world.cabinet_event(seller, told).await;
    assert_eq!(world.round().await.written, 1);
    let notes = world.google.notes(&spreadsheet, "Products");
    assert!(notes.iter().any(|note| note == "сверить"), "{notes:?}");
    assert_eq!(
        world.said_of_left_out(&spreadsheet).len(),
        1,
        "the line says it all the same"
    );
}
