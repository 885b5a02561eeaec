//! A seller connects an account.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use application::connect_cabinet;
use events::cabinet::Marketplace;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::trial::{self, Trial};
use super::{CredentialFactsView, credential_problem};
use crate::call::Call;
use crate::input::{self, Fields, Input, shape};
use crate::problem::Problem;
use crate::reply::{ReceiptView, Reply};

/// Longest credential, bytes; Wildberries' tokens have some 600.
pub(super) const LONGEST_CREDENTIAL: usize = 8 * 1024;
pub(super) const MARKETPLACES: &[(&str, Marketplace)] = &[
    ("wildberries", Marketplace::Wildberries),
    ("ozon", Marketplace::Ozon),
];

/// Which account.
#[derive(ToSchema)]
pub struct ConnectRequest {
    /// Where it is.
    #[schema(value_type = String, example = "wildberries")]
    pub marketplace: Marketplace,
    /// At Ozon, the `Client-Id` of the account.
    #[schema(required = false, value_type = String, example = "1234567", max_length = 20)]
    pub client_id: Option<String>,
    /// The key that opens it: at Wildberries a token of the categories content, analytics and statistics, at
    /// Ozon an `Api-Key` that may read products, stock, warehouses and postings. It is sealed at once and
    /// never shown again.
    #[schema(value_type = String, format = "password")]
    pub credential: SecretString,
    /// What the seller calls it.
    #[schema(required = false, max_length = 255)]
    pub title: Option<String>,
}

impl Input for ConnectRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let marketplace = fields.required("marketplace", shape::one_of(MARKETPLACES));
        let client_id = fields.optional("client_id", shape::client_id);
        let credential = fields.required("credential", shape::secret(LONGEST_CREDENTIAL));
        match (marketplace, &client_id) {
            (Some(Marketplace::Ozon), None) if !fields.is_wrong("client_id") => {
                fields.wrong("client_id", "is required for Ozon".to_owned());
            }
            (Some(Marketplace::Wildberries), Some(_)) => {
                fields.wrong("client_id", "is for Ozon only".to_owned());
            }
            _ => {}
        }
        let title = fields.optional("title", shape::text(0, 255));
        Some(Self {
            marketplace: marketplace?,
            credential: whole(client_id.as_deref(), credential?),
            client_id,
            title,
        })
    }
}

/// The one text of a credential, as it is sealed.
pub(super) fn whole(client_id: Option<&str>, credential: SecretString) -> SecretString {
    match client_id {
        Some(client_id) => format!("{client_id}:{}", credential.expose_secret()).into(),
        None => credential,
    }
}

/// A cabinet that was connected.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connected {
    /// Its id.
    pub id: Uuid,
    /// Whether the seller account had been connected before and was taken away; its products and their
    /// history go on.
    pub reconnected: bool,
    /// What its credential said about itself.
    pub credential: CredentialFactsView,
    /// What a trial at the marketplace brought out.
    pub check: Trial,
    /// What was written.
    #[serde(flatten)]
    pub receipt: ReceiptView,
}

/// Connect a cabinet. The credential is tried at once, and the first sync is asked for by itself. A seller
/// account whose cabinet was taken away gets that cabinet back, under its old id, with its products, their
/// history and its interval; a schedule that was paused runs again.
///
/// # Errors
/// 402 where the plan allows no further cabinet; 422 for a credential that cannot be used, saying why; 409
/// where the seller account is connected already.
#[utoipa::path(post, path = "/api/v1/cabinets", tag = "cabinets", operation_id = "connect_cabinet",
    request_body = ConnectRequest,
    responses((status = 201, body = Connected), (status = 402), (status = 409)))]
pub async fn handle(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let body = input::body::<ConnectRequest>(&request, payload).await?;
    let given = body.value;
    call.command(&request, &body.raw, move |state, context| async move {
        let title = given.title.as_deref().filter(|title| !title.is_empty());
        let connected =
            connect_cabinet::execute(&state.app, &context, given.marketplace, &given.credential, title)
                .await
                .map_err(credential_problem)?;
        let check = trial::of_given(&state, &context, connected.cabinet_id, true).await;
        let view = Connected {
            id: connected.cabinet_id.uuid(),
            reconnected: connected.reconnected,
            credential: connected.credential.into(),
            check,
            receipt: ReceiptView::of(context.command_id, &connected.receipt),
        };
        let location = format!("/api/v1/cabinets/{}", connected.cabinet_id);
        Ok(Reply::json(201, &view)?
            .location(location)
            .position(connected.receipt.position))
    })
    .await
}
