//! Which spreadsheet is linked, how it looks, and how it stands with it.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use serde::Serialize;
use utoipa::ToSchema;

use super::layout::LayoutView;
use super::{address, errand_problem};
use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::tag;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::SheetProgress;

/// The linked spreadsheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its id.
    pub spreadsheet_id: String,
    /// Its address.
    pub sheet_url: String,
    /// Title of the managed worksheet as it was linked.
    pub worksheet_name: String,
    /// Language of its titles.
    pub language: String,
    /// How it looks.
    pub layout: LayoutView,
    /// How it stands with it.
    pub state: LinkState,
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// Position of its last change.
    pub position: i64,
}

/// How it stands with the linked spreadsheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkState {
    /// `waiting` before the first write, `written`, or `failing`.
    pub status: &'static str,
    /// Position of the log that the cells show.
    pub written_position: Option<i64>,
    /// When it was last written.
    pub last_written_at: Option<DateTime<Utc>>,
    /// As the managed worksheet is called now: it is followed when it is renamed or moved.
    pub worksheet_title: Option<String>,
    /// What is in the way.
    pub problem: Option<LinkProblem>,
    /// What people did to the sheet and what was repaired, the last of it.
    pub notice: Option<LinkNotice>,
}

/// Why the spreadsheet is not written.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkProblem {
    /// In one word: `not_found`, `not_shared`, `protected`, `quota`, `storage_full`, `too_large`, ...
    pub kind: String,
    /// What to do about it, in the table's language.
    pub instruction: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// When it is tried again by itself; `POST sheets/sync` tries at once.
    pub next_try_at: Option<DateTime<Utc>>,
}

/// Something that was repaired.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkNotice {
    /// In one word: `worksheet_recreated`, `columns_restored`, `headers_restored`; where a part of the look
    /// is missing, what is in the way of it: `frozen`, `table`, `merged`, `filter`, `protected`, ...;
    /// `look_restored` when it came after all; `metadata_full` where new columns are known by their titles
    /// only.
    pub kind: String,
    /// The same for a person, in the table's language.
    pub text: String,
    /// When it was repaired.
    pub at: DateTime<Utc>,
}

impl From<SheetProgress> for LinkState {
    fn from(progress: SheetProgress) -> Self {
        let written = progress.written_position.filter(|position| *position > 0);
        Self {
            status: match (&progress.error, written) {
                (Some(_), _) => "failing",
                (None, Some(_)) => "written",
                (None, None) => "waiting",
            },
            written_position: written,
            last_written_at: progress.last_written_at,
            worksheet_title: progress.worksheet_title,
            problem: progress.error.map(|instruction| LinkProblem {
                kind: progress.error_kind.unwrap_or_else(|| "unavailable".to_owned()),
                instruction,
                since: progress.failing_since,
                next_try_at: progress.next_try_at,
            }),
            notice: progress.notice.map(|notice| LinkNotice {
                kind: notice.kind,
                text: notice.text,
                at: notice.at,
            }),
        }
    }
}

/// The linked spreadsheet. Its `ETag` is needed to change how it looks.
///
/// # Errors
/// 404 while none is linked.
#[utoipa::path(get, path = "/api/v1/sheets/link", tag = "sheets", operation_id = "sheet_link",
    responses((status = 200, body = LinkView), (status = 304, description = "As in If-None-Match"),
              (status = 404), (status = 502)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| {
        let (layout, _) = queries::sheet_layout(tx).await?;
        Ok((queries::sheet_link(tx).await?, layout))
    };
    let ((link, layout), position) = call.read(&request, Model::Operations, question).await?;
    let link = link.ok_or_else(|| Problem::not_found("linked spreadsheet"))?;
    let progress = call.state.errands.sheet_progress(call.tenant()).await;
    let progress = progress.map_err(errand_problem)?;
    let view = LinkView {
        sheet_url: address(&link.spreadsheet_id),
        spreadsheet_id: link.spreadsheet_id,
        worksheet_name: link.worksheet,
        language: layout.language.clone(),
        layout: layout.into(),
        state: progress.into(),
        linked_at: link.linked_at,
        position: link.position,
    };
    let reply = Reply::json(200, &view)?.position(position);
    Ok(tag::tagged(&request, reply, link.position))
}
