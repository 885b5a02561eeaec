//! A seller says when to be warned that stock runs out. What a rule is for has to exist: its stream is looked
//! at, no read model.

use domain::Decider as _;
use domain::alert_rules::{AlertRules, AlertRulesCommand, AlertRulesRefusal};
use domain::cabinet::Cabinet;
use domain::product::Product;
use event_store::{Loaded, ReadError};
use events::alert_rule::{AlertRuleSet, AlertScope, EnoughStock};
use events::ids::{AlertRuleId, TenantId};
use events::sheet::LowStock;

use crate::execute::Executed;
use crate::{App, Context, ExecuteError, Folded, Receipt};

/// How often a command is decided again after a conflict.
const ROUNDS: u32 = 16;
/// What is told again when the command is repeated.
const MADE: &str = "made";
const REPLACED: &str = "replaced";

/// Why a rule was not set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tenant has no such cabinet.
    #[error("there is no such cabinet")]
    NoCabinet,
    /// The tenant has no such product.
    #[error("there is no such product")]
    NoProduct,
    /// The rules are not those that the caller has seen.
    #[error("the rules were changed meanwhile")]
    Changed,
    /// The log failed, or the rules refused.
    #[error("the rule was not set")]
    Execute(#[from] ExecuteError<AlertRulesRefusal>),
}

/// The rule that shall hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is for.
    pub scope: AlertScope,
    /// Below which stock is low.
    pub low: LowStock,
    /// From where on stock is enough; what is left out is chosen from `low`.
    pub enough: EnoughStock,
    /// Whether each warehouse is watched as well.
    pub per_warehouse: bool,
    /// Whether it warns at all.
    pub enabled: bool,
}

/// A rule that holds now.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// The rule.
    pub rule: AlertRuleSet,
    /// Whether the scope had none before.
    pub is_new: bool,
    /// What was written.
    pub receipt: Receipt,
}

/// The tenant's rules as they are in the log, and the version of their stream: 0 where there never was one.
///
/// # Errors
/// [`ReadError`].
pub async fn known(app: &App, tenant: TenantId) -> Result<(AlertRules, i64), ReadError> {
    let loaded: Loaded<Folded<AlertRules>> = app.states.load(tenant, tenant.uuid()).await?;
    Ok((loaded.state.0, loaded.version))
}

/// Makes the rule of a scope, or replaces it, if the rules are still at version `seen`. The same rule again
/// changes nothing.
///
/// # Errors
/// [`Error`].
pub async fn execute(app: &App, context: &Context, input: Input, seen: Option<i64>) -> Result<Set, Error> {
    check(app, context.tenant_id, &input.scope).await?;
    let rule_id = AlertRuleId::of(context.tenant_id, &input.scope);
    let command = AlertRulesCommand::Set {
        tenant_id: context.tenant_id,
        scope: input.scope,
        low: input.low,
        enough: input.enough,
        per_warehouse: input.per_warehouse,
        enabled: input.enabled,
    };
    let executed = change(app, context, &command, seen, |before: &AlertRules| {
        let is_known = before.rules.contains_key(&rule_id);
        Some(if is_known { REPLACED } else { MADE }.to_owned())
    })
    .await?;
    let rule = executed.state.rules.get(&rule_id).cloned();
    Ok(Set {
        // Of a repeated command whose rule was taken away since.
        rule: rule.ok_or(Error::Changed)?,
        is_new: executed.answer.as_deref() == Some(MADE),
        receipt: executed.receipt,
    })
}

/// Changes the rules, if they are still at version `seen`. `answer` is asked about the rules before.
pub(crate) async fn change(
    app: &App,
    context: &Context,
    command: &AlertRulesCommand,
    seen: Option<i64>,
    answer: impl Fn(&AlertRules) -> Option<String> + Send + Sync,
) -> Result<Executed<AlertRules>, Error> {
    let (tenant, id) = (context.tenant_id, context.tenant_id.uuid());
    for _round in 0..ROUNDS {
        let loaded: Loaded<Folded<AlertRules>> =
            app.states.load(tenant, id).await.map_err(ExecuteError::Read)?;
        // What is refused anyway is refused for its own reason.
        let is_possible = loaded.state.0.decide(command.clone()).is_ok();
        if is_possible && seen.is_some_and(|seen| seen != loaded.version) {
            // A repeated command has changed the version itself.
            let done = app.store.find_command(tenant, context.command_id.uuid()).await;
            if done.map_err(ExecuteError::Read)?.is_none() {
                return Err(Error::Changed);
            }
        }
        let told = answer(&loaded.state.0);
        let executed = app
            .execute_on(context, id, loaded, command.clone(), |_| told.clone())
            .await?;
        if let Some(executed) = executed {
            return Ok(executed);
        }
    }
    Err(ExecuteError::Contention.into())
}

/// Whether what a scope names is the tenant's.
///
/// # Errors
/// [`Error::NoCabinet`], [`Error::NoProduct`], or the log's failure.
pub async fn check(app: &App, tenant: TenantId, scope: &AlertScope) -> Result<(), Error> {
    match scope {
        AlertScope::Tenant | AlertScope::Subject { .. } => Ok(()),
        AlertScope::Cabinet { cabinet_id } => {
            let loaded = app
                .states
                .load::<Folded<Cabinet>>(tenant, cabinet_id.uuid())
                .await;
            let is_known = loaded.map_err(ExecuteError::Read)?.version > 0;
            is_known.then_some(()).ok_or(Error::NoCabinet)
        }
        AlertScope::Product { product_id } => {
            let loaded = app
                .states
                .load::<Folded<Product>>(tenant, product_id.uuid())
                .await;
            let is_known = loaded.map_err(ExecuteError::Read)?.version > 0;
            is_known.then_some(()).ok_or(Error::NoProduct)
        }
    }
}
