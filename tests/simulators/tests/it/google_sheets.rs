//! The grid behaves like the real one: batches are whole, and what hangs on a column follows it.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::google::Quotas;

use crate::client::Office;

const BOOK: &str = "/v4/spreadsheets/{book}";

fn range(top: usize, left: usize, bottom: usize, right: usize) -> Value {
    json!({"sheetId": 0, "startRowIndex": top, "endRowIndex": bottom, "startColumnIndex": left,
           "endColumnIndex": right})
}

fn columns(start: usize, end: usize) -> Value {
    json!({"sheetId": 0, "dimension": "COLUMNS", "startIndex": start, "endIndex": end})
}

fn merge(range: &Value) -> Value {
    json!({"mergeCells": {"range": range, "mergeType": "MERGE_ALL"}})
}

fn metadata(id: u32, key: &str, column: usize) -> Value {
    json!({"createDeveloperMetadata": {"developerMetadata": {
        "metadataId": id, "metadataKey": key, "metadataValue": "wh:507", "visibility": "PROJECT",
        "location": {"dimensionRange": columns(column, column + 1)},
    }}})
}

async fn office() -> Office {
    Office::open(Quotas::off()).await
}

/// Applies a batch that has to succeed.
async fn done(office: &Office, requests: Value) -> Value {
    let (status, body) = office.batch(requests).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Applies a batch that has to be refused; the error's text.
async fn refused(office: &Office, requests: Value) -> String {
    let (status, body) = office.batch(requests).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (400, &json!("INVALID_ARGUMENT")),
        "{body}"
    );
    body["error"]["message"].as_str().unwrap().to_owned()
}

