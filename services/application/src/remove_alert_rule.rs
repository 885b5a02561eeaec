//! A seller takes a rule for alerts away; the next less specific one counts.

use domain::alert_rules::AlertRulesCommand;
use events::ids::AlertRuleId;

use crate::set_alert_rule::{self, Error};
use crate::{App, Context, Receipt};

/// Takes it away, if the rules are still at version `seen`.
///
/// # Errors
/// [`Error`]; a rule that is not there is refused with
/// [`NotFound`](domain::alert_rules::AlertRulesRefusal::NotFound).
pub async fn execute(
    app: &App,
    context: &Context,
    rule_id: AlertRuleId,
    seen: Option<i64>,
) -> Result<Receipt, Error> {
    let command = AlertRulesCommand::Remove(rule_id);
    let executed = set_alert_rule::change(app, context, &command, seen, |_| None).await?;
    Ok(executed.receipt)
}
