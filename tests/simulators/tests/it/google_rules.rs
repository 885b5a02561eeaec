//! Who may do what at the simulated Google, and how often.

use reqwest::Method;
use serde_json::{Value, json};
use simulators::google::{Quotas, Role};
use simulators::{Clock, Effect, Fault, Google, GoogleConfig};

use crate::client::{Office, SHEETS_AND_DRIVE, assertion, client, exchange};

const BOOK: &str = "/v4/spreadsheets/{book}";

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_that_does_not_fit_is_refused() {
    let office = Office::open(Quotas::off()).await;
    let good = assertion(&office.sim, SHEETS_AND_DRIVE, 3595);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let bad = format!("{signed}.{flipped}{}", &signature[1..]);
    let answer = exchange(&office.http, &office.sim, &bad).await;
    assert_eq!(
        answer,
        json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    );
    assert!(exchange(&office.http, &office.sim, &good).await["access_token"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_for_too_long_or_without_a_known_scope_is_refused() {
    let office = Office::open(Quotas::off()).await;
    let long = exchange(
        &office.http,
        &office.sim,
        &assertion(&office.sim, SHEETS_AND_DRIVE, 90_000),
    )
    .await;
    assert!(
        long["error_description"]
            .as_str()
            .unwrap()
            .contains("short-lived token (60 minutes)")
    );
    let scope = exchange(
        &office.http,
        &office.sim,
        &assertion(&office.sim, "https://example.com", 60),
    )
    .await;
    assert_eq!(scope["error"], "invalid_scope");
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_decide_and_can_change_at_any_time() {
    let office = Office::open(Quotas::off()).await;
    let email = office.sim.service_account_email(0);
    let rename = json!([{"updateSpreadsheetProperties": {"properties": {"title": "Б"}, "fields": "title"}}]);
    assert_eq!(office.batch(rename.clone()).await.0, 200);

    office.sim.share(&office.book, &email, Some(Role::Reader));
    assert_eq!(office.call(Method::GET, BOOK, None).await.0, 200);
    let (status, body) = office.batch(rename).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );

    office.sim.share(&office.book, &email, None);
    assert_eq!(office.call(Method::GET, BOOK, None).await.0, 403);
    let (status, _) = office.call(Method::GET, "/drive/v3/files/{book}", None).await;
    assert_eq!(status, 404);

    office.sim.delete_spreadsheet(&office.book);
    let (status, body) = office.call(Method::GET, BOOK, None).await;
    assert_eq!(
        (status, &body["error"]["message"]),
        (404, &json!("Requested entity was not found."))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_owner_has_no_storage_left_is_read_and_not_changed() {
    let office = Office::open(Quotas::off()).await;
    let rename = json!([{"updateSpreadsheetProperties": {"properties": {"title": "Б"}, "fields": "title"}}]);
    office.sim.storage_is_full("seller@example.com", true);
    let (status, body) = office.batch(rename.clone()).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (403, &json!("PERMISSION_DENIED"))
    );
    assert_eq!(
        body["error"]["message"],
        "The user's Drive storage quota has been exceeded."
    );
    assert_eq!(office.call(Method::GET, BOOK, None).await.0, 200);
    assert!(
        office.sim.edit(&office.book, &rename).is_err(),
        "the owner neither"
    );
    office.sim.storage_is_full("seller@example.com", false);
    assert_eq!(office.batch(rename).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn drive_tells_the_role_and_wants_its_own_scope() {
    let office = Office::open(Quotas::off()).await;
    let path = "/drive/v3/files/{book}/permissions?fields=permissions(emailAddress,role)";
    let list = office.get(path).await;
    let email = office.sim.service_account_email(0);
    let own = json!({"emailAddress": email, "role": "writer"});
    assert!(list["permissions"].as_array().unwrap().contains(&own), "{list}");
    let file = office
        .get("/drive/v3/files/{book}?fields=capabilities(canEdit)")
        .await;
    assert_eq!(file, json!({"capabilities": {"canEdit": true}}));

    let only_sheets = assertion(&office.sim, "https://www.googleapis.com/auth/spreadsheets", 60);
    let answer = exchange(&office.http, &office.sim, &only_sheets).await;
    let url = format!("{}/drive/v3/files/{}", office.sim.base_url(), office.book);
    let token = answer["access_token"].as_str().unwrap();
    let refused = office.http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(
        body["error"]["details"][0]["reason"],
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixty_first_write_of_a_minute_is_refused_with_googles_own_words() {
    let office = Office::open(Quotas {
        speed: 0.001,
        ..Quotas::default()
    })
    .await;
    let requests =
        json!([{"updateSpreadsheetProperties": {"properties": {"title": "Б"}, "fields": "title"}}]);
    for _ in 0..60 {
        assert_eq!(office.batch(requests.clone()).await.0, 200);
    }
    let (status, body) = office.batch(requests).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (429, &json!("RESOURCE_EXHAUSTED"))
    );
    let detail = &body["error"]["details"][0];
    assert_eq!(detail["reason"], "RATE_LIMIT_EXCEEDED");
    assert_eq!(detail["metadata"]["quota_limit"], "WriteRequestsPerMinutePerUser");
    assert_eq!(office.call(Method::GET, BOOK, None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_and_an_unknown_one_never_began() {
    let office = Office::open(Quotas::off()).await;
    office.sim.revoke_tokens();
    let (status, body) = office.call(Method::GET, BOOK, None).await;
    assert_eq!(
        (status, &body["error"]["status"]),
        (401, &json!("UNAUTHENTICATED"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_done_may_still_be_answered_with_an_error() {
    let office = Office::open(Quotas::off()).await;
    office.sim.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .times(1),
    );
    let add = json!([{"addSheet": {"properties": {"title": "Products"}}}]);
    assert_eq!(office.batch(add.clone()).await.0, 500);
    let (status, body) = office.batch(add).await;
    assert_eq!(status, 400);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("already exists")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn spreadsheets_and_the_key_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = || GoogleConfig {
        data_dir: Some(folder.path().to_path_buf()),
        ..GoogleConfig::default()
    };
    let first = Google::start(config()).await.unwrap();
    let book = first.create_spreadsheet("Склад", &[(&first.service_account_email(0), Role::Writer)]);
    let cell = json!({"userEnteredValue": {"stringValue": "PL-001"}, "note": "11:40",
                      "userEnteredFormat": {"textFormat": {"bold": true}}});
    let write =
        json!([{"updateCells": {"start": {"sheetId": 0}, "rows": [{"values": [cell]}], "fields": "*"}}]);
    let fields = "userEnteredValue,note,userEnteredFormat";
    let mut write = write;
    write[0]["updateCells"]["fields"] = json!(fields);
    first.edit(&book, &write).unwrap();
    let key: Value = serde_json::from_str(&first.service_account_json()).unwrap();
    first.stop().await;

    let second = Google::start(config()).await.unwrap();
    let again: Value = serde_json::from_str(&second.service_account_json()).unwrap();
    assert_eq!(key["private_key"], again["private_key"]);
    assert_eq!(second.grid(&book, "Лист1").unwrap(), [[json!("PL-001")]]);
    let page = client()
        .get(second.spreadsheet_url(&book))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("font-weight:700") && page.contains("title=\"11:40\""),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_there_and_runs_none_of_it() {
    let office = Office::open(Quotas::off()).await;
    let nasty = "<script>alert(1)</script>";
    let cells = json!([{"values": [{"userEnteredValue": {"stringValue": nasty}}]}]);
    let requests = json!([
        {"updateSpreadsheetProperties": {"properties": {"title": nasty}, "fields": "title"}},
        {"updateCells": {"start": {"sheetId": 0}, "rows": cells, "fields": "userEnteredValue"}},
        {"mergeCells": {"range": {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0,
                                  "endColumnIndex": 4}, "mergeType": "MERGE_ALL"}},
    ]);
    assert_eq!(office.batch(requests).await.0, 200);
    for url in [office.sim.spreadsheet_url(&office.book), office.sim.base_url()] {
        let page = office.http.get(url).send().await.unwrap().text().await.unwrap();
        assert!(!page.contains(nasty));
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }
    let page = office
        .http
        .get(office.sim.spreadsheet_url(&office.book))
        .send()
        .await
        .unwrap();
    assert!(page.text().await.unwrap().contains("colspan=\"4\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_in_another_process_makes_shares_and_reads_spreadsheets() {
    let office = Office::open(Quotas::off()).await;
    let email = office.sim.service_account_email(0);
    let body = json!({"title": "Второй", "shared_with": [{"email": email, "role": "writer"}]});
    let (status, made) = office.call(Method::POST, "/_sim/spreadsheets", Some(body)).await;
    assert_eq!(status, 200);
    let id = made["spreadsheetId"].as_str().unwrap();
    let values = json!({"values": [["A", 1], ["B", 2.5]]});
    let path = format!("/v4/spreadsheets/{id}/values/A1?valueInputOption=RAW");
    assert_eq!(office.call(Method::PUT, &path, Some(values)).await.0, 200);
    let sheet = "%D0%9B%D0%B8%D1%81%D1%821";
    let grid = office
        .get(&format!("/_sim/spreadsheets/{id}/grid?sheet={sheet}"))
        .await;
    assert_eq!(grid, json!([["A", 1], ["B", 2.5]]));
    let share = json!({"email": email, "role": null});
    assert_eq!(
        office
            .call(
                Method::POST,
                &format!("/_sim/spreadsheets/{id}/share"),
                Some(share)
            )
            .await
            .0,
        204
    );
    assert_eq!(
        office
            .call(Method::GET, &format!("/v4/spreadsheets/{id}"), None)
            .await
            .0,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_good_for_its_time_only() {
    let clock = Clock::manual(Clock::system().now());
    let config = GoogleConfig {
        clock: clock.clone(),
        quotas: Quotas::off(),
        ..GoogleConfig::default()
    };
    let sim = Google::start(config).await.unwrap();
    let book = sim.create_spreadsheet("Склад", &[(&sim.service_account_email(0), Role::Writer)]);
    let http = client();
    let answer = exchange(&http, &sim, &assertion(&sim, SHEETS_AND_DRIVE, 3595)).await;
    let token = answer["access_token"].as_str().unwrap();
    let get = || {
        http.get(format!("{}/v4/spreadsheets/{book}", sim.base_url()))
            .bearer_auth(token)
            .send()
    };
    assert_eq!(get().await.unwrap().status(), 200);
    clock.add(chrono::TimeDelta::seconds(3600));
    assert_eq!(get().await.unwrap().status(), 401);
}
