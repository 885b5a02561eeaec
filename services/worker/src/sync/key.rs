//! What a sync learns of the cabinet's key, and whom it tells.

use application::domain::cabinet::CheckOutcome;
use application::judge_credential::Verdict;
use application::{judge_credential, record_check};
use connectors::marketplace::MarketplaceClient;

use super::sources::Seen;
use super::{Attempt, CHECK};
use crate::check;

/// Class of a refusal for want of payment.
const UNPAID: &str = "payment_required";

/// What is known of the key after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// What the sources said of it.
    Believed,
    /// They refused it, and the marketplace did not confirm that: they are asked again.
    Contradicted,
}

impl Attempt<'_> {
    /// Tells the cabinet what the marketplace thinks of its key: refused by every source, or taken by one.
    pub(super) async fn judge_credential(&self, seen: &Seen, client: &MarketplaceClient) -> Key {
        if let Some(reason) = seen.credential_refused() {
            return self.is_refused(reason, client).await;
        }
        if seen.credential_taken() {
            self.tell_credential(Verdict::Accepted).await;
        }
        let known =
            |rights: &Vec<events::cabinet::Right>| rights.iter().any(|right| right.status.is_refused());
        if seen.refuses_a_part() && !self.attempt.rights.as_ref().is_some_and(known) {
            self.find_out_what_is_closed().await;
        }
        Key::Believed
    }

    /// Every source refused the key. That pauses the cabinet until a person acts, so the marketplace is asked
    /// about the key itself first: gates in front of it refuse everybody now and then.
    async fn is_refused(&self, reason: &str, client: &MarketplaceClient) -> Key {
        let outcome = match reason {
            // The balance is asked for by the sources, not by what tells of the key. So the second look is
            // the next attempt: a gate that answers so for a moment pauses nobody.
            UNPAID if self.attempt.last_failure.as_deref() != Some(UNPAID) => return Key::Contradicted,
            UNPAID => Ok(Ok(CheckOutcome::Refused(reason.to_owned()))),
            _ => tokio::time::timeout(CHECK, Box::pin(check::ask(client))).await,
        };
        let (Some(credential), Ok(Ok(outcome))) = (&self.attempt.credential, outcome) else {
            tracing::info!(cabinet.id = %self.job.cabinet_id, reason, "refused, and nothing said of the key");
            return Key::Contradicted;
        };
        if let CheckOutcome::Refused(reason) = outcome {
            self.tell_credential(Verdict::Rejected(reason)).await;
            return Key::Believed;
        }
        let (context, cabinet_id) = (self.part("refused"), self.job.cabinet_id);
        let id = credential.credential_id;
        match record_check::execute(&self.syncs.app, &context, cabinet_id, id, outcome).await {
            Ok(recorded) if recorded.state.rejected.is_some() => Key::Believed,
            Ok(_taken) => Key::Contradicted,
            Err(error) => {
                tracing::warn!(error = ?error, cabinet.id = %cabinet_id, "findings not recorded");
                Key::Contradicted
            }
        }
    }

    /// One source refused the key and others did not: which right is gone shall stand with the cabinet.
    async fn find_out_what_is_closed(&self) {
        let context = self.part("recheck");
        let checking = Box::pin(check::run(self.syncs, &context, self.job.cabinet_id));
        if let Ok(Err(error)) = tokio::time::timeout(CHECK, checking).await {
            tracing::info!(error = ?error, cabinet.id = %self.job.cabinet_id, "the key could not be tried");
        }
    }

    pub(super) async fn tell_credential(&self, verdict: Verdict) {
        let Some(credential) = &self.attempt.credential else {
            return;
        };
        let context = self.part("credential");
        let told = judge_credential::execute(
            &self.syncs.app,
            &context,
            self.job.cabinet_id,
            credential.credential_id,
            verdict,
        );
        // The next sync tells again; this one's own outcome is told below.
        if let Err(error) = told.await {
            tracing::warn!(error = ?error, cabinet.id = %self.job.cabinet_id, "verdict not recorded");
        }
    }
}
