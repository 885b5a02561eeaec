//! What one wants to hear nothing of for a while.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::domain::notice::NoticeKind;
use application::set_alert_rule;
use chrono::{DateTime, TimeDelta, Utc};
use events::alert_rule::AlertScope;
use events::ids::ProductId;
use notifications::{Snooze, Snoozed, Snoozes};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::kind;
use crate::call::{Call, path_id};
use crate::handlers::alert_rules::rules_problem;
use crate::input::{self, Fields, Input, Nothing, shape};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// The longest time.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// A product or a kind of notification of which you hear nothing for a while.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnoozeView {
    /// Its id.
    pub id: Uuid,
    /// The product; none for a kind.
    #[schema(required = false)]
    pub product_id: Option<Uuid>,
    /// The kind, such as `stock.low`; none for a product.
    #[schema(required = false)]
    pub kind: Option<&'static str>,
    /// Until when.
    pub until: DateTime<Utc>,
}

impl From<Snooze> for SnoozeView {
    fn from(snooze: Snooze) -> Self {
        let (product_id, kind) = match snooze.what {
            Snoozed::Product(product) => (Some(product.uuid()), None),
            Snoozed::Kind(kind) => (None, Some(kind.as_str())),
        };
        Self {
            id: snooze.id,
            product_id,
            kind,
            until: snooze.until,
        }
    }
}

/// What to hear nothing of, and until when: a product or a kind.
#[derive(Debug, Clone, ToSchema)]
pub struct SnoozeRequest {
    /// The product; its alerts are left out.
    #[schema(required = false, value_type = Option<Uuid>)]
    pub product_id: Option<Uuid>,
    /// The kind, such as `stock.low`.
    #[schema(required = false, value_type = Option<String>, example = "stock.low")]
    pub kind: Option<NoticeKind>,
    /// Until when; at most 366 days from now.
    pub until: DateTime<Utc>,
}

impl Input for SnoozeRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let product_id = fields.optional("product_id", shape::uuid);
        let kind = fields.optional("kind", kind);
        let until = fields.required("until", shape::time);
        let is_one = product_id.is_some() != kind.is_some();
        if !is_one && !fields.is_wrong("product_id") && !fields.is_wrong("kind") {
            fields.wrong(
                "product_id",
                "one of `product_id` and `kind` is needed".to_owned(),
            );
        }
        Some(Self {
            product_id,
            kind,
            until: until?,
        })
    }
}

/// A snooze that has ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnoozeEnded {
    /// Its id.
    pub id: Uuid,
}

/// List what you hear nothing of at present, the first to end first.
#[utoipa::path(get, path = "/api/v1/notifications/snoozes", tag = "notifications", operation_id = "snoozes",
    responses((status = 200, body = Page<SnoozeView>)))]
pub async fn list(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let snoozes = Snoozes::new(call.state.reads.clone());
    let rows = snoozes
        .of(call.tenant(), call.principal.user_id, call.trace.now)
        .await?;
    let data = rows.into_iter().map(SnoozeView::from).collect();
    Ok(Reply::json(200, &Page::part(data, None))?.into())
}

/// Hear nothing of a product or of a kind of notification until a time. A second one for the same replaces
/// the first. What comes meanwhile is not sent later.
///
/// # Errors
/// 422 naming what is wrong.
#[utoipa::path(post, path = "/api/v1/notifications/snoozes", tag = "notifications", operation_id = "snooze",
    request_body = SnoozeRequest, responses((status = 201, body = SnoozeView)))]
pub async fn add(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<SnoozeRequest>(&request, payload).await?;
    let (wanted, user) = (body.value, call.principal.user_id);
    call.command(&request, &body.raw, move |state, context| async move {
        if wanted.until <= context.now || wanted.until > context.now + LONGEST {
            let detail = "must be later than now and within 366 days";
            return Err(Problem::invalid_field("#/until", detail));
        }
        let what = match (wanted.product_id, wanted.kind) {
            (_, Some(kind)) => Snoozed::Kind(kind),
            (Some(product), None) => {
                let product_id = ProductId(product);
                set_alert_rule::check(&state.app, context.tenant_id, &AlertScope::Product { product_id })
                    .await
                    .map_err(|error| match error {
                        set_alert_rule::Error::NoProduct => {
                            Problem::invalid_field("#/product_id", "is no product of yours")
                        }
                        error => rules_problem(error),
                    })?;
                Snoozed::Product(product_id)
            }
            (None, None) => return Err(Problem::invalid_field("#/product_id", "is needed")),
        };
        let snooze = Snooze {
            id: context.command_id.uuid(),
            what,
            until: wanted.until,
        };
        let snoozes = Snoozes::new(state.reads.clone());
        let kept = snoozes.put(context.tenant_id, user, snooze).await?;
        Reply::json(201, &SnoozeView::from(kept))
    })
    .await
}

/// Hear of it again.
///
/// # Errors
/// 404 for one that is not yours or has ended.
#[utoipa::path(delete, path = "/api/v1/notifications/snoozes/{id}", tag = "notifications",
    operation_id = "end_snooze", params(("id" = Uuid, Path, description = "Id of the snooze")),
    responses((status = 200, body = SnoozeEnded)))]
pub async fn remove(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let id = path_id(&request, "snooze")?;
    let body = input::body::<Nothing>(&request, payload).await?;
    let user = call.principal.user_id;
    call.command(&request, &body.raw, move |state, context| async move {
        let snoozes = Snoozes::new(state.reads.clone());
        match snoozes.remove(context.tenant_id, user, id).await? {
            true => Reply::json(200, &SnoozeEnded { id }),
            false => Err(Problem::not_found("snooze")),
        }
    })
    .await
}
