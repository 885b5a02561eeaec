//! The Google clients against a server with the semantics of Sheets v4: tokens, batches, metadata, sharing,
//! quotas.

use std::sync::Arc;
use std::time::Duration;

use connectors::error::{CallFailure, FailureClass};
use connectors::google::{
    Accounts, AddSheet, CellData, CreateDeveloperMetadata, DataFilter, DeveloperMetadata,
    DeveloperMetadataLocation, DeveloperMetadataLookup, Dimension, DimensionRange, ExtendedValue,
    GoogleError, GridCoordinate, GridProperties, GridRange, InsertDimension, LinkFinding, MergeCells,
    Request, RowData, ServiceAccount, SheetProperties, SheetsClient, SheetsOptions, TokenHosts, UpdateCells,
};
use connectors::http::{HttpClient, NoObserver};
use simulators::google::{Quotas, Role};
use simulators::{Effect, Fault, Google, GoogleConfig};

const SHEET: i32 = 101;

struct World {
    google: Google,
    email: String,
}

impl World {
    async fn start(quotas: Quotas) -> Self {
        let google = Google::start(GoogleConfig {
            quotas,
            ..GoogleConfig::default()
        })
        .await
        .unwrap();
        let email = google.service_account_email(0);
        Self { google, email }
    }

    async fn client(&self, accounts: &Accounts, patience: Duration) -> SheetsClient {
        let key = self.google.service_account_json();
        let account = ServiceAccount::from_key(&key, TokenHosts::Any).await.unwrap();
        let options = SheetsOptions {
            sheets_url: self.google.base_url(),
            drive_url: self.google.base_url(),
            patience,
        };
        SheetsClient::new(
            HttpClient::new(Arc::new(NoObserver)).unwrap(),
            account,
            options,
            accounts,
        )
    }

    async fn quick(&self) -> SheetsClient {
        self.client(&Accounts::new(50, 10_000.0), Duration::from_secs(60))
            .await
    }

    fn shared(&self) -> String {
        self.google
            .create_spreadsheet("Остатки", &[(&self.email, Role::Writer)])
    }
}

fn add_sheet() -> Request {
    let grid_properties = GridProperties {
        row_count: Some(100),
        column_count: Some(20),
        frozen_row_count: Some(2),
        frozen_column_count: None,
    };
    Request::AddSheet(AddSheet {
        properties: SheetProperties {
            sheet_id: SHEET,
            title: Some("Products".into()),
            hidden: None,
            index: None,
            grid_properties: Some(grid_properties),
        },
    })
}

fn cell(value: ExtendedValue) -> CellData {
    CellData {
        user_entered_value: Some(value),
        ..CellData::default()
    }
}

fn write(row: i32, values: Vec<CellData>) -> Request {
    Request::UpdateCells(UpdateCells {
        start: GridCoordinate {
            sheet_id: SHEET,
            row_index: row,
            column_index: 0,
        },
        rows: vec![RowData { values }],
        fields: "userEnteredValue".into(),
    })
}

fn merge(columns: (i32, i32)) -> Request {
    Request::MergeCells(MergeCells {
        range: GridRange {
            sheet_id: SHEET,
            start_row_index: Some(0),
            end_row_index: Some(1),
            start_column_index: Some(columns.0),
            end_column_index: Some(columns.1),
        },
        merge_type: "MERGE_ALL".into(),
    })
}

fn columns(start: i32, end: i32) -> DimensionRange {
    DimensionRange {
        sheet_id: SHEET,
        dimension: Dimension::Columns,
        start_index: start,
        end_index: Some(end),
    }
}

#[tokio::test]
async fn a_sheet_is_built_and_read_back() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    let row = vec![
        cell(ExtendedValue::StringValue("=1+1".into())),
        cell(ExtendedValue::NumberValue(7.5)),
        cell(ExtendedValue::BoolValue(true)),
    ];
    let replies = client
        .batch_update(&id, &[add_sheet(), merge((0, 4)), write(2, row)])
        .await
        .unwrap();
    assert_eq!(replies.len(), 3);
    assert_eq!(replies[0]["addSheet"]["properties"]["sheetId"], SHEET);

    let spreadsheet = client
        .get(&id, "properties(title),sheets(properties,merges)")
        .await
        .unwrap();
    assert_eq!(spreadsheet.properties.unwrap().title.as_deref(), Some("Остатки"));
    let sheet = spreadsheet
        .sheets
        .into_iter()
        .find(|sheet| sheet.properties.sheet_id == SHEET)
        .unwrap();
    assert_eq!(sheet.merges[0].end_column_index, Some(4));
    assert_eq!(
        sheet.properties.grid_properties.unwrap().frozen_row_count,
        Some(2)
    );

    let values = client
        .values(&id, &["Products!A3:C3", "Products!A50:C60"])
        .await
        .unwrap();
    assert_eq!(
        values[0].values,
        [[serde_json::json!("=1+1"), 7.5.into(), true.into()]]
    );
    assert!(values[1].values.is_empty());
}

