//! What sellers do with a spreadsheet at the simulated Google, and what it refuses because of that.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::google::{Habits, Quotas};
use simulators::{Effect, Fault};

use crate::client::{Office, SHEETS_AND_DRIVE, assertion, exchange};

const READ: &str = "/v4/spreadsheets/{book}?fields=sheets(tables,bandedRanges,slicers)";

impl Office {
    fn sheet(&self) -> i64 {
        let all = self.sim.everything(&self.book).unwrap();
        all["sheets"][0]["id"].as_i64().unwrap()
    }

    fn title(&self) -> String {
        let all = self.sim.everything(&self.book).unwrap();
        all["sheets"][0]["title"].as_str().unwrap().to_owned()
    }

    fn range(&self, rows: (usize, usize), columns: (usize, usize)) -> Value {
        json!({"sheetId": self.sheet(), "startRowIndex": rows.0, "endRowIndex": rows.1,
            "startColumnIndex": columns.0, "endColumnIndex": columns.1})
    }

    fn hand(&self, requests: &Value) -> Value {
        self.sim.edit(&self.book, requests).expect("the seller's edit")
    }

    /// Texts beginning with `=` become formulas.
    fn fill(&self, rows: &[&[Value]]) {
        let cell = |value: &Value| match value {
            Value::String(text) if text.starts_with('=') => {
                json!({"userEnteredValue": {"formulaValue": text}})
            }
            Value::String(text) => json!({"userEnteredValue": {"stringValue": text}}),
            number => json!({"userEnteredValue": {"numberValue": number}}),
        };
        let rows: Vec<Value> = (rows.iter())
            .map(|row| json!({"values": row.iter().map(cell).collect::<Vec<_>>()}))
            .collect();
        self.hand(
            &json!([{"updateCells": {"start": {"sheetId": self.sheet()}, "rows": rows,
            "fields": "userEnteredValue"}}]),
        );
    }

    fn column(&self, column: usize) -> Vec<Value> {
        let grid = self.sim.grid(&self.book, &self.title()).unwrap();
        grid.iter().map(|row| row[column].clone()).collect()
    }

