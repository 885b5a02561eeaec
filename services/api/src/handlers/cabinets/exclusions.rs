//! Warehouses whose units a seller does not want to see in totals, because they cannot be bought.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::cabinet::LONGEST_REASON;
use application::exclude_warehouse;
use deadpool_postgres::Transaction;
use events::ids::CabinetId;
use read_models::inventory::queries::{self as inventory, Excludable};
use read_models::operations::queries as operations;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::cabinet_refusal;
use crate::call::{Call, path_id};
use crate::freshness::Model;
use crate::handlers::execute_problem;
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Longest key of a warehouse; those without an id have their name in it.
const LONGEST_KEY: usize = 300;

/// Which warehouse is left out, and why.
#[derive(Debug, Clone, ToSchema)]
pub struct ExclusionRequest {
    /// Its key, as `GET /warehouses` tells it.
    #[schema(min_length = 1, max_length = 300, example = "fbo:507")]
    pub warehouse: String,
    /// Why, for everybody who reads the totals: shown beside them, in exports and in the sheet. It is kept
    /// for good and must not name persons.
    #[schema(
        min_length = 1,
        max_length = 200,
        example = "Stock is stuck here since August"
    )]
    pub reason: String,
}

impl Input for ExclusionRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let warehouse = fields.required("warehouse", shape::text(1, LONGEST_KEY));
        let reason = fields.required("reason", shape::text(1, LONGEST_REASON));
        Some(Self {
            warehouse: warehouse?,
            reason: reason?,
        })
    }
}

/// Which warehouse counts again.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// Its key, as `GET /warehouses` tells it.
    pub warehouse: String,
}

impl Input for InclusionQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            warehouse: fields.required("warehouse", shape::text(1, LONGEST_KEY))?,
        })
    }
}

/// Leave a warehouse out of totals. Its units no longer count in the stock of products, in turnover, days of
/// stock, low stock, the dashboard and the sheet's totals; they stay visible at the warehouse itself and as
/// `excluded_units` beside each total. Orders from it still count. The choice survives another name of the
/// warehouse and a cabinet that is disconnected and connected again. A second reason replaces the first.
///
/// # Errors
/// 404 where there is no such cabinet; 422 where it has no such warehouse or the reason is missing.
#[utoipa::path(put, path = "/api/v1/cabinets/{id}/exclusions", tag = "cabinets",
    operation_id = "exclude_warehouse", params(("id" = Uuid, Path, description = "Id of the cabinet")),
    request_body = ExclusionRequest, responses((status = 200, body = ReceiptView)))]
pub async fn put(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<ExclusionRequest>(&request, payload).await?;
    let ExclusionRequest { warehouse, reason } = body.value;
    connected(&call, &request, id).await?;
    let found = find(&call, &request, id, &warehouse, "#/warehouse").await?;
    call.command(&request, &body.raw, move |state, context| async move {
        let key = found.warehouse;
        let receipt = exclude_warehouse::exclude(&state.app, &context, CabinetId(id), key, reason)
            .await
            .map_err(|error| execute_problem(error, cabinet_refusal))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

/// Count a warehouse in totals again. One that counts already is left as it is.
///
/// # Errors
/// 404 where there is no such cabinet; 422 where it has no such warehouse.
#[utoipa::path(delete, path = "/api/v1/cabinets/{id}/exclusions", tag = "cabinets",
    operation_id = "include_warehouse",
    params(("id" = Uuid, Path, description = "Id of the cabinet"), InclusionQuery),
    responses((status = 200, body = ReceiptView)))]
pub async fn delete(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "cabinet")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    // Before the parameter is looked at: whose cabinet it is not, learns nothing of it.
    connected(&call, &request, id).await?;
    let InclusionQuery { warehouse } = input::query(&request)?;
    let found = find(&call, &request, id, &warehouse, "?warehouse").await?;
    call.command(&request, &body.raw, move |state, context| async move {
        // The answer may be older than an exclusion that was made a moment ago; the key itself is not.
        let mut keys = found.excluded_as;
        keys.push(found.warehouse);
        let receipt = exclude_warehouse::include(&state.app, &context, CabinetId(id), keys)
            .await
            .map_err(|error| execute_problem(error, cabinet_refusal))?;
        let view = ReceiptView::of(context.command_id, &receipt);
        Ok(Reply::json(200, &view)?.position(receipt.position))
    })
    .await
}

async fn connected(call: &Call, request: &HttpRequest, id: Uuid) -> Result<(), Problem> {
    let question = async |tx: &Transaction<'_>| operations::cabinet(tx, id).await;
    let (cabinet, _) = call.read(request, Model::Operations, question).await?;
    let is_connected = cabinet.is_some_and(|cabinet| cabinet.status == "connected");
    is_connected
        .then_some(())
        .ok_or_else(|| Problem::not_found("cabinet"))
}

/// The warehouse that a key of a connected cabinet stands for. `pointer` is where the key was given.
async fn find(
    call: &Call,
    request: &HttpRequest,
    id: Uuid,
    warehouse: &str,
    pointer: &str,
) -> Result<Excludable, Problem> {
    let question = async |tx: &Transaction<'_>| inventory::excludable(tx, id, warehouse).await;
    let (found, _) = call.read(request, Model::Inventory, question).await?;
    found.ok_or_else(|| Problem::invalid_field(pointer, "the cabinet has no warehouse with this key"))
}
