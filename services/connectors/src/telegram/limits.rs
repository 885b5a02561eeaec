//! Who may send next. Telegram allows about 30 messages a second to all chats together, one a second to a
//! chat, and 20 a minute to a group or channel (Bots FAQ, "My bot is hitting limits").
//!
//! Pure: time comes from outside, as the time since any fixed moment, and nothing waits here ([`super::pace`]
//! does). What counts is when Telegram gets a message, which is at some time between the start of a call and
//! its end. So a message takes its place in every limit from the start of its call until a window after the
//! call's end, and at most one call per chat is under way, which also keeps the order within a chat.
//!
//! A 429 does not say which limit was meant. The chat always waits for the told time. Everybody waits for it
//! if the chat cannot be the cause: it had nothing from us within a minute, or another chat is in such a
//! pause too.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The longest window; what ended before it counts for nothing.
const MEMORY: Duration = Duration::from_secs(60);

/// How many messages in how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Messages.
    pub most: usize,
    /// In any span of this length; at most a minute.
    pub span: Duration,
}

impl Window {
    const fn new(most: usize, seconds: u64) -> Self {
        Self {
            most,
            span: Duration::from_secs(seconds),
        }
    }
}

/// The limits that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All chats together.
    pub overall: Window,
    /// Any one chat.
    pub chat: Window,
    /// A group, supergroup or channel, beside [`Limits::chat`]. Their ids are negative.
    pub group: Window,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            overall: Window::new(30, 1),
            chat: Window::new(1, 1),
            group: Window::new(20, 60),
        }
    }
}

/// How long a message can be kept waiting for others that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// An answer to a person who is waiting.
    Answer,
    /// A message that comes by itself. Answers that come up to ten seconds later go first.
    #[default]
    Notice,
}

impl Lane {
    const fn patience(self) -> Duration {
        match self {
            Self::Answer => Duration::ZERO,
            Self::Notice => Duration::from_secs(10),
        }
    }
}

/// What [`Turns::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// This one goes now. [`Turns::ended`] must follow when its call is over.
    Go {
        /// The chat it goes to.
        chat: i64,
        /// What was pushed.
        item: T,
    },
    /// The next one may go at this time, if nothing else happens.
    At(Duration),
    /// Nothing can go before a call ends, or nothing waits.
    Idle,
}

#[derive(Debug)]
struct Waiting<T> {
    /// By which the next one is chosen; then by `number`.
    due: Duration,
    number: u64,
    item: T,
}

#[derive(Debug)]
struct Chat<T> {
    waiting: VecDeque<Waiting<T>>,
    under_way: bool,
    /// When the last calls ended, the latest one last.
    ended: VecDeque<Duration>,
    /// Until when a 429 keeps it.
    paused_until: Duration,
}

impl<T> Default for Chat<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: false,
            ended: VecDeque::new(),
            paused_until: Duration::ZERO,
        }
    }
}

/// Messages that wait for their turn. `T` stands for a message.
#[derive(Debug)]
pub struct Turns<T> {
    limits: Limits,
    chats: BTreeMap<i64, Chat<T>>,
    pushed: u64,
    under_way: usize,
    /// When the last calls ended, of all chats, in order.
    ended: VecDeque<Duration>,
    paused_until: Duration,
    tidied_at: Duration,
}

