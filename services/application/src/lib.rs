//! The use cases, one a file: each takes a [`Context`] that says who asks and when, loads what the decision
//! needs, asks the aggregate, and appends. HTTP, NATS, the bot and the policies all come through here, so a
//! rule that holds here holds everywhere. Nothing here reads a read model: what a decision needs is in the
//! streams.

mod context;
mod execute;
mod folded;

pub mod accept_invitation;
pub mod administration;
pub mod allowance;
pub mod billing;
pub mod change_password;
pub mod change_schedule;
pub mod change_sheet_layout;
pub mod change_time_zone;
pub mod connect_cabinet;
pub mod credential;
pub mod decide_held;
pub mod disconnect_cabinet;
pub mod erase_tenant;
pub mod erase_user;
pub mod erasure;
pub mod exclude_warehouse;
pub mod follow_plan;
pub mod judge_credential;
pub mod link_sheet;
pub mod members;
pub mod membership;
pub mod raise_alerts;
pub mod record_check;
pub mod record_observations;
pub mod register;
pub mod remove_alert_rule;
pub mod rename_tenant;
pub mod replace_credential;
pub mod report_sheet;
pub mod request_sync;
mod retired;
pub mod set_alert_rule;
pub mod subscriptions;
pub mod sync_attempt;
pub mod telegram;
pub mod unlink_sheet;
pub mod watch_expiry;
pub mod webhooks;
pub mod wire;

/// The words in which use cases are asked and refuse.
pub use domain;
/// Why a command's events are not in the log, and why the log cannot be read; found among the causes of
/// [`ExecuteError`].
pub use event_store::{AppendError, ReadError};
/// Why a secret was not opened.
pub use vault::VaultError;

pub use context::{App, Context, Receipt};
pub use execute::{ExecuteError, Executed};
pub use folded::Folded;
