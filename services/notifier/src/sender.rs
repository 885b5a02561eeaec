//! Sends what is due by Telegram. One sender at a time works, by a lease, and has at most one message under
//! way: Telegram knows no key by which it would refuse a second one, so whatever ends a sender can double one
//! message at the most.
//!
//! Everything that is due for a receiver is one message. It goes when nothing new has come for the receiver
//! for a few seconds, so that what a sync finds is told together.

mod names;
mod outcome;

use std::time::Duration;

use application::App;
use chrono::TimeDelta;
use connectors::telegram::{NewMessage, Place, ReplyMarkup, Sent, Telegram, TelegramError};
use database::Pool;
use events::ids::{TenantId, UserId};
use notifications::{Channel, Lease, Outbox, Parcel, Ready, StoreError, Taken, Work, WriteError};
use runtime::{Clock, Ids};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::compose::{Item, Message, Reader, compose};
use crate::fan_out::{Observer, Outcome};
use crate::matter::Facts;
use crate::texts::Texts;
use crate::when::{GATHER, zone_of};

pub use outcome::MissError;

/// Why a round ended early; the next one takes up what is left.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// What became of a message cannot be written.
    #[error("the notices cannot be marked")]
    Write(#[from] WriteError),
    /// That a member cannot be reached cannot be recorded.
    #[error("it cannot be recorded that a member is not reached")]
    Miss(#[from] MissError),
}

impl From<StoreError> for SendError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

/// How the sender works.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// How late it may notice something that is due.
    pub poll: Duration,
    /// How long the lease lasts unless it is renewed.
    pub lease: Duration,
    /// Receivers of one round.
    pub receivers: i64,
    /// A receiver's message waits until nothing new has come for so long.
    pub quiet: TimeDelta,
    /// Unless something has been due for longer than this.
    pub longest: TimeDelta,
    /// First pause after Telegram could not be reached; doubles with every further one.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Address of the app without a slash at the end, if it has one.
    pub app_url: Option<String>,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(500),
            lease: Duration::from_secs(30),
            receivers: 50,
            quiet: TimeDelta::seconds(5),
            longest: TimeDelta::seconds(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            app_url: None,
        }
    }
}

/// The sender and its means.
#[derive(Clone)]
pub struct Sender {
    /// Acts as the notifier.
    pub app: App,
    /// Acts as the notifier.
    pub pool: Pool,
    /// The bot, at its pace.
    pub telegram: Telegram,
    /// What is said.
    pub texts: Texts,
    /// Now.
    pub clock: Clock,
    /// Names this instance and its commands.
    pub ids: Ids,
    /// How it works.
    pub options: SenderOptions,
    /// Who is told.
    pub observer: Observer,
}

/// What a receiver's turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Go on with the next receiver.
    Over,
    /// Telegram is in trouble: nobody's turn is worth trying for a while.
    Pause,
}

impl Sender {
    /// Runs until told to stop. Any number of processes may; one at a time works.
    pub async fn run(&self, stop: CancellationToken) {
        let mut lease: Option<Lease> = None;
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let pause = match self.round(&mut lease, &stop).await {
                Ok(Turn::Over) => {
                    failures = 0;
                    self.options.poll
                }
                Ok(Turn::Pause) => {
                    failures = failures.saturating_add(1);
                    self.pause(failures)
                }
                Err(SendError::Write(WriteError::Fenced)) => {
                    tracing::info!("another instance sends the notices");
                    lease = None;
                    self.options.poll
                }
                Err(error) => {
                    tracing::warn!(error = ?error, "sending notices failed");
                    self.options.poll
                }
            };
            self.rest(lease, pause, &stop).await;
        }
        if let Some(lease) = lease
            && let Err(error) = lease.release(&self.pool).await
        {
            tracing::debug!(error = ?error, "the lease of the sender runs out by itself");
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let doubled = self.options.first_pause.saturating_mul(1_u32 << failures.min(16));
        (doubled / 2).min(self.options.longest_pause)
    }

