//! A tenant's cabinets.

use actix_web::{HttpRequest, HttpResponse};
use auth::profiles::Subject;
use deadpool_postgres::Transaction;
use read_models::operations::queries;
use utoipa::IntoParams;

use super::CabinetView;
use crate::call::Call;
use crate::freshness::Model;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// Which cabinets.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CabinetFilter {
    /// Whether disconnected ones are listed too.
    #[param(required = false)]
    pub disconnected: bool,
}

impl Input for CabinetFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let disconnected = fields.optional("disconnected", shape::boolean);
        Some(Self {
            disconnected: disconnected.unwrap_or(false),
        })
    }
}

/// List the cabinets, oldest first, all on one page.
///
/// # Errors
/// 401.
#[utoipa::path(get, path = "/api/v1/cabinets", tag = "cabinets", operation_id = "cabinets",
    params(CabinetFilter), responses((status = 200, body = Page<CabinetView>)))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let filter: CabinetFilter = input::query(&request)?;
    let question = async |tx: &Transaction<'_>| queries::cabinets(tx, filter.disconnected).await;
    let (cabinets, position) = call.read(&request, Model::Operations, question).await?;
    let mut titles = call
        .state
        .app
        .profiles
        .all(call.tenant(), Subject::Cabinet)
        .await?;
    let now = call.state.clock.now();
    let views = cabinets
        .into_iter()
        .map(|cabinet| {
            let title = titles.remove(&cabinet.cabinet_id);
            CabinetView::of(cabinet, title, now)
        })
        .collect();
    Ok(Reply::json(200, &Page::whole(views))?.position(position).into())
}
