//! What a call to Telegram came to, and what follows from it.

use application::domain::user::UserRefusal;
use application::{Context, ExecuteError, telegram};
use chrono::TimeDelta;
use connectors::telegram::{Sent, TelegramError};
use events::ids::CommandId;
use notifications::{Channel, Lease, Parcel};
use uuid::Uuid;

use super::{SendError, Sender, Turn};
use crate::fan_out::Outcome;

/// Why it cannot be recorded that a member is not reached.
pub type MissError = ExecuteError<UserRefusal>;

/// Pause for a receiver whose message may have arrived, doubled with every try, at most an hour.
const FIRST_AGAIN: TimeDelta = TimeDelta::seconds(2);
/// The longest such pause.
const LONGEST_AGAIN: TimeDelta = TimeDelta::hours(1);

impl Sender {
    pub(super) async fn settle(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        ids: &[Uuid],
        sent: Result<Sent, TelegramError>,
    ) -> Result<Turn, SendError> {
        let (outbox, now) = (self.outbox(), self.clock.now());
        let error = match sent {
            Ok(sent) => {
                let message = i64::from(sent.at.message);
                outbox.delivered(lease, parcel, ids, message, now).await?;
                self.tell(Outcome::Delivered, &parcel.notices);
                return Ok(Turn::Over);
            }
            Err(error) => error,
        };
        let may_have_arrived = error.may_have_happened();
        match error {
            TelegramError::Flood { retry_after, .. } => {
                let wait = TimeDelta::from_std(retry_after).unwrap_or(LONGEST_AGAIN);
                outbox
                    .later(lease, parcel, ids, now + wait, "flood", false)
                    .await?;
                Ok(Turn::Over)
            }
            TelegramError::Forbidden { why, .. } => self.missed(lease, parcel, why.as_str()).await,
            TelegramError::ChatNotFound { .. } => self.missed(lease, parcel, "not_found").await,
            TelegramError::Migrated { to_chat_id, .. } => {
                outbox.moved(lease, parcel, to_chat_id).await?;
                outbox.later(lease, parcel, ids, now, "migrated", false).await?;
                Ok(Turn::Over)
            }
            TelegramError::Refused { refusal, .. } => {
                tracing::error!(error = ?error, "Telegram refuses a notice");
                self.refused(lease, parcel, ids, refusal.as_str()).await
            }
            TelegramError::Unsendable(_) | TelegramError::NotModified { .. } => {
                tracing::error!(error = ?error, "a notice cannot be sent");
                self.refused(lease, parcel, ids, "unsendable").await
            }
            TelegramError::Unauthorized { .. }
            | TelegramError::Unreachable(_)
            | TelegramError::Unavailable { .. }
            | TelegramError::Conflict { .. }
            | TelegramError::UnknownOutcome(_) => {
                tracing::warn!(error = ?error, "Telegram does not take notices");
                let tries = parcel
                    .notices
                    .iter()
                    .map(|notice| notice.attempts)
                    .max()
                    .unwrap_or_default();
                let doubled = FIRST_AGAIN * (1 << tries.clamp(0, 11));
                let at = match may_have_arrived {
                    true => now + doubled.min(LONGEST_AGAIN),
                    false => now,
                };
                let class = class(&error);
                outbox
                    .later(lease, parcel, ids, at, class, may_have_arrived)
                    .await?;
                Ok(Turn::Pause)
            }
        }
    }

    async fn refused(
        &self,
        lease: &Lease,
        parcel: &Parcel,
        ids: &[Uuid],
        why: &'static str,
    ) -> Result<Turn, SendError> {
        let reasons: Vec<_> = ids.iter().map(|id| (*id, why)).collect();
        let now = self.clock.now();
        self.outbox().dropped(lease, parcel, &reasons, true, now).await?;
        self.tell(Outcome::Refused, &parcel.notices);
        Ok(Turn::Over)
    }

    /// The event comes first: told again after a crash, it changes nothing.
    async fn missed(&self, lease: &Lease, parcel: &Parcel, why: &str) -> Result<Turn, SendError> {
        let command_id = self.ids.next();
        let now = self.clock.now();
        let context = Context {
            tenant_id: parcel.tenant,
            actor: "notifier".to_owned(),
            command_id: CommandId(command_id),
            correlation_id: command_id,
            causation_id: None,
            traceparent: None,
            now,
        };
        match telegram::miss(&self.app, &context, parcel.user, why).await {
            // A chat that was unlinked meanwhile is not missed.
            Ok(_) | Err(ExecuteError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let counts = self.outbox().unreachable(lease, parcel, why, now).await?;
        for (kind, number) in counts {
            (self.observer)(Outcome::LeftOut, kind, Channel::Telegram, number);
        }
        Ok(Turn::Over)
    }
}

const fn class(error: &TelegramError) -> &'static str {
    match error {
        TelegramError::Unauthorized { .. } => "unauthorized",
        TelegramError::Unreachable(_) => "unreachable",
        TelegramError::Unavailable { .. } => "unavailable",
        TelegramError::UnknownOutcome(_) => "unknown_outcome",
        _ => "other",
    }
}