    /// Keeps the lease while nothing is done.
    async fn rest(&self, lease: Option<Lease>, pause: Duration, stop: &CancellationToken) {
        let mut left = pause;
        while !left.is_zero() && !stop.is_cancelled() {
            let step = left.min(self.options.lease / 3);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(step) => {}
            }
            left = left.saturating_sub(step);
            if let Some(lease) = lease
                && !left.is_zero()
                && let Err(error) = lease.renew(&self.pool, self.options.lease).await
            {
                tracing::debug!(error = ?error, "the sender's lease cannot be renewed");
            }
        }
    }

    /// One round over the receivers for whom something is ready.
    async fn round(&self, lease: &mut Option<Lease>, stop: &CancellationToken) -> Result<Turn, SendError> {
        let lasting = self.options.lease;
        match *lease {
            Some(held) => held.renew(&self.pool, lasting).await?,
            None => *lease = Lease::take(&self.pool, Work::Telegram, self.ids.next(), lasting).await?,
        }
        let Some(lease) = *lease else {
            return Ok(Turn::Over);
        };
        let outbox = self.outbox();
        loop {
            let receivers = outbox.ready(self.ready(), self.options.receivers).await?;
            if receivers.is_empty() || stop.is_cancelled() {
                return Ok(Turn::Over);
            }
            for (tenant, user) in receivers {
                if stop.is_cancelled() {
                    return Ok(Turn::Over);
                }
                lease.renew(&self.pool, lasting).await?;
                if self.turn(&lease, tenant, user).await? == Turn::Pause {
                    return Ok(Turn::Pause);
                }
            }
        }
    }

    fn outbox(&self) -> Outbox {
        Outbox::new(self.pool.clone(), Channel::Telegram)
    }

    fn ready(&self) -> Ready {
        Ready {
            now: self.clock.now(),
            along: GATHER,
            quiet: self.options.quiet,
            longest: self.options.longest,
        }
    }

    /// Sends a receiver what is due.
    async fn turn(&self, lease: &Lease, tenant: TenantId, user: UserId) -> Result<Turn, SendError> {
        let outbox = self.outbox();
        let mut parcel = outbox.parcel(tenant, user, self.ready()).await?;
        let (idle, due): (Vec<Taken>, Vec<Taken>) =
            parcel.notices.drain(..).partition(|notice| notice.idle.is_some());
        if !idle.is_empty() {
            let reasons: Vec<_> = idle
                .iter()
                .filter_map(|notice| Some((notice.id, notice.idle?)))
                .collect();
            outbox
                .dropped(lease, &parcel, &reasons, false, self.clock.now())
                .await?;
            self.tell(Outcome::LeftOut, &idle);
        }
        parcel.notices = due;
        let (Some(chat), false) = (parcel.chat_id, parcel.notices.is_empty()) else {
            return Ok(Turn::Over);
        };
        let ids: Vec<Uuid> = parcel.notices.iter().map(|notice| notice.id).collect();
        let Some(message) = self.message(&parcel).await else {
            let reasons: Vec<_> = ids.iter().map(|id| (*id, "nothing_to_tell")).collect();
            outbox
                .dropped(lease, &parcel, &reasons, false, self.clock.now())
                .await?;
            return Ok(Turn::Over);
        };
        if !outbox.sending(lease, &parcel, &ids).await? {
            // Something was superseded meanwhile; the next round makes another message.
            return Ok(Turn::Over);
        }
        let repeated: Vec<Taken> = parcel
            .notices
            .iter()
            .filter(|one| one.is_repeated)
            .cloned()
            .collect();
        self.tell(Outcome::Repeated, &repeated);
        let sent = self.call(lease, chat, &message).await?;
        self.settle(lease, &parcel, &ids, sent).await
    }

    async fn message(&self, parcel: &Parcel) -> Option<Message> {
        let items: Vec<Item> = parcel
            .notices
            .iter()
            .map(|notice| Item {
                kind: notice.kind,
                // Facts that cannot be read are none: the kind alone is worth telling.
                facts: serde_json::from_value::<Facts>(notice.facts.clone()).unwrap_or_default(),
            })
            .collect();
        let names = names::of(&self.app, &self.pool, parcel.tenant, &items).await;
        let reader = Reader {
            language: parcel.language,
            zone: zone_of(parcel.time_zone.as_deref()),
            app_url: self.options.app_url.as_deref(),
        };
        compose(&self.texts, &items, &names, reader)
    }

    /// The call, which may have to wait for its turn; the lease is kept meanwhile.
    async fn call(
        &self,
        lease: &Lease,
        chat: i64,
        message: &Message,
    ) -> Result<Result<Sent, TelegramError>, SendError> {
        let mut new = NewMessage::new(Place::chat(chat), &message.html);
        new.markup = message.buttons.clone().map(ReplyMarkup::InlineKeyboardMarkup);
        let mut call = std::pin::pin!(self.telegram.send(&new));
        loop {
            tokio::select! {
                sent = &mut call => return Ok(sent),
                () = tokio::time::sleep(self.options.lease / 3) => {
                    lease.renew(&self.pool, self.options.lease).await?;
                }
            }
        }
    }

    fn tell(&self, outcome: Outcome, notices: &[Taken]) {
        for notice in notices {
            (self.observer)(outcome, notice.kind, Channel::Telegram, 1);
        }
    }
}
