//! Does the token open what a sync needs? Asked when a cabinet is connected, before anything is promised.

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::SellerInfo;
use crate::error::{CallError, CallFailure, FailureClass};
use crate::json;
use crate::marketplace::{AccountCheck, CategoryCheck, CategoryStatus};

const SELLER: &str = "GET /api/v1/seller-info";
const PING: &str = "GET /ping";

/// What a sync asks: cards, stock and orders, and the seller's warehouses, which most sellers do not have.
const ASKED: [(Category, Scope, bool); 4] = [
    (Category::Content, Scope::Content, true),
    (Category::Analytics, Scope::Analytics, true),
    (Category::Marketplace, Scope::Marketplace, false),
    (Category::Statistics, Scope::Statistics, true),
];

impl Wildberries {
    /// The seller's name, and one ping per needed category: a ping must go to the host whose category it
    /// tests.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/api-information>; `seller-info` once a minute with a
    /// burst of 10, with a base token once a day; `ping` 3 times in 30 s. What the token says of itself is
    /// enough to go on with, so `seller-info` is asked where it may be asked at once, and its silence hides
    /// nothing.
    ///
    /// # Errors
    /// When neither `seller-info` nor any ping takes the token: a refusal by several methods is a verdict,
    /// one by a single method is none. Anything else that fails is a finding and hides none of the others.
    pub(super) async fn fetch_check(&self) -> Result<AccountCheck, CallError> {
        let info = self.seller_info().await;
        if let Some(Ok(info)) = &info
            && info.sid != self.token.seller_id()
        {
            let what = "the token names another seller than the vendor does".to_owned();
            return Err(CallError::new(SELLER, CallFailure::Inconsistent { what }));
        }
        let (mut categories, mut failures) = (Vec::with_capacity(ASKED.len()), Vec::new());
        for (category, scope, needed) in ASKED {
            let status = match self.try_category(category, scope).await {
                None => CategoryStatus::NotInCredential,
                Some(Ok(())) => CategoryStatus::Open,
                Some(Err(error)) => {
                    let status = CategoryStatus::of(&error.failure);
                    failures.push(error);
                    status
                }
            };
            categories.push(CategoryCheck {
                category: category.as_str(),
                needed,
                status,
            });
        }
        let is_open = categories
            .iter()
            .any(|category| category.status == CategoryStatus::Open);
        let name = match info {
            Some(Ok(info)) => info.name,
            Some(Err(error)) if !is_open => return Err(verdict(error, failures)),
            None if !is_open && !failures.is_empty() => {
                let first = failures.swap_remove(0);
                return Err(verdict(first, failures));
            }
            Some(Err(error)) => {
                // The marketplace's words can hold anything.
                tracing::info!(
                    class = error.class().as_str(),
                    "the seller's name is not known, the token opens something"
                );
                String::new()
            }
            None => String::new(),
        };
        Ok(AccountCheck {
            seller_id: self.token.seller_id().to_owned(),
            name,
            expires_at: Some(self.token.expires_at()),
            read_only: Some(self.token.scopes().has(Scope::ReadOnly)),
            categories,
        })
    }

    /// None where it may not be asked now.
    async fn seller_info(&self) -> Option<Result<SellerInfo, CallError>> {
        if !self.seller.bucket(Group::SellerInfo).wait().await.is_zero() {
            return None;
        }
        let asked = async {
            let call = self.call(SELLER, Category::Common, "/api/v1/seller-info")?;
            let reply = self.fetch(Group::SellerInfo, &call).await?;
            json::decode(&reply.body).map_err(|failure| CallError::new(SELLER, failure))
        };
        match asked.await {
            Err(error) if matches!(error.failure, CallFailure::RateLimited { .. }) => None,
            asked => Some(asked),
        }
    }

    /// None where the token was made without the category.
    async fn try_category(&self, category: Category, scope: Scope) -> Option<Result<(), CallError>> {
        if !self.token.scopes().has(scope) {
            return None;
        }
        let answered = async {
            let call = self.call(PING, category, "/ping")?;
            self.fetch(Group::Ping(category), &call).await
        };
        let answered = answered.await.map(drop);
        if let Err(error) = &answered {
            tracing::info!(
                class = error.class().as_str(),
                category = category.as_str(),
                "a category does not open"
            );
        }
        Some(answered)
    }
}

/// The first failure where all the others refuse the token as well; else one that is no verdict on it.
fn verdict(first: CallError, others: Vec<CallError>) -> CallError {
    let refuses =
        |error: &CallError| matches!(error.class(), FailureClass::Credential | FailureClass::Payment);
    if !refuses(&first) {
        return first;
    }
    match others.into_iter().find(|other| !refuses(other)) {
        Some(other) => other,
        None => first,
    }
}
