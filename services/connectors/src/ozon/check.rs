//! Does the key open what a sync needs? Asked when a cabinet is connected, before anything is promised, and
//! again when sources refuse it. A verdict pauses a cabinet until a person acts, so no single answer is one.

use serde_json::{Value, json};

use super::catalogue::time;
use super::client::Ozon;
use super::limits::Group;
use super::wire::{Nothing, Role, Roles, SellerInfo};
use crate::error::{CallError, CallFailure, FailureClass};
use crate::json::{self, LeftOut};
use crate::marketplace::{AccountCheck, CategoryCheck, CategoryStatus};

const ROLES: &str = "POST /v1/roles";
const SELLER: &str = "POST /v1/seller/info";

/// What is asked for by which methods, and whether a sync needs it. The last entry only decorates cards.
const CATEGORIES: [(&str, bool, &[&str]); 5] = [
    (
        "products",
        true,
        &["POST /v3/product/list", "POST /v3/product/info/list"],
    ),
    ("stock", true, &["POST /v1/analytics/stocks"]),
    (
        "warehouses",
        true,
        &[
            "POST /v2/warehouse/list",
            "POST /v2/product/info/stocks-by-warehouse/fbs",
        ],
    ),
    (
        "postings",
        true,
        &["POST /v3/posting/fbo/list", "POST /v4/posting/fbs/list"],
    ),
    (
        "descriptions",
        false,
        &[
            "POST /v4/product/info/attributes",
            "POST /v1/description-category/tree",
        ],
    ),
];

