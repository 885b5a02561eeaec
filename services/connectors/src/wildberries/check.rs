//! Does the token open what a sync needs? Asked when a cabinet is connected, before anything is promised.

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::SellerInfo;
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::marketplace::{AccountCheck, CategoryCheck};

const SELLER: &str = "GET /api/v1/seller-info";
const PING: &str = "GET /ping";

/// What a sync needs: cards, stock and orders, the seller's warehouses. Statistics only stands in for the
/// order feed, but where a seller has it, losing it should be seen.
const NEEDED: [(Category, Scope); 4] = [
    (Category::Content, Scope::Content),
    (Category::Analytics, Scope::Analytics),
    (Category::Marketplace, Scope::Marketplace),
    (Category::Statistics, Scope::Statistics),
];

impl Wildberries {
    /// The seller's name, and one ping per needed category: a ping must go to the host whose category it
    /// tests.
    ///
    /// Page: <https://dev.wildberries.ru/docs/openapi/api-information>; `seller-info` once a minute with a
    /// burst of 10, `ping` 3 times in 30 s.
    ///
    /// # Errors
    /// When `seller-info` fails, or a ping fails for another reason than being refused.
    pub(super) async fn fetch_check(&self) -> Result<AccountCheck, CallError> {
        let call = self.call(SELLER, Category::Common, "/api/v1/seller-info")?;
        let reply = self.fetch(Group::SellerInfo, &call).await?;
        let info: SellerInfo =
            json::decode(&reply.body).map_err(|failure| CallError::new(SELLER, failure))?;
        if info.sid != self.token.seller_id() {
            let what = "the token names another seller than the vendor does".to_owned();
            return Err(CallError::new(SELLER, CallFailure::Inconsistent { what }));
        }
        let mut categories = Vec::with_capacity(NEEDED.len());
        for (category, scope) in NEEDED {
            let refusal = self.refusal(category, scope).await?;
            categories.push(CategoryCheck {
                category: category.as_str(),
                refusal,
            });
        }
        Ok(AccountCheck {
            seller_id: info.sid,
            name: info.name,
            expires_at: Some(self.token.expires_at()),
            categories,
        })
    }

    async fn refusal(&self, category: Category, scope: Scope) -> Result<Option<String>, CallError> {
        if !self.token.scopes().has(scope) {
            return Ok(Some(format!(
                "the token does not open the category {}",
                category.as_str()
            )));
        }
        let call = self.call(PING, category, "/ping")?;
        match self.fetch(Group::Ping(category), &call).await {
            Ok(_) => Ok(None),
            Err(error) => match error.failure {
                CallFailure::Unauthorized { detail }
                | CallFailure::Forbidden { detail }
                | CallFailure::PaymentRequired { detail } => Ok(Some(detail)),
                failure => Err(CallError::new(PING, failure)),
            },
        }
    }
}
