//! An address that a tenant wants to be called at.

use chrono::{DateTime, Utc};
use events::StreamType;
use events::catalog::WebhookEndpointEvent;
use events::ids::CredentialId;
use events::webhook_endpoint::{
    DisableReason, WebhookEndpointAdded, WebhookEndpointChanged, WebhookEndpointDisabled,
    WebhookEndpointEnabled, WebhookEndpointRemoved, WebhookSecretRotated,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;
use crate::notice::NoticeKind;

/// What an endpoint knows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEndpoint {
    /// What it is, while it is there.
    pub active: Option<Active>,
    /// Whether it was taken away.
    pub removed: bool,
}

/// An endpoint that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Host of the address.
    pub host: String,
    /// Types of messages it gets, ascending; empty for all.
    pub types: Vec<String>,
    /// The address in the vault.
    pub address_id: CredentialId,
    /// The signing secret in the vault.
    pub secret_id: CredentialId,
    /// The secret before and when it ends, after a rotation.
    pub former: Option<(CredentialId, DateTime<Utc>)>,
    /// Why it is switched off, while it is.
    pub disabled: Option<DisableReason>,
}

/// What an endpoint can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEndpointCommand {
    /// Be there.
    Add(WebhookEndpointAdded),
    /// Have another address or filter.
    Change(WebhookEndpointChanged),
    /// Sign with another secret.
    RotateSecret(WebhookSecretRotated),
    /// Be switched off.
    Disable(DisableReason),
    /// Be switched on.
    Enable,
    /// Be off while the plan has no webhooks, and on again when it has.
    FollowPlan {
        /// Whether the plan has them.
        allowed: bool,
    },
    /// Be gone.
    Remove,
}

/// Why an endpoint refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookEndpointRefusal {
    /// Never added, or removed.
    #[error("there is no such endpoint")]
    NotFound,
    /// Added before.
    #[error("the endpoint is already there")]
    Exists,
    /// A type that no message has.
    #[error("there are no messages of the type `{0}`")]
    UnknownType(String),
}

/// The filter in its one form.
fn types(mut types: Vec<String>) -> Result<Vec<String>, WebhookEndpointRefusal> {
    types.sort_unstable();
    types.dedup();
    match types.iter().find(|name| NoticeKind::parse(name).is_none()) {
        Some(unknown) => Err(WebhookEndpointRefusal::UnknownType(unknown.clone())),
        None => Ok(types),
    }
}

impl Decider for WebhookEndpoint {
    const STREAM: StreamType = StreamType::WebhookEndpoint;
    const FOLD_VERSION: i32 = 1;
    type Command = WebhookEndpointCommand;
    type Happened = WebhookEndpointEvent;
    type Refusal = WebhookEndpointRefusal;

    fn decide(
        &self,
        command: WebhookEndpointCommand,
    ) -> Result<Vec<WebhookEndpointEvent>, WebhookEndpointRefusal> {
        use WebhookEndpointCommand as Command;

        let active = match (&self.active, command) {
            (None, Command::Add(mut added)) if !self.removed => {
                added.types = types(added.types)?;
                return Ok(vec![added.into()]);
            }
            (_, Command::Add(_)) => return Err(WebhookEndpointRefusal::Exists),
            (None, _) => return Err(WebhookEndpointRefusal::NotFound),
            (Some(active), command) => (active, command),
        };
        Ok(match active {
            (active, Command::Change(mut changed)) => {
                changed.types = types(changed.types)?;
                let same = active.types == changed.types && active.address_id == changed.address_id;
                if same { vec![] } else { vec![changed.into()] }
            }
            (active, Command::RotateSecret(rotated)) if active.secret_id == rotated.secret_id => vec![],
            (_, Command::RotateSecret(rotated)) => vec![rotated.into()],
            // A person's wish stands whatever else was the reason; nothing else takes the place of a reason.
            (active, Command::Disable(reason)) => match active.disabled {
                Some(before) if before == reason || reason != DisableReason::Person => vec![],
                _ => vec![WebhookEndpointDisabled { reason }.into()],
            },
            (active, Command::FollowPlan { allowed: false }) => match active.disabled {
                None => vec![
                    WebhookEndpointDisabled {
                        reason: DisableReason::Plan,
                    }
                    .into(),
                ],
                Some(_) => vec![],
            },
            (active, Command::FollowPlan { allowed: true }) => match active.disabled {
                Some(DisableReason::Plan) => vec![WebhookEndpointEnabled {}.into()],
                _ => vec![],
            },
            (active, Command::Enable) if active.disabled.is_none() => vec![],
            (_, Command::Enable) => vec![WebhookEndpointEnabled {}.into()],
            (_, Command::Remove) => vec![WebhookEndpointRemoved {}.into()],
            (_, Command::Add(_)) => return Err(WebhookEndpointRefusal::Exists),
        })
    }

    fn evolve(&mut self, event: &WebhookEndpointEvent) {
        match (event, &mut self.active) {
            (WebhookEndpointEvent::WebhookEndpointAdded(added), _) => {
                self.active = Some(Active {
                    host: added.host.clone(),
                    types: added.types.clone(),
                    address_id: added.address_id,
                    secret_id: added.secret_id,
                    former: None,
                    disabled: None,
                });
            }
            (WebhookEndpointEvent::WebhookEndpointChanged(changed), Some(active)) => {
                active.host.clone_from(&changed.host);
                active.types.clone_from(&changed.types);
                active.address_id = changed.address_id;
            }
            (WebhookEndpointEvent::WebhookSecretRotated(rotated), Some(active)) => {
                active.former = Some((active.secret_id, rotated.former_until));
                active.secret_id = rotated.secret_id;
            }
            (WebhookEndpointEvent::WebhookEndpointDisabled(disabled), Some(active)) => {
                active.disabled = Some(disabled.reason);
            }
            (WebhookEndpointEvent::WebhookEndpointEnabled(_), Some(active)) => active.disabled = None,
            (WebhookEndpointEvent::WebhookEndpointRemoved(_), _) => {
                self.active = None;
                self.removed = true;
            }
            (_, None) => {}
        }
    }
}

aggregate!(WebhookEndpoint, "webhook_endpoint");

#[cfg(test)]
mod tests;