#[tokio::test]
async fn metadata_is_found_where_its_column_has_moved() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    let location = DeveloperMetadataLocation {
        dimension_range: Some(columns(9, 10)),
        ..Default::default()
    };
    let developer_metadata = DeveloperMetadata {
        metadata_key: Some("warehouse".into()),
        metadata_value: Some("fbo:507".into()),
        location: Some(location),
        visibility: Some("PROJECT".into()),
        ..Default::default()
    };
    let create = Request::CreateDeveloperMetadata(CreateDeveloperMetadata { developer_metadata });
    let insert = Request::InsertDimension(InsertDimension {
        range: columns(2, 4),
        inherit_from_before: false,
    });
    client
        .batch_update(&id, &[add_sheet(), create, insert])
        .await
        .unwrap();
    let lookup = DeveloperMetadataLookup {
        metadata_key: Some("warehouse".into()),
        ..Default::default()
    };
    let found = client
        .search_metadata(
            &id,
            &[DataFilter {
                developer_metadata_lookup: Some(lookup),
                grid_range: None,
            }],
        )
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].metadata_value.as_deref(), Some("fbo:507"));
    let range = found[0].location.as_ref().unwrap().dimension_range.unwrap();
    assert_eq!((range.start_index, range.end_index), (11, Some(12)));
}

#[tokio::test]
async fn a_wrong_request_is_named_and_nothing_of_the_batch_is_done() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    client.batch_update(&id, &[add_sheet()]).await.unwrap();
    let text = cell(ExtendedValue::StringValue("lost".into()));
    let batch = [write(5, vec![text]), merge((0, 4)), merge((2, 6))];
    let error = client.batch_update(&id, &batch).await.unwrap_err();
    assert!(
        matches!(error, GoogleError::InvalidRequest { request: Some(2), .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), FailureClass::Refused);
    assert!(
        client.values(&id, &["Products!A6:C6"]).await.unwrap()[0]
            .values
            .is_empty()
    );
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    let get = || client.get(&id, "properties(title)");
    let (first, second, third, fourth) = tokio::join!(get(), get(), get(), get());
    for answer in [first, second, third, fourth] {
        answer.unwrap();
    }
    assert_eq!(world.google.calls().count("/token"), 1);
}

async fn finding(world: &World, id: &str) -> Option<LinkFinding> {
    let report = world.quick().await.test_link(id, "Products").await.unwrap();
    assert!(report.findings.len() <= 1, "{report:?}");
    report.findings.into_iter().next()
}

#[tokio::test]
async fn a_link_test_says_what_to_do() {
    let world = World::start(Quotas::off()).await;
    let id = world.google.create_spreadsheet("Остатки", &[]);
    let not_shared = finding(&world, &id).await.unwrap();
    assert!(
        matches!(not_shared, LinkFinding::NotShared { .. }),
        "{not_shared:?}"
    );
    let text = not_shared.to_string();
    assert!(text.contains(&world.email) && text.contains("Editor"), "{text}");

    world.google.share(&id, &world.email, Some(Role::Reader));
    let read_only = finding(&world, &id).await.unwrap();
    assert!(matches!(read_only, LinkFinding::ReadOnly { .. }), "{read_only:?}");

    world.google.share(&id, &world.email, Some(Role::Writer));
    let report = world.quick().await.test_link(&id, "Products").await.unwrap();
    assert_eq!(
        (report.title.as_deref(), report.is_usable()),
        (Some("Остатки"), true)
    );
    assert!(report.findings.is_empty(), "{report:?}");

    world.google.delete_spreadsheet(&id);
    assert!(matches!(
        finding(&world, &id).await,
        Some(LinkFinding::NotFound { .. })
    ));
    assert_eq!(
        finding(&world, "https://docs.google.com").await,
        Some(LinkFinding::NotAnId)
    );
}