async fn write(office: &Office, place: &str, option: &str, values: Value) -> Value {
    let path = format!("{BOOK}/values/{place}?valueInputOption={option}");
    let (status, body) = office
        .call(Method::PUT, &path, Some(json!({"values": values})))
        .await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn read(office: &Office, place: &str) -> Value {
    office
        .get(&format!(
            "{BOOK}/values/{place}?valueRenderOption=UNFORMATTED_VALUE"
        ))
        .await["values"]
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_request_undoes_the_whole_batch_and_is_named() {
    let office = office().await;
    let before = office.get(BOOK).await;
    let text = refused(
        &office,
        json!([
            {"addSheet": {"properties": {"sheetId": 7, "title": "Products"}}},
            merge(&range(0, 0, 1, 4)),
            {"updateCells": {"start": {"sheetId": 0}, "fields": "userEnteredValue",
                             "rows": [{"values": [{"userEnteredValue": {"numberValue": 1}}]}]}},
            merge(&range(0, 3, 1, 6)),
        ]),
    )
    .await;
    assert!(text.starts_with("Invalid requests[3].mergeCells: "), "{text}");
    assert_eq!(office.get(BOOK).await, before);
    assert_eq!(read(&office, "A1").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_may_swallow_another_but_not_cut_it() {
    let office = office().await;
    done(&office, json!([merge(&range(0, 0, 1, 4))])).await;
    assert!(
        refused(&office, json!([merge(&range(0, 2, 1, 5))]))
            .await
            .contains("merged range")
    );
    assert!(
        refused(&office, json!([{"unmergeCells": {"range": range(0, 0, 1, 2)}}]))
            .await
            .contains("merged")
    );
    done(&office, json!([merge(&range(0, 0, 1, 5))])).await;
    let merges = office.get(&format!("{BOOK}?fields=sheets.merges")).await;
    assert_eq!(merges, json!({"sheets": [{"merges": [range(0, 0, 1, 5)]}]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_merges_widths_and_formulas_follow_their_columns() {
    let office = office().await;
    write(&office, "C2:E2", "USER_ENTERED", json!([[3, 4, "=C2*D2"]])).await;
    done(
        &office,
        json!([
            metadata(11, "col", 2),
            merge(&range(0, 2, 1, 4)),
            {"updateDimensionProperties": {"range": columns(2, 3), "properties": {"pixelSize": 222},
                                           "fields": "pixelSize"}},
            {"addConditionalFormatRule": {"index": 0, "rule": {"ranges": [range(1, 2, 9, 3)], "booleanRule": {
                "condition": {"type": "BLANK"}, "format": {"textFormat": {"bold": true}}}}}},
            {"insertDimension": {"range": columns(1, 3), "inheritFromBefore": false}},
        ]),
    )
    .await;
    let search = json!({"dataFilters": [{"developerMetadataLookup": {"metadataKey": "col"}}]});
    let path = format!("{BOOK}/developerMetadata:search");
    let place = |body: &Value| {
        body["matchedDeveloperMetadata"][0]["developerMetadata"]["location"]["dimensionRange"]["startIndex"]
            .clone()
    };
    let (_, found) = office.call(Method::POST, &path, Some(search.clone())).await;
    assert_eq!(place(&found), 4);
    let fields = "sheets(merges,conditionalFormats.ranges,data.columnMetadata.pixelSize)";
    let sheet = office.get(&format!("{BOOK}?fields={fields}")).await["sheets"][0].clone();
    assert_eq!(sheet["merges"], json!([range(0, 4, 1, 6)]));
    assert_eq!(
        sheet["conditionalFormats"][0]["ranges"],
        json!([range(1, 4, 9, 5)])
    );
    let widths = &sheet["data"][0]["columnMetadata"];
    assert_eq!(
        (&widths[2]["pixelSize"], &widths[4]["pixelSize"]),
        (&json!(100), &json!(222))
    );
    assert_eq!(read(&office, "E2:G2").await, json!([[3, 4, 12]]));
    let formula = office
        .get(&format!("{BOOK}/values/G2?valueRenderOption=FORMULA"))
        .await;
    assert_eq!(formula["values"], json!([["=E2*F2"]]));

    done(
        &office,
        json!([{"moveDimension": {"source": columns(4, 6), "destinationIndex": 0}}]),
    )
    .await;
    let (_, found) = office.call(Method::POST, &path, Some(search.clone())).await;
    assert_eq!(place(&found), 0);
    assert_eq!(read(&office, "A2:G2").await, json!([[3, 4, "", "", "", "", 12]]));

    done(&office, json!([{"deleteDimension": {"range": columns(0, 1)}}])).await;
    let (status, found) = office.call(Method::POST, &path, Some(search)).await;
    assert_eq!((status, found), (200, json!({})));
    let merges = office.get(&format!("{BOOK}?fields=sheets.merges")).await;
    assert_eq!(merges["sheets"][0]["merges"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_found_and_written_by_metadata() {
    let office = office().await;
    done(&office, json!([metadata(21, "stock", 5)])).await;
    let filter = json!({"developerMetadataLookup": {"metadataId": 21}});
    let body = json!({"valueInputOption": "RAW", "data": [
        {"dataFilter": filter, "majorDimension": "COLUMNS", "values": [["Остатки", null, 7]]}]});
    let path = format!("{BOOK}/values:batchUpdateByDataFilter");
    let (status, answer) = office.call(Method::POST, &path, Some(body)).await;
    assert_eq!(
        (status, &answer["totalUpdatedCells"]),
        (200, &json!(2)),
        "{answer}"
    );
    assert_eq!(read(&office, "F1:F3").await, json!([["Остатки"], [], [7]]));
    let body = json!({"dataFilters": [filter], "valueRenderOption": "UNFORMATTED_VALUE"});
    let path = format!("{BOOK}/values:batchGetByDataFilter");
    let (_, answer) = office.call(Method::POST, &path, Some(body)).await;
    assert_eq!(
        answer["valueRanges"][0]["valueRange"]["values"],
        json!([["Остатки"], [], [7]])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn null_leaves_a_cell_and_an_empty_text_clears_it() {
    let office = office().await;
    write(&office, "A1", "RAW", json!([["a", "b", "c"]])).await;
    let body = json!({"valueInputOption": "RAW", "data": [
        {"range": "A1:C1", "values": [[null, "", "=1+1"]]}, {"range": "A3", "values": [["z"]]}]});
    let (status, answer) = office
        .call(Method::POST, &format!("{BOOK}/values:batchUpdate"), Some(body))
        .await;
    assert_eq!((status, &answer["totalUpdatedCells"]), (200, &json!(3)));
    assert_eq!(
        read(&office, "A1:C3").await,
        json!([["a", "", "=1+1"], [], ["z"]])
    );
    let empty = office.get(&format!("{BOOK}/values/D4:E9")).await;
    assert_eq!(empty.get("values"), None);
    assert!(empty["range"].as_str().unwrap().ends_with("!D4:E9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_text_is_understood_and_raw_text_is_not() {
    let office = office().await;
    write(
        &office,
        "A1",
        "USER_ENTERED",
        json!([["12", "TRUE", "=A1*2", "'=x", "10%", "ПЛ-1"]]),
    )
    .await;
    assert_eq!(
        read(&office, "A1:F1").await,
        json!([[12, true, 24, "=x", 0.1, "ПЛ-1"]])
    );
    write(&office, "A2", "RAW", json!([["12", "TRUE", "=A1*2", 12, true]])).await;
    assert_eq!(
        read(&office, "A2:E2").await,
        json!([["12", "TRUE", "=A1*2", 12, true]])
    );
    let path = format!("{BOOK}/values/A1");
    let (status, body) = office
        .call(Method::PUT, &path, Some(json!({"values": [[1]]})))
        .await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (400, &json!("INVALID_ARGUMENT"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn formulas_that_chase_each_other_end_with_an_error() {
    let office = office().await;
    write(
        &office,
        "A1",
        "USER_ENTERED",
        json!([["=B1+B1", "=A1+A1", "=SUM(A2:B2)—1", "=1/0"]]),
    )
    .await;
    assert_eq!(
        read(&office, "A1:D1").await,
        json!([["#REF!", "#REF!", "#ERROR!", "#DIV/0!"]])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_beyond_the_grid_and_append_makes_room() {
    let office = office().await;
    let path = format!("{BOOK}/values/AA1?valueInputOption=RAW");
    let (status, body) = office
        .call(Method::PUT, &path, Some(json!({"values": [[1]]})))
        .await;
    assert_eq!(status, 400);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("exceeds grid limits"),
        "{body}"
    );
    write(&office, "A999", "RAW", json!([[1], [2]])).await;
    let path = format!("{BOOK}/values/A1:append?valueInputOption=RAW");
    let (status, body) = office
        .call(Method::POST, &path, Some(json!({"values": [[3]]})))
        .await;
    assert_eq!(status, 200, "{body}");
    assert!(
        body["updates"]["updatedRange"]
            .as_str()
            .unwrap()
            .ends_with("!A1001")
    );
    let text = refused(
        &office,
        json!([{"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 500_000}}]),
    );
    assert!(text.await.contains("10000000 cells"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_mask_changes_what_it_names_and_nothing_else() {
    let office = office().await;
    let paint = |cell: Value, fields: &str| json!([{"repeatCell": {"range": range(0, 0, 2, 2), "cell": cell, "fields": fields}}]);
    let both = json!({"userEnteredFormat": {"textFormat": {"bold": true}, "horizontalAlignment": "CENTER"}});
    done(
        &office,
        paint(both, "userEnteredFormat(textFormat.bold,horizontalAlignment)"),
    )
    .await;
    write(&office, "A1", "RAW", json!([[5]])).await;
    let left = json!({"userEnteredFormat": {"horizontalAlignment": "LEFT"}});
    done(&office, paint(left, "userEnteredFormat.horizontalAlignment")).await;
    let path =
        format!("{BOOK}?ranges=A1&fields=sheets.data.rowData.values(userEnteredFormat,userEnteredValue)");
    let cell = office.get(&path).await["sheets"][0]["data"][0]["rowData"][0]["values"][0].clone();
    let format = json!({"textFormat": {"bold": true}, "horizontalAlignment": "LEFT"});
    assert_eq!(
        cell,
        json!({"userEnteredValue": {"numberValue": 5}, "userEnteredFormat": format})
    );
    let text = refused(&office, paint(json!({}), "userEnteredFormat.horisontalAlignment")).await;
    assert!(text.contains("horisontalAlignment"), "{text}");
    let text = refused(
        &office,
        json!([{"repeatCell": {"range": {"sheet": 0}, "fields": "*"}}]),
    )
    .await;
    assert!(
        text.contains("Unknown name \"sheet\" at 'requests[0].repeatCell'"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cells_of_all_worksheets_count_together_up_to_the_last_one() {
    let office = office().await;
    let limit =
        "This action would increase the number of cells in the workbook above the limit of 10000000 cells.";
    // The first worksheet has 26,000 cells.
    let archive = json!([{"addSheet": {"properties": {"sheetId": 9, "title": "Архив",
        "gridProperties": {"rowCount": 9_973, "columnCount": 1_000}}}}]);
    done(&office, archive).await;
    let rows =
        |length: u32| json!({"appendDimension": {"sheetId": 9, "dimension": "ROWS", "length": length}});
    let insert = json!({"insertDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 0,
        "endIndex": 30}, "inheritFromBefore": false}});
    let made = json!({"addSheet": {"properties": {"title": "Новый"}}});
    let sized = json!({"updateSheetProperties": {"fields": "gridProperties.columnCount",
        "properties": {"sheetId": 0, "gridProperties": {"columnCount": 28}}}});
    for (name, request) in [("appendDimension", &rows(2)), ("addSheet", &made)] {
        let told = refused(&office, json!([request])).await;
        assert_eq!(told, format!("Invalid requests[0].{name}: {limit}"));
    }
    // 1,000 cells are free: 780 of them go to 30 rows, the rest to nothing any more.
    done(&office, json!([insert])).await;
    let told = refused(&office, json!([insert])).await;
    assert_eq!(told, format!("Invalid requests[0].insertDimension: {limit}"));
    let told = refused(&office, json!([sized])).await;
    assert_eq!(
        told,
        format!("Invalid requests[0].updateSheetProperties: {limit}")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sheets_have_one_title_and_one_id_each() {
    let office = office().await;
    let add = |id: u32, title: &str| json!([{"addSheet": {"properties": {"sheetId": id, "title": title}}}]);
    let reply = done(&office, add(5, "Products")).await;
    assert_eq!(reply["replies"][0]["addSheet"]["properties"]["index"], 1);
    assert!(
        refused(&office, add(6, "Products"))
            .await
            .contains("already exists")
    );
    assert!(refused(&office, add(5, "Other")).await.contains("already exists"));
    done(&office, json!([{"deleteSheet": {"sheetId": 0}}])).await;
    assert!(
        refused(&office, json!([{"deleteSheet": {"sheetId": 5}}]))
            .await
            .contains("all the visible sheets")
    );
    let titles = office
        .get(&format!("{BOOK}?fields=sheets.properties(sheetId,title)"))
        .await;
    assert_eq!(
        titles,
        json!({"sheets": [{"properties": {"sheetId": 5, "title": "Products"}}]})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_is_written_at_once() {
    let office = office().await;
    done(&office, json!([{"updateSheetProperties": {
        "properties": {"sheetId": 0, "gridProperties": {"rowCount": 2000, "columnCount": 60, "frozenRowCount": 2}},
        "fields": "gridProperties(rowCount,columnCount,frozenRowCount)"}}]))
    .await;
    let row: Vec<Value> = (0..60)
        .map(|n| json!({"userEnteredValue": {"numberValue": n}}))
        .collect();
    let rows: Vec<Value> = (0..1998).map(|_| json!({"values": row})).collect();
    done(
        &office,
        json!([{"updateCells": {"start": {"sheetId": 0, "rowIndex": 2, "columnIndex": 0},
                                          "rows": rows, "fields": "userEnteredValue"}}]),
    )
    .await;
    let last = read(&office, "BG2000:BH2000").await;
    assert_eq!(last, json!([[58, 59]]));
}