impl<T> Turns<T> {
    /// Nothing waits, and nothing was sent.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            chats: BTreeMap::new(),
            pushed: 0,
            under_way: 0,
            ended: VecDeque::new(),
            paused_until: Duration::ZERO,
            tidied_at: Duration::ZERO,
        }
    }

    /// Puts a message behind those of its chat.
    pub fn push(&mut self, chat: i64, lane: Lane, item: T, now: Duration) {
        self.pushed += 1;
        let waiting = Waiting {
            due: now + lane.patience(),
            number: self.pushed,
            item,
        };
        self.chats.entry(chat).or_default().waiting.push_back(waiting);
    }

    /// The message that goes now, or when to ask again. One that `is_wanted` denies is dropped.
    pub fn next(&mut self, now: Duration, is_wanted: impl Fn(&T) -> bool) -> Next<T> {
        self.tidy(now);
        for chat in self.chats.values_mut() {
            while chat.waiting.front().is_some_and(|first| !is_wanted(&first.item)) {
                chat.waiting.pop_front();
            }
        }
        let Some(overall) = self.overall_from() else {
            return Next::Idle;
        };
        let mut chosen: Option<(Duration, u64, i64)> = None;
        let mut earliest: Option<Duration> = None;
        for (&id, chat) in &self.chats {
            let (Some(first), Some(from)) = (chat.waiting.front(), chat.free_from(id, &self.limits)) else {
                continue;
            };
            let from = from.max(overall);
            earliest = Some(earliest.map_or(from, |other| other.min(from)));
            let place = (first.due, first.number, id);
            if from <= now && chosen.is_none_or(|other| place < other) {
                chosen = Some(place);
            }
        }
        match (chosen, earliest) {
            (Some((_, _, id)), _) => self.go(id),
            (None, Some(at)) => Next::At(at),
            (None, None) => Next::Idle,
        }
    }

    fn go(&mut self, id: i64) -> Next<T> {
        let Some((chat, first)) = self.chats.get_mut(&id).and_then(|chat| {
            let first = chat.waiting.pop_front()?;
            Some((chat, first))
        }) else {
            return Next::Idle;
        };
        chat.under_way = true;
        self.under_way += 1;
        Next::Go {
            chat: id,
            item: first.item,
        }
    }

    /// The call of a chat is over, whatever came of it.
    pub fn ended(&mut self, chat: i64, now: Duration) {
        let Some(entry) = self.chats.get_mut(&chat).filter(|entry| entry.under_way) else {
            return;
        };
        entry.under_way = false;
        entry.ended.push_back(now);
        self.under_way = self.under_way.saturating_sub(1);
        self.ended.push_back(now);
    }

    /// Telegram answered 429 for a message to this chat. Call it before [`Turns::ended`].
    pub fn refused(&mut self, chat: i64, retry_after: Duration, now: Duration) {
        let until = now.saturating_add(retry_after);
        let others = self
            .chats
            .iter()
            .any(|(&id, other)| id != chat && other.paused_until > now);
        let entry = self.chats.entry(chat).or_default();
        let innocent = entry.ended.iter().all(|ended| *ended + MEMORY <= now);
        entry.paused_until = entry.paused_until.max(until);
        if innocent || others {
            self.paused_until = self.paused_until.max(until);
        }
    }

    /// Messages that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.chats.values().map(|chat| chat.waiting.len()).sum()
    }

    /// From when on one more message fits into the limit of all chats; none before a call ends.
    fn overall_from(&self) -> Option<Duration> {
        let free = room(&self.ended, self.under_way, self.limits.overall)?;
        Some(free.max(self.paused_until))
    }

    /// Forgets what no longer counts.
    fn tidy(&mut self, now: Duration) {
        let old = |ended: &Duration| *ended + MEMORY <= now;
        let keep = self.limits.overall.most;
        while self.ended.len() > keep || self.ended.front().is_some_and(old) {
            self.ended.pop_front();
        }
        if now < self.tidied_at + MEMORY {
            return;
        }
        self.tidied_at = now;
        self.chats.retain(|_, chat| {
            chat.ended.retain(|ended| !old(ended));
            let idle = chat.waiting.is_empty() && !chat.under_way && chat.ended.is_empty();
            !idle || chat.paused_until > now
        });
    }
}

impl<T> Chat<T> {
    /// From when on one more message may go to this chat; none before a call ends.
    fn free_from(&self, id: i64, limits: &Limits) -> Option<Duration> {
        if self.under_way {
            return None;
        }
        let mut from = room(&self.ended, 0, limits.chat)?.max(self.paused_until);
        if id < 0 {
            from = from.max(room(&self.ended, 0, limits.group)?);
        }
        Some(from)
    }
}

/// From when on one more message fits into a window; none while the calls under way fill it.
fn room(ended: &VecDeque<Duration>, under_way: usize, window: Window) -> Option<Duration> {
    let free = window.most.checked_sub(under_way + 1)?;
    // Of those that ended, the last `free` ones may stay in the window.
    let leaving = ended.len().checked_sub(free + 1);
    Some(
        leaving
            .and_then(|at| ended.get(at))
            .map_or(Duration::ZERO, |ended| *ended + window.span),
    )
}

#[cfg(test)]
mod tests;