#[tokio::test]
async fn where_drive_does_not_say_who_may_write_a_batch_that_leaves_nothing_does() {
    let world = World::start(Quotas::off()).await;
    let id = world.shared();
    let body = r#"{"error":{"code":403,"message":"Drive API has not been used","errors":[{"reason":"accessNotConfigured"}]}}"#;
    let off = Effect::Status {
        status: 403,
        body: body.into(),
        content_type: None,
    };
    world.google.script(Fault::on("/drive/v3", off.clone()));
    assert_eq!(finding(&world, &id).await, None);
    let left = world.google.spreadsheet(&id, "developerMetadata").unwrap();
    assert_eq!(left, serde_json::json!({}));
    world.google.share(&id, &world.email, Some(Role::Reader));
    let read_only = finding(&world, &id).await.unwrap();
    assert!(matches!(read_only, LinkFinding::ReadOnly { .. }), "{read_only:?}");
    // Only where that fails for a reason of its own a doubt is left.
    world.google.share(&id, &world.email, Some(Role::Writer));
    let strange = Effect::Status {
        status: 400,
        body: r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Invalid requests[0]"}}"#.into(),
        content_type: None,
    };
    world
        .google
        .script(Fault::on("/v4/spreadsheets", strange).containing(":batchUpdate"));
    let report = world.quick().await.test_link(&id, "Products").await.unwrap();
    assert_eq!(report.findings, [LinkFinding::WriteAccessUnknown]);
    assert!(report.is_usable());
}

#[tokio::test]
async fn a_link_test_names_what_is_protected_in_the_worksheet() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    client.batch_update(&id, &[add_sheet()]).await.unwrap();
    let protect = |range: serde_json::Value| {
        let added = serde_json::json!([{"addProtectedRange": {"protectedRange": {"range": range}}}]);
        world.google.edit(&id, &added).unwrap();
    };
    protect(serde_json::json!({"sheetId": SHEET, "startColumnIndex": 1, "endColumnIndex": 2}));
    let report = client.test_link(&id, "Products").await.unwrap();
    let [LinkFinding::Protected { ranges, whole, .. }] = &report.findings[..] else {
        panic!("{report:?}")
    };
    assert_eq!((ranges.as_str(), *whole), ("Products!B:B", false));
    assert!(report.is_usable(), "it may be a column of the seller's own");
    assert_eq!(client.test_link(&id, "Other").await.unwrap().findings, []);

    protect(serde_json::json!({"sheetId": SHEET}));
    let report = client.test_link(&id, "Products").await.unwrap();
    assert!(!report.is_usable());
    let text = report.findings[0].to_string();
    assert!(
        text.contains("whole worksheet") && text.contains(&world.email) && text.contains("Data →"),
        "{text}"
    );
}

#[tokio::test]
async fn a_429_closes_the_account_for_a_minute() {
    let world = World::start(Quotas {
        per_user: 2,
        ..Quotas::default()
    })
    .await;
    let id = world.shared();
    let accounts = Accounts::new(50, 1.0);
    let client = world.client(&accounts, Duration::ZERO).await;
    for _ in 0..2 {
        client.get(&id, "properties(title)").await.unwrap();
    }
    let error = client.get(&id, "properties(title)").await.unwrap_err();
    assert!(
        error.class().told_delay().unwrap() >= Duration::from_secs(60),
        "{error:?}"
    );
    // Another client of the same account knows without asking.
    let asked = world.google.calls().count("/v4/spreadsheets");
    let other = world.client(&accounts, Duration::ZERO).await;
    let error = other.get(&id, "properties(title)").await.unwrap_err();
    assert!(matches!(error, GoogleError::QuotaExceeded { .. }), "{error:?}");
    assert_eq!(world.google.calls().count("/v4/spreadsheets"), asked);
}

