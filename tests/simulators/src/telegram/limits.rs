//! Flood control: 30 messages a second, one a second to a chat, 20 a minute to a group.
//!
//! Unknown: the exact rules are not published. Here a window slides, and a refused message does not count.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Whether the limits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelegramLimits {
    /// Everything is taken.
    #[default]
    Off,
    /// One message too many is refused with 429.
    Strict,
}

/// Messages in a time.
const OVERALL: (usize, TimeDelta) = (30, TimeDelta::seconds(1));
const CHAT: (usize, TimeDelta) = (1, TimeDelta::seconds(1));
const GROUP: (usize, TimeDelta) = (20, TimeDelta::seconds(60));
/// Ten years in seconds; no pause lasts longer.
const FOREVER: i64 = 315_360_000;

/// What was sent of late.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    pub(crate) limits: TelegramLimits,
    overall: VecDeque<DateTime<Utc>>,
    chats: BTreeMap<i64, VecDeque<DateTime<Utc>>>,
    /// Until when a chat has to wait because it was told so.
    told: BTreeMap<i64, DateTime<Utc>>,
    /// Messages that came before the end of a pause that was told for their chat.
    pub(crate) early: u64,
}

impl Flood {
    /// Takes a message to a chat, or gives the seconds to wait.
    pub(crate) fn take(&mut self, chat: i64, now: DateTime<Utc>) -> Result<(), u64> {
        if self.told.get(&chat).is_some_and(|until| now < *until) {
            self.early += 1;
        }
        if self.limits == TelegramLimits::Off {
            return Ok(());
        }
        let of_chat = self.chats.entry(chat).or_default();
        let mut free = [wait(&self.overall, OVERALL, now), wait(of_chat, CHAT, now)]
            .into_iter()
            .max();
        if chat < 0 {
            free = free.max(Some(wait(of_chat, GROUP, now)));
        }
        let wait = free.unwrap_or_default();
        if wait > TimeDelta::zero() {
            let seconds = u64::try_from(wait.num_milliseconds())
                .unwrap_or_default()
                .div_ceil(1000)
                .max(1);
            self.tell(chat, seconds, now);
            return Err(seconds);
        }
        of_chat.push_back(now);
        self.overall.push_back(now);
        while self.overall.len() > OVERALL.0 {
            self.overall.pop_front();
        }
        if of_chat.len() > GROUP.0 {
            of_chat.pop_front();
        }
        Ok(())
    }

    /// Remembers that a chat was told to wait.
    pub(crate) fn tell(&mut self, chat: i64, seconds: u64, now: DateTime<Utc>) {
        let seconds = i64::try_from(seconds).unwrap_or(FOREVER).min(FOREVER);
        self.told.insert(chat, now + TimeDelta::seconds(seconds));
    }
}

/// How long until one more fits.
fn wait(sent: &VecDeque<DateTime<Utc>>, (most, span): (usize, TimeDelta), now: DateTime<Utc>) -> TimeDelta {
    let leaving = sent.len().checked_sub(most).and_then(|at| sent.get(at));
    leaving.map_or(TimeDelta::zero(), |sent| *sent + span - now)
}