impl Ozon {
    /// The roles of the key, which name their methods, and the name of the cabinet.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/AccessAPI_RolesByToken> and
    /// `#operation/SellerAPI_SellerInfo`. A key lives for six months, since 2026-09-03 for three.
    ///
    /// What the roles do not open, or everything where they do not answer, is tried a moment later by the
    /// methods themselves. Only what those refuse in the vendor's own words is closed, and only a key that
    /// the roles and every method refuse is refused.
    ///
    /// # Errors
    /// When the roles do not answer and no method took the key; a missing right is a finding, not an error,
    /// and so is a name that the key may not read.
    pub(super) async fn fetch_check(&self) -> Result<AccountCheck, CallError> {
        let roles = self.roles().await;
        let named = roles.as_ref().map(methods_of).unwrap_or_default();
        let closed = |methods: &[&'static str]| -> Vec<&'static str> {
            let closed = methods.iter().filter(|method| !opens(&named, method));
            closed.copied().collect()
        };
        if CATEGORIES
            .iter()
            .any(|(_, _, methods)| !closed(methods).is_empty())
        {
            tokio::time::sleep(self.options.verdict_pause).await;
        }
        let mut categories = Vec::with_capacity(CATEGORIES.len());
        let mut trials = Vec::new();
        for (category, needed, methods) in CATEGORIES {
            let mut tried = Ok(());
            // Where nothing gets through there is no point in waiting for each of them.
            let away = trials.last().is_some_and(is_away) && roles.is_err();
            for method in closed(methods).into_iter().filter(|_| !away) {
                tried = self.try_method(method).await;
                if tried.is_err() {
                    break;
                }
            }
            let status = if away {
                CategoryStatus::NoAnswer
            } else {
                status(&tried, roles.is_ok())
            };
            categories.push(CategoryCheck {
                category,
                needed,
                status,
            });
            if !away {
                trials.push(tried);
            }
        }
        let expires_at = match roles {
            Ok(roles) => roles.expires_at.as_deref().and_then(time),
            Err(error) => judge(error, trials).map(|()| None)?,
        };
        let name = self.seller_name().await.unwrap_or_else(|error| {
            tracing::info!(class = error.class().as_str(), "the seller's name is not told");
            String::new()
        });
        Ok(AccountCheck {
            seller_id: self.credential.client_id().to_string(),
            name,
            expires_at,
            read_only: None,
            categories,
        })
    }

    async fn roles(&self) -> Result<Roles, CallError> {
        let reply = self.ask(Group::All, ROLES, &Nothing {}).await?;
        json::decode(&reply.body).map_err(|failure| CallError::new(ROLES, failure))
    }

    /// Asks a method for next to nothing. One that complains of the question has taken the key.
    async fn try_method(&self, method: &'static str) -> Result<(), CallError> {
        let group = match method {
            "POST /v1/analytics/stocks" => Group::AnalyticsStocks,
            _ => Group::All,
        };
        match self.ask(group, method, &question(method)).await {
            Ok(_reply) => Ok(()),
            Err(error) if matches!(error.failure, CallFailure::Rejected { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn seller_name(&self) -> Result<String, CallError> {
        let reply = self.ask(Group::All, SELLER, &Nothing {}).await?;
        let info: SellerInfo =
            json::decode(&reply.body).map_err(|failure| CallError::new(SELLER, failure))?;
        Ok(info.company.name)
    }
}

fn is_away(tried: &Result<(), CallError>) -> bool {
    tried.as_ref().is_err_and(|error| {
        matches!(
            error.failure,
            CallFailure::Unavailable { .. } | CallFailure::Network(_) | CallFailure::Timeout { .. }
        )
    })
}

/// The smallest question that a method answers.
fn question(method: &str) -> Value {
    match method {
        "POST /v3/product/list" => json!({"filter": {"visibility": "ALL"}, "last_id": "", "limit": 1}),
        "POST /v3/product/info/list" => json!({"product_id": ["1"]}),
        "POST /v1/analytics/stocks" => json!({"skus": ["1"]}),
        "POST /v2/product/info/stocks-by-warehouse/fbs" => json!({"sku": ["1"], "limit": 1, "cursor": ""}),
        "POST /v4/product/info/attributes" => json!({"filter": {"product_id": ["1"]}, "limit": 1}),
        "POST /v3/posting/fbo/list" | "POST /v4/posting/fbs/list" => json!({
            "filter": {"since": "2026-01-01T00:00:00.000Z", "to": "2026-01-02T00:00:00.000Z"},
            "limit": 1, "cursor": "", "sort_dir": "ASC",
        }),
        _ => json!({"limit": 1, "cursor": ""}),
    }
}

fn status(tried: &Result<(), CallError>, roles_answered: bool) -> CategoryStatus {
    match tried {
        Ok(()) => CategoryStatus::Open,
        // The roles do not name it, and the method says so too.
        Err(error) if roles_answered && matches!(error.failure, CallFailure::Forbidden { .. }) => {
            CategoryStatus::NotInCredential
        }
        Err(error) => CategoryStatus::of(&error.failure),
    }
}

/// What is to be said of a key whose roles did not answer. It is good where one method took it, and refused
/// where everything refused it. Else nothing is known of it, and the error says why.
fn judge(error: CallError, trials: Vec<Result<(), CallError>>) -> Result<(), CallError> {
    if trials.iter().any(Result::is_ok) {
        tracing::info!(class = error.class().as_str(), "the roles of a key are not told");
        return Ok(());
    }
    if error.class() != FailureClass::Credential {
        return Err(error);
    }
    let mut others = trials.into_iter().filter_map(Result::err);
    let unsaid = others.find(|error| error.class() != FailureClass::Credential);
    Err(unsaid.unwrap_or(error))
}

/// Methods that the roles name; a role that cannot be read opens nothing by itself.
fn methods_of(roles: &Roles) -> Vec<String> {
    let roles = roles
        .roles
        .read("roles[]", &[], &mut LeftOut::default(), Ok::<Role, _>);
    roles.into_iter().flat_map(|role| role.methods).collect()
}

/// A role names its methods, or the beginning that they share.
fn opens(named: &[String], method: &str) -> bool {
    let method = method.strip_prefix("POST ").unwrap_or(method);
    named.iter().any(|name| {
        let rest = method.strip_prefix(name.trim_end_matches('/'));
        !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::{judge, methods_of, opens};
    use crate::error::{CallError, CallFailure};
    use crate::json;
    use crate::ozon::wire::Roles;

    #[test]
    fn a_role_opens_its_methods_and_those_below_a_shared_beginning() {
        let roles: Roles = json::decode(
            br#"{"expires_at":"2026-02-18T09:54:23.296Z","roles":[{"name":"Admin","methods":["/v3/product/list"]},
                null,{"name":"Posting FBS","methods":["/v4/posting",""]}]}"#,
        )
        .unwrap();
        let named = methods_of(&roles);
        assert!(opens(&named, "POST /v3/product/list"));
        assert!(opens(&named, "POST /v4/posting/fbs/list"));
        assert!(!opens(&named, "POST /v3/product/list2"));
        assert!(!opens(&named, "POST /v3/posting/fbo/list"));
    }

    #[test]
    fn a_key_is_refused_only_where_everything_refuses_it() {
        let refused = || {
            let detail = String::new();
            CallError::new("x", CallFailure::Unauthorized { detail })
        };
        let away = || CallError::new("x", CallFailure::Unavailable { status: 503 });
        let class = |error, trials| judge(error, trials).map_err(|error| error.class().as_str());
        assert_eq!(class(refused(), vec![Err(refused()), Ok(())]), Ok(()));
        assert_eq!(class(away(), vec![Err(away()), Ok(())]), Ok(()));
        assert_eq!(
            class(refused(), vec![Err(refused()), Err(refused())]),
            Err("credential")
        );
        assert_eq!(
            class(refused(), vec![Err(refused()), Err(away())]),
            Err("transient")
        );
        assert_eq!(class(away(), vec![Err(refused())]), Err("transient"));
    }
}
