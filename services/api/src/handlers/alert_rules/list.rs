//! The rules of a tenant.

use actix_web::{HttpRequest, HttpResponse};
use application::set_alert_rule;
use deadpool_postgres::Transaction;
use events::alert_rule::{AlertRuleSet, AlertScope};

use super::AlertRuleView;
use crate::call::Call;
use crate::freshness::Model;
use crate::handlers::tag;
use crate::input::{self, Nothing};
use crate::problem::Problem;
use crate::reply::{Page, Reply};

/// List the rules, the most specific ones first, all on one page. The last one is the default, which counts
/// where no other does: warn when the stock of a product lasts less than a week. The `ETag` is needed to
/// change rules.
///
/// # Errors
/// 401.
#[utoipa::path(get, path = "/api/v1/alert-rules", tag = "alerts", operation_id = "alert_rules",
    responses((status = 200, body = Page<AlertRuleView>), (status = 304, description = "As in If-None-Match")))]
pub async fn handle(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let call = Call::enter(&request).await?;
    let Nothing = input::query(&request)?;
    // The rules come from their stream, which is newer than any read model: a change is seen at once.
    let nothing = async |_: &Transaction<'_>| Ok(());
    let ((), position) = call.read(&request, Model::Operations, nothing).await?;
    let (known, version) = set_alert_rule::known(&call.state.app, call.tenant())
        .await
        .map_err(Problem::failure)?;
    let mut rules: Vec<&AlertRuleSet> = known.rules.values().collect();
    rules.sort_by_key(|rule| (rank(&rule.scope), &rule.scope));
    let mut views: Vec<AlertRuleView> = rules.into_iter().map(Into::into).collect();
    views.push(AlertRuleView::default_rule());
    let reply = Reply::json(200, &Page::whole(views))?.position(position);
    Ok(tag::tagged(&request, reply, version))
}

const fn rank(scope: &AlertScope) -> u8 {
    match scope {
        AlertScope::Product { .. } => 0,
        AlertScope::Subject { .. } => 1,
        AlertScope::Cabinet { .. } => 2,
        AlertScope::Tenant => 3,
    }
}