#[tokio::test]
async fn a_key_of_somebody_else_is_refused_by_name() {
    let world = World::start(Quotas::off()).await;
    let id = world.shared();
    let mut key: serde_json::Value = serde_json::from_str(&world.google.service_account_json()).unwrap();
    key["client_email"] = "stranger@elsewhere.iam.gserviceaccount.com".into();
    let account = ServiceAccount::from_key(&key.to_string(), TokenHosts::Any)
        .await
        .unwrap();
    let options = SheetsOptions {
        sheets_url: world.google.base_url(),
        ..SheetsOptions::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    let client = SheetsClient::new(http, account, options, &Accounts::new(50, 10_000.0));
    let report = client.test_link(&id, "Products").await.unwrap();
    assert!(
        matches!(&report.findings[..], [LinkFinding::KeyRefused { .. }]),
        "{report:?}"
    );
}

#[tokio::test]
async fn trouble_at_google_is_transient_and_a_page_of_html_is_a_broken_contract() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    let broken = Effect::Status {
        status: 503,
        body: "<html>".into(),
        content_type: None,
    };
    world.google.script(Fault::on("/v4", broken).times(1));
    assert_eq!(
        client.get(&id, "sheets").await.unwrap_err().class(),
        FailureClass::Transient
    );
    world.google.script(Fault::on("/v4", Effect::HtmlPage).times(1));
    let error = client.get(&id, "sheets").await.unwrap_err();
    assert!(
        matches!(&error, GoogleError::Call(call) if matches!(call.failure, CallFailure::Malformed { .. })),
        "{error:?}"
    );
    world.google.script(Fault::on("/v4", Effect::CutBody).times(1));
    let error = client.get(&id, "sheets").await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient, "{error:?}");
}

fn on_token(effect: Effect) -> Fault {
    Fault::on("/token", effect).times(1)
}

/// Twenty calls at once.
async fn all_answered(client: &SheetsClient, id: &str) {
    let call = |_| {
        let (client, id) = (client.clone(), id.to_owned());
        async move { client.get(&id, "sheets").await }
    };
    let calls: tokio::task::JoinSet<_> = (0..20).map(call).collect();
    for answer in calls.join_all().await {
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_thrown_away_and_asked_for_again() {
    let world = World::start(Quotas::off()).await;
    let id = world.shared();
    let status = |status: u16, body: &str| Effect::Status {
        status,
        body: body.to_owned(),
        content_type: None,
    };
    let object = r#"{"error":{"code":503,"message":"The service is currently unavailable."}}"#;
    let removed = Effect::RemoveField {
        name: "access_token".to_owned(),
    };
    // An error in an object, with either status, and an answer without a token: the next question heals.
    for effect in [status(503, object), status(200, object), removed] {
        let client = world.quick().await;
        world.google.script(on_token(effect));
        assert!(client.get(&id, "sheets").await.is_ok());
    }
    // An endpoint that stays broken is asked anew by every call, and says nothing about the key.
    let client = world.quick().await;
    world.google.script(on_token(status(503, object)).times(4));
    for _ in 0..2 {
        let error = client.get(&id, "sheets").await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Transient, "{error:?}");
    }
    world.google.clear_faults();
    assert!(client.get(&id, "sheets").await.is_ok());
    let client = world.quick().await;
    world
        .google
        .script(on_token(status(500, r#"{"error":"internal_failure"}"#)));
    let error = client.get(&id, "sheets").await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient, "{error:?}");
    assert!(client.get(&id, "sheets").await.is_ok());
}

#[tokio::test]
async fn a_token_that_ended_unseen_is_changed_before_it_says_anything_about_the_key() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    let untold = Effect::RemoveField {
        name: "expires_in".to_owned(),
    };
    world.google.script(on_token(untold));
    assert!(client.get(&id, "sheets").await.is_ok());
    world.google.revoke_tokens();
    world.google.clear_calls();
    all_answered(&client, &id).await;
    assert_eq!(world.google.calls().count("/token"), 1, "one new token for all");
    // A second refusal is a verdict.
    let refused = Effect::Status {
        status: 401,
        body: r#"{"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}}"#.to_owned(),
        content_type: None,
    };
    world.google.script(Fault::on("/v4/", refused).times(2));
    let error = client.get(&id, "sheets").await.unwrap_err();
    assert!(matches!(error, GoogleError::Unauthorized { .. }), "{error:?}");
}

#[tokio::test]
async fn callers_at_once_send_one_question_for_a_token() {
    let world = World::start(Quotas::off()).await;
    let (client, id) = (world.quick().await, world.shared());
    all_answered(&client, &id).await;
    assert_eq!(world.google.calls().count("/token"), 1);
}
