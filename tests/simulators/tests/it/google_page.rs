//! The page that shows a spreadsheet to a person stays usable however large the sheet is.

use serde_json::{Value, json};
use simulators::google::Quotas;

use crate::client::Office;

const ROWS: usize = 10_000;

/// A sheet of ten thousand rows with a frozen, merged header and a merge over rows 4998 to 5003.
async fn large() -> Office {
    let office = Office::open(Quotas::off()).await;
    let rows: Vec<Value> = (1..=ROWS)
        .map(|row| json!({"values": [{"userEnteredValue": {"stringValue": format!("строка {row}.")}}]}))
        .collect();
    let merge = |top: usize, bottom: usize, left: usize| {
        json!({"mergeCells": {"mergeType": "MERGE_ALL", "range": {"sheetId": 0, "startRowIndex": top,
            "endRowIndex": bottom, "startColumnIndex": left, "endColumnIndex": left + 2}}})
    };
    let requests = json!([
        {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": ROWS}},
        {"updateCells": {"start": {"sheetId": 0}, "rows": rows, "fields": "userEnteredValue"}},
        {"updateSheetProperties": {"properties": {"sheetId": 0, "gridProperties": {"frozenRowCount": 1}},
            "fields": "gridProperties.frozenRowCount"}},
        merge(0, 1, 0),
        merge(4997, 5003, 3),
    ]);
    assert_eq!(office.batch(requests).await.0, 200);
    office
}

async fn page(office: &Office, query: &str) -> String {
    let url = format!("{}?{query}", office.sim.spreadsheet_url(&office.book));
    office.http.get(url).send().await.unwrap().text().await.unwrap()
}

fn number(page: &str, name: &str) -> u32 {
    let rest = page.split(&format!("data-{name}=\"")).nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_draws_the_rows_in_sight_and_leaves_room_for_all_others() {
    let office = large().await;
    let first = page(&office, "gid=0").await;
    assert!(first.len() < 300_000, "{}", first.len());
    assert!(first.contains("строка 1.") && first.contains("строка 161.") && !first.contains("строка 170."));
    let middle = page(&office, "gid=0&row=5000").await;
    for row in ["строка 1.", "строка 4970.", "строка 5000.", "строка 5110."] {
        assert!(middle.contains(row), "{row}");
    }
    assert!(!middle.contains("строка 2.") && !middle.contains("строка 6000."));
    let end = page(&office, "gid=0&y=99999999").await;
    assert!(end.contains("строка 10000.") && end.contains("строка 1."));
    for part in [&first, &middle, &end] {
        assert_eq!(number(part, "total"), number(&first, "total"));
        assert!(number(part, "top") <= number(part, "y") && number(part, "bottom") <= number(part, "total"));
    }
    assert_eq!(number(&first, "top"), 0);
    assert_eq!(
        number(&middle, "y"),
        4_998 * 21,
        "rows 2 to 4999 are scrolled away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_of_which_only_the_end_is_drawn_keeps_the_other_cells_in_place() {
    let office = large().await;
    // The drawn part begins forty rows above: in the middle of the merge.
    let part = page(&office, "gid=0&row=5041").await;
    let row = part
        .split(">5002</th>")
        .nth(1)
        .unwrap()
        .split("</tr>")
        .next()
        .unwrap();
    assert!(!row.contains("rowspan"), "{row}");
    let start = part
        .split(">5001</th>")
        .nth(1)
        .unwrap()
        .split("</tr>")
        .next()
        .unwrap();
    assert!(start.contains("colspan=\"2\" rowspan=\"3\""), "{start}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_asks_for_the_version_only() {
    let office = large().await;
    let before = page(&office, "gid=0&peek=").await;
    let note = json!([{"updateCells": {"start": {"sheetId": 0}, "rows": [{"values": [{"note": "n"}]}],
        "fields": "note"}}]);
    assert_eq!(office.batch(note).await.0, 200);
    let after = page(&office, "gid=0&peek=").await;
    assert_eq!(before.parse::<u64>().unwrap() + 1, after.parse::<u64>().unwrap());
}
