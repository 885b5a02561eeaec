//! Does the key open what a sync needs? Asked when a cabinet is connected, before anything is promised.

use super::catalogue::time;
use super::client::Ozon;
use super::limits::Group;
use super::wire::{Nothing, Roles, SellerInfo};
use crate::error::CallError;
use crate::json;
use crate::marketplace::{AccountCheck, CategoryCheck, CategoryStatus};

const ROLES: &str = "POST /v1/roles";
const SELLER: &str = "POST /v1/seller/info";

/// What a sync needs, and by which methods.
const NEEDED: [(&str, &[&str]); 4] = [
    ("products", &["/v3/product/list", "/v3/product/info/list"]),
    ("stock", &["/v1/analytics/stocks"]),
    (
        "warehouses",
        &["/v2/warehouse/list", "/v2/product/info/stocks-by-warehouse/fbs"],
    ),
    ("postings", &["/v3/posting/fbo/list", "/v4/posting/fbs/list"]),
];

impl Ozon {
    /// The roles of the key, which name their methods, and the name of the cabinet.
    ///
    /// Pages: <https://docs.ozon.ru/api/seller/#operation/AccessAPI_RolesByToken> and
    /// `#operation/SellerAPI_SellerInfo`. A key lives for six months, since 2026-09-03 for three.
    ///
    /// # Errors
    /// When the roles do not answer; a missing right is a finding, not an error, and so is a name that the
    /// key may not read.
    pub(super) async fn fetch_check(&self) -> Result<AccountCheck, CallError> {
        let reply = self.ask(Group::All, ROLES, &Nothing {}).await?;
        let roles: Roles = json::decode(&reply.body).map_err(|failure| CallError::new(ROLES, failure))?;
        let name = self.seller_name().await.unwrap_or_else(|error| {
            tracing::info!(class = error.class().as_str(), "the seller's name is not told");
            String::new()
        });
        let expires_at = roles
            .expires_at
            .as_deref()
            .map(|text| {
                time(text)
                    .ok_or_else(|| CallError::new(ROLES, json::malformed("field `expires_at` is no time")))
            })
            .transpose()?;
        let categories = NEEDED.map(|(category, methods)| CategoryCheck {
            category,
            needed: true,
            status: status(&roles, methods),
        });
        Ok(AccountCheck {
            seller_id: self.credential.client_id().to_string(),
            name,
            expires_at,
            read_only: None,
            categories: categories.into(),
        })
    }

    async fn seller_name(&self) -> Result<String, CallError> {
        let reply = self.ask(Group::All, SELLER, &Nothing {}).await?;
        let info: SellerInfo =
            json::decode(&reply.body).map_err(|failure| CallError::new(SELLER, failure))?;
        Ok(info.company.name)
    }
}

fn status(roles: &Roles, methods: &[&str]) -> CategoryStatus {
    if methods.iter().all(|method| opens(roles, method)) {
        CategoryStatus::Open
    } else {
        CategoryStatus::NotInCredential
    }
}

/// A role names its methods, or the beginning that they share.
fn opens(roles: &Roles, method: &str) -> bool {
    let mut named = roles.roles.iter().flat_map(|role| &role.methods);
    named.any(|name| {
        let rest = method.strip_prefix(name.trim_end_matches('/'));
        !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::{opens, status};
    use crate::json;
    use crate::marketplace::CategoryStatus;
    use crate::ozon::wire::Roles;

    #[test]
    fn a_role_opens_its_methods_and_those_below_a_shared_beginning() {
        let roles: Roles = json::decode(
            br#"{"expires_at":"2026-02-18T09:54:23.296Z","roles":[{"name":"Admin","methods":["/v3/product/list"]},
                {"name":"Posting FBS","methods":["/v4/posting",""]}]}"#,
        )
        .unwrap();
        assert!(opens(&roles, "/v3/product/list"));
        assert!(opens(&roles, "/v4/posting/fbs/list"));
        assert!(!opens(&roles, "/v3/product/list2"));
        let both = ["/v4/posting/fbs/list", "/v3/posting/fbo/list"];
        assert_eq!(status(&roles, &both), CategoryStatus::NotInCredential);
        assert_eq!(status(&roles, &both[..1]), CategoryStatus::Open);
    }
}