    /// A mark on each of these rows or columns.
    fn mark(&self, dimension: &str, places: impl Iterator<Item = usize>, value: &str) -> Vec<Value> {
        places
            .map(|at| {
                json!({"createDeveloperMetadata": {"developerMetadata": {"metadataKey": "k",
                    "metadataValue": value, "visibility": "PROJECT", "location": {"dimensionRange":
                    {"sheetId": self.sheet(), "dimension": dimension, "startIndex": at, "endIndex": at + 1}}}}})
            })
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sort_moves_contents_their_own_references_and_marks_of_whole_rows() {
    let office = Office::open(Quotas::off()).await;
    office.fill(&[
        &[json!("b"), json!(2), json!("=B1*10")],
        &[json!("a"), json!(1), json!("=B2*10")],
        &[json!("c"), json!(3), json!("=B3*10")],
    ]);
    office.hand(&Value::Array(office.mark("ROWS", 0..1, "of b")));
    let sort = json!([{"sortRange": {"range": office.range((0, 3), (0, 3)),
        "sortSpecs": [{"dimensionIndex": 1, "sortOrder": "DESCENDING"}]}}]);
    office.hand(&sort);
    assert_eq!(office.column(0), [json!("c"), json!("b"), json!("a")]);
    assert_eq!(office.column(2), [json!(30), json!(20), json!(10)]);
    let marked =
        |office: &Office| office.sim.everything(&office.book).unwrap()["metadata"][0]["place"].clone();
    assert_eq!(marked(&office), json!({"row": [office.sheet(), 1]}));
    let habits = Habits {
        sorts_carry_metadata: false,
        ..Habits::default()
    };
    office.sim.habits(&office.book, habits);
    let back = json!([{"sortRange": {"range": office.range((0, 3), (0, 3)),
        "sortSpecs": [{"dimensionIndex": 0}]}}]);
    office.hand(&back);
    assert_eq!(office.column(0), [json!("a"), json!("b"), json!("c")]);
    assert_eq!(marked(&office), json!({"row": [office.sheet(), 1]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_cut_copied_and_replaced_in() {
    let office = Office::open(Quotas::off()).await;
    office.fill(&[&[json!(7), json!("=A1+$A$1"), json!("seven"), json!("x")]]);
    let place = json!({"sheetId": office.sheet(), "rowIndex": 2, "columnIndex": 3});
    office.hand(&json!([
        {"copyPaste": {"source": office.range((0, 1), (0, 2)), "destination": office.range((1, 2), (0, 2))}},
        {"cutPaste": {"source": office.range((0, 1), (2, 3)), "destination": place}},
        {"findReplace": {"find": "SEV", "replacement": "el", "allSheets": true}},
    ]));
    let grid = office.sim.grid(&office.book, &office.title()).unwrap();
    assert_eq!(grid[1][0], json!(7));
    assert_eq!(grid[1][1], json!(14), "A2 + $A$1");
    assert_eq!((&grid[0][2], &grid[2][3]), (&json!(""), &json!("elen")));
    let values = json!([{"copyPaste": {"source": office.range((1, 2), (1, 2)), "pasteType": "PASTE_VALUES",
        "destination": office.range((3, 5), (0, 1))}}]);
    office.hand(&values);
    assert_eq!(
        office.column(0)[3..5],
        [json!(14), json!(14)],
        "both rows are filled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_refuses_formats_rules_merges_and_doubled_titles_and_moves_with_the_grid() {
    let office = Office::open(Quotas::off()).await;
    office.fill(&[&[json!("Остатки"), json!("Остатки")], &[json!(1), json!(2)]]);
    let table = json!({"name": "T", "range": office.range((0, 3), (0, 2)),
        "columnProperties": [{"columnIndex": 1, "columnType": "DOUBLE"}]});
    office.hand(&json!([{"addTable": {"table": table}}]));
    let titles = office.sim.grid(&office.book, &office.title()).unwrap()[0].clone();
    assert_eq!(titles, [json!("Остатки"), json!("Остатки 2")]);
    let format = |columns| {
        json!([{"repeatCell": {"range": office.range((1, 2), columns), "fields": "userEnteredFormat.numberFormat",
            "cell": {"userEnteredFormat": {"numberFormat": {"type": "NUMBER", "pattern": "0"}}}}}])
    };
    assert_eq!(
        office.batch(format((0, 1))).await.0,
        200,
        "a column without a type"
    );
    let (status, body) = office.batch(format((1, 2))).await;
    assert_eq!(status, 400);
    let words = body["error"]["message"].as_str().unwrap();
    assert!(
        words.ends_with("This operation is not allowed on cells in typed columns."),
        "{words}"
    );
    let rule = json!([{"setDataValidation": {"range": office.range((1, 2), (1, 2))}}]);
    assert_eq!(office.batch(rule).await.0, 400);
    let merge = json!([{"mergeCells": {"range": office.range((0, 1), (0, 2)), "mergeType": "MERGE_ALL"}}]);
    assert_eq!(office.batch(merge).await.0, 400);
    let title = json!([{"updateCells": {"start": {"sheetId": office.sheet(), "columnIndex": 1}, "rows":
        [{"values": [{"userEnteredValue": {"stringValue": "остатки"}}]}], "fields": "userEnteredValue"}}]);
    assert_eq!(office.batch(title.clone()).await.0, 400);
    let habits = Habits {
        tables_rename_titles: true,
        ..Habits::default()
    };
    office.sim.habits(&office.book, habits);
    assert_eq!(office.batch(title).await.0, 200);
    let value = json!([{"updateCells": {"start": {"sheetId": office.sheet(), "rowIndex": 1, "columnIndex": 1},
        "rows": [{"values": [{"userEnteredValue": {"stringValue": "text"}}]}], "fields": "userEnteredValue"}}]);
    assert_eq!(office.batch(value).await.0, 200, "values are never refused");
    let column = json!({"sheetId": office.sheet(), "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1});
    office.hand(&json!([{"insertDimension": {"range": column}}]));
    let read = office.get(READ).await;
    let found = &read["sheets"][0]["tables"][0];
    assert_eq!(found["range"]["startColumnIndex"], json!(1), "{found}");
    assert_eq!(found["columnProperties"][0]["columnIndex"], json!(1));
    office.hand(&json!([{"deleteTable": {"tableId": found["tableId"]}}]));
    assert_eq!(office.batch(format((2, 3))).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_and_slicers_are_read_back_and_colours_do_not_overlap() {
    let office = Office::open(Quotas::off()).await;
    let banded = json!([{"addBanding": {"bandedRange": {"range": office.range((1, 5), (0, 3)),
        "rowProperties": {"firstBandColorStyle": {}}}}}]);
    office.hand(&banded);
    let refused = office.sim.edit(&office.book, &banded).unwrap_err();
    let words = refused["error"]["message"].as_str().unwrap();
    assert!(
        words.contains("already has alternating background colors"),
        "{words}"
    );
    let slicer = json!({"spec": {"dataRange": office.range((1, 5), (0, 3))}, "position": {"overlayPosition":
        {"anchorCell": {"sheetId": office.sheet(), "rowIndex": 7, "columnIndex": 7}}}});
    office.hand(&json!([{"addSlicer": {"slicer": slicer}}]));
    let read = office.get(READ).await;
    let (bands, slicers) = (&read["sheets"][0]["bandedRanges"], &read["sheets"][0]["slicers"]);
    office.hand(&json!([
        {"deleteBanding": {"bandedRangeId": bands[0]["bandedRangeId"]}},
        {"deleteEmbeddedObject": {"objectId": slicers[0]["slicerId"]}},
    ]));
    assert_eq!(office.get(READ).await["sheets"][0], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_bounded_by_batch_and_by_sheet() {
    let office = Office::open(Quotas::off()).await;
    let many = Value::Array(office.mark("ROWS", (0..401).map(|_| 3), ""));
    assert_eq!(office.batch(many).await.0, 400);
    let some = |count| office.mark("ROWS", 0..count, &"x".repeat(99));
    assert_eq!(
        office.batch(Value::Array(some(300))).await.0,
        200,
        "30,000 characters"
    );
    assert_eq!(office.batch(Value::Array(some(1))).await.0, 400);
    office.hand(&json!([{"addSheet": {"properties": {"sheetId": 5}}}]));
    let other = json!([{"createDeveloperMetadata": {"developerMetadata": {"metadataKey": "k",
        "visibility": "PROJECT", "location": {"sheetId": 5}}}}]);
    assert_eq!(office.batch(other).await.0, 200, "each sheet has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_sheets_and_files_carry_metadata_or_not() {
    let office = Office::open(Quotas::off()).await;
    office.hand(&Value::Array(office.mark("COLUMNS", 0..2, "v")));
    let marks = |book: &str| {
        let all = office.sim.everything(book).unwrap();
        all["metadata"].as_array().unwrap().len()
    };
    let copy = |id: i64| {
        json!([{"duplicateSheet": {"sourceSheetId": office.sheet(), "newSheetId": id,
        "insertSheetIndex": 1}}])
    };
    office.hand(&copy(11));
    assert_eq!(marks(&office.book), 2);
    let habits = Habits {
        duplicates_carry_metadata: true,
        ..Habits::default()
    };
    office.sim.habits(&office.book, habits);
    office.hand(&copy(12));
    assert_eq!(marks(&office.book), 4);
    let file = office.sim.copy_spreadsheet(&office.book, "Копия").unwrap();
    assert_eq!(marks(&file), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_bin_takes_every_write_and_only_drive_tells() {
    let office = Office::open(Quotas::off()).await;
    office.sim.bin(&office.book, true);
    let rename = json!([{"updateSpreadsheetProperties": {"properties": {"title": "Б"}, "fields": "title"}}]);
    assert_eq!(office.batch(rename).await.0, 200);
    let file = office.get("/drive/v3/files/{book}?fields=trashed").await;
    assert_eq!(file, json!({"trashed": true}));
    office.sim.bin(&office.book, false);
    let file = office.get("/drive/v3/files/{book}?fields=trashed").await;
    assert_eq!(file, json!({"trashed": false}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_batch_is_done_only_when_it_is_released_and_a_late_one_at_once() {
    let office = Office::open(Quotas::off()).await;
    let rename = |title: &str| json!([{"updateSpreadsheetProperties": {"properties": {"title": title}, "fields": "title"}}]);
    let title = || office.sim.everything(&office.book).unwrap()["title"].clone();
    office.sim.script(
        Fault::on("/v4/", Effect::Hang { millis: None })
            .containing(":batchUpdate")
            .times(1),
    );
    let (answer, ()) = tokio::join!(office.batch(rename("held")), async {
        office.sim.until_held(1).await;
        assert_eq!(title(), json!("Склад"));
        office.sim.release();
    });
    assert_eq!((answer.0, title()), (200, json!("held")));
    office.sim.script(
        Fault::on("/v4/", Effect::Late { millis: None })
            .containing(":batchUpdate")
            .times(1),
    );
    let (answer, ()) = tokio::join!(office.batch(rename("late")), async {
        office.sim.until_held(1).await;
        assert_eq!(title(), json!("late"), "it is done before it is answered");
        office.sim.release();
    });
    assert_eq!(answer.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_endpoint_can_answer_what_is_no_token() {
    let office = Office::open(Quotas::off()).await;
    let good = assertion(&office.sim, SHEETS_AND_DRIVE, 3595);
    let body =
        json!({"error": {"code": 503, "message": "The service is currently unavailable."}}).to_string();
    let object = Effect::Status {
        status: 503,
        body,
        content_type: None,
    };
    for (effect, what) in [
        (object, "error"),
        (
            Effect::RemoveField {
                name: "expires_in".to_owned(),
            },
            "access_token",
        ),
        (
            Effect::RemoveField {
                name: "access_token".to_owned(),
            },
            "expires_in",
        ),
    ] {
        office.sim.script(Fault::on("/token", effect).times(1));
        let answer = exchange(&office.http, &office.sim, &good).await;
        assert!(answer.get(what).is_some(), "{answer}");
    }
    let (status, _) = office.call(Method::GET, "/v4/spreadsheets/{book}", None).await;
    assert_eq!(status, 200, "the token of before is as good as it was");
}
