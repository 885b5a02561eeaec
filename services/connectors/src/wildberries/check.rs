//! Does the token open what a sync needs? Asked when a cabinet is connected, before anything is promised.

use super::client::Wildberries;
use super::limits::{Category, Group};
use super::token::Scope;
use super::wire::SellerInfo;
use crate::error::{CallError, CallFailure};
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
    /// burst of 10, `ping` 3 times in 30 s.
    ///
    /// # Errors
    /// When `seller-info` fails. A ping that fails is a finding and hides none of the others.
    pub(super) async fn fetch_check(&self) -> Result<AccountCheck, CallError> {
        let call = self.call(SELLER, Category::Common, "/api/v1/seller-info")?;
        let reply = self.fetch(Group::SellerInfo, &call).await?;
        let info: SellerInfo =
            json::decode(&reply.body).map_err(|failure| CallError::new(SELLER, failure))?;
        if info.sid != self.token.seller_id() {
            let what = "the token names another seller than the vendor does".to_owned();
            return Err(CallError::new(SELLER, CallFailure::Inconsistent { what }));
        }
        let mut categories = Vec::with_capacity(ASKED.len());
        for (category, scope, needed) in ASKED {
            let status = self.try_category(category, scope).await;
            categories.push(CategoryCheck {
                category: category.as_str(),
                needed,
                status,
            });
        }
        Ok(AccountCheck {
            seller_id: info.sid,
            name: info.name,
            expires_at: Some(self.token.expires_at()),
            read_only: Some(self.token.scopes().has(Scope::ReadOnly)),
            categories,
        })
    }

    async fn try_category(&self, category: Category, scope: Scope) -> CategoryStatus {
        if !self.token.scopes().has(scope) {
            return CategoryStatus::NotInCredential;
        }
        let answered = async {
            let call = self.call(PING, category, "/ping")?;
            self.fetch(Group::Ping(category), &call).await
        };
        match answered.await {
            Ok(_) => CategoryStatus::Open,
            Err(error) => {
                let status = CategoryStatus::of(&error.failure);
                tracing::info!(?status, category = category.as_str(), "a category does not open");
                status
            }
        }
    }
}
