//! Every request against the exact shape of the contract.

use serde_json::json;

use super::*;
use crate::google::{
    CellFormat, Color, ColorStyle, DeveloperMetadataLocation, DeveloperMetadataLookup, ExtendedValue,
    GridProperties, TextFormat,
};

fn shape(request: &Request) -> serde_json::Value {
    serde_json::to_value(request).unwrap()
}

fn range(rows: (i32, i32), columns: (i32, i32)) -> GridRange {
    GridRange {
        sheet_id: 101,
        start_row_index: Some(rows.0),
        end_row_index: Some(rows.1),
        start_column_index: Some(columns.0),
        end_column_index: Some(columns.1),
    }
}

fn columns(start: i32, end: i32) -> DimensionRange {
    DimensionRange {
        sheet_id: 101,
        dimension: Dimension::Columns,
        start_index: start,
        end_index: Some(end),
    }
}

#[test]
fn a_sheet_is_added_with_frozen_rows() {
    let grid = GridProperties {
        row_count: Some(2000),
        column_count: Some(60),
        frozen_row_count: Some(2),
        frozen_column_count: None,
    };
    let properties = SheetProperties {
        sheet_id: 101,
        title: Some("WB".into()),
        hidden: None,
        index: None,
        grid_properties: Some(grid),
    };
    assert_eq!(
        shape(&Request::AddSheet(AddSheet { properties })),
        json!({"addSheet":{"properties":{"sheetId":101,"title":"WB",
            "gridProperties":{"rowCount":2000,"columnCount":60,"frozenRowCount":2}}}})
    );
}

#[test]
fn merges_name_their_range_and_type() {
    let merge = MergeCells {
        range: range((0, 1), (3, 6)),
        merge_type: "MERGE_ALL".into(),
    };
    assert_eq!(
        shape(&Request::MergeCells(merge)),
        json!({"mergeCells":{"range":{"sheetId":101,"startRowIndex":0,"endRowIndex":1,"startColumnIndex":3,
            "endColumnIndex":6},"mergeType":"MERGE_ALL"}})
    );
    let unmerge = RangeField {
        range: GridRange {
            sheet_id: 101,
            ..GridRange::default()
        },
    };
    assert_eq!(
        shape(&Request::UnmergeCells(unmerge)),
        json!({"unmergeCells":{"range":{"sheetId":101}}})
    );
}

#[test]
fn a_format_is_repeated_over_a_range() {
    let style = ColorStyle::from(Color {
        red: 0.5,
        green: 0.5,
        blue: 0.5,
    });
    let format = CellFormat {
        text_format: Some(TextFormat {
            bold: Some(true),
            ..TextFormat::default()
        }),
        horizontal_alignment: Some("CENTER".into()),
        background_color_style: Some(style),
        ..CellFormat::default()
    };
    let cell = CellData {
        user_entered_format: Some(format),
        ..CellData::default()
    };
    let request = RepeatCell {
        range: range((0, 2), (0, 9)),
        cell,
        fields: "userEnteredFormat".into(),
    };
    assert_eq!(
        shape(&Request::RepeatCell(request))["repeatCell"]["cell"],
        json!({"userEnteredFormat":{"backgroundColorStyle":{"rgbColor":{"red":0.5,"green":0.5,"blue":0.5}},
            "textFormat":{"bold":true},"horizontalAlignment":"CENTER"}})
    );
}

#[test]
fn values_are_literals_and_an_absent_one_clears() {
    let cell = |value| CellData {
        user_entered_value: value,
        ..CellData::default()
    };
    let row = RowData {
        values: vec![
            cell(Some(ExtendedValue::StringValue("=1+1".into()))),
            cell(Some(ExtendedValue::NumberValue(7.0))),
            cell(None),
        ],
    };
    let start = GridCoordinate {
        sheet_id: 101,
        row_index: 2,
        column_index: 0,
    };
    let request = UpdateCells {
        start,
        rows: vec![row],
        fields: "userEnteredValue".into(),
    };
    assert_eq!(
        shape(&Request::UpdateCells(request)),
        json!({"updateCells":{"start":{"sheetId":101,"rowIndex":2,"columnIndex":0},"rows":[{"values":[
            {"userEnteredValue":{"stringValue":"=1+1"}},{"userEnteredValue":{"numberValue":7.0}},{}]}],
            "fields":"userEnteredValue"}})
    );
}

#[test]
fn dimensions_are_sized_inserted_appended_and_deleted() {
    let size = UpdateDimensionProperties {
        range: columns(0, 3),
        properties: DimensionProperties {
            pixel_size: Some(140),
            hidden_by_user: None,
        },
        fields: "pixelSize".into(),
    };
    let range = json!({"sheetId":101,"dimension":"COLUMNS","startIndex":0,"endIndex":3});
    assert_eq!(
        shape(&Request::UpdateDimensionProperties(size)),
        json!({"updateDimensionProperties":{"range":range,"properties":{"pixelSize":140},"fields":"pixelSize"}})
    );
    let insert = InsertDimension {
        range: columns(0, 3),
        inherit_from_before: false,
    };
    assert_eq!(
        shape(&Request::InsertDimension(insert)),
        json!({"insertDimension":{"range":range,"inheritFromBefore":false}})
    );
    let append = AppendDimension {
        sheet_id: 101,
        dimension: Dimension::Rows,
        length: 500,
    };
    assert_eq!(
        shape(&Request::AppendDimension(append)),
        json!({"appendDimension":{"sheetId":101,"dimension":"ROWS","length":500}})
    );
    let delete = DimensionRangeField { range: columns(0, 3) };
    assert_eq!(
        shape(&Request::DeleteDimension(delete)),
        json!({"deleteDimension":{"range":range}})
    );
}

#[test]
fn metadata_is_created_and_deleted_by_lookup() {
    let location = DeveloperMetadataLocation {
        dimension_range: Some(columns(3, 4)),
        ..Default::default()
    };
    let developer_metadata = DeveloperMetadata {
        metadata_id: Some(5001),
        metadata_key: Some("col".into()),
        metadata_value: Some("wh:507".into()),
        location: Some(location),
        visibility: Some("PROJECT".into()),
    };
    assert_eq!(
        shape(&Request::CreateDeveloperMetadata(CreateDeveloperMetadata {
            developer_metadata
        })),
        json!({"createDeveloperMetadata":{"developerMetadata":{"metadataId":5001,"metadataKey":"col",
            "metadataValue":"wh:507","location":{"dimensionRange":{"sheetId":101,"dimension":"COLUMNS",
            "startIndex":3,"endIndex":4}},"visibility":"PROJECT"}}})
    );
    let lookup = DeveloperMetadataLookup {
        metadata_id: Some(5001),
        ..Default::default()
    };
    let delete = DeleteDeveloperMetadata {
        data_filter: DataFilter {
            developer_metadata_lookup: Some(lookup),
            grid_range: None,
        },
    };
    assert_eq!(
        shape(&Request::DeleteDeveloperMetadata(delete)),
        json!({"deleteDeveloperMetadata":{"dataFilter":{"developerMetadataLookup":{"metadataId":5001}}}})
    );
}
