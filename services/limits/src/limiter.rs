//! Admits or refuses. One entry per subject; requests of one subject in one replica stand in line for it, so
//! that a claim is made once and used by all who waited.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::store::{Store, StoreError};
use crate::table::{Quota, Table};
use crate::window::{SLOTS, Window};

/// A claim that takes longer counts as failed: a request waits this long at most.
const PATIENCE: Duration = Duration::from_millis(100);
/// After a failure the shared counts are left alone for so long, milliseconds.
const REST_MS: u64 = 1_000;
/// A slice is at most this part of the quota, and at most [`PART_OF_FREE`] of what is free: a replica that
/// takes much leaves enough for the others.
const PART_OF_QUOTA: u32 = 20;
/// See [`PART_OF_QUOTA`]; close to the limit a slice is a single request.
const PART_OF_FREE: u32 = 8;
/// Subjects that one replica remembers; beyond, those that are not active this moment are forgotten.
const MOST_SUBJECTS: usize = 100_000;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `address`, `user` or `tenant`.
    pub kind: &'static str,
    /// What it may.
    pub quota: Quota,
    id: String,
}

/// Whether a request is answered, and what the headers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// `address`, `user` or `tenant`.
    pub kind: &'static str,
    /// What the subject may.
    pub quota: Quota,
    /// Whether this request may go on.
    pub admitted: bool,
    /// Requests that are left, as far as this replica knows.
    pub remaining: u32,
    /// When all of the quota will be free again if nothing more comes.
    pub reset: Duration,
    /// How long to wait before the next request; nothing while some are left.
    pub retry_after: Duration,
    /// Whether this replica counted for itself, because the shared counts were away.
    pub alone: bool,
}

/// Told about every decision, for numbers.
pub type Observer = Arc<dyn Fn(&Decision) + Send + Sync>;

/// The limiter of one replica.
pub struct Limiter {
    store: Arc<dyn Store>,
    table: Table,
    salt: Vec<u8>,
    entries: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Entry>>>>,
    resting_until: AtomicU64,
    observer: Observer,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// What a replica knows of one subject.
#[derive(Default)]
struct Entry {
    /// As last seen in or written to the shared place.
    shared: Window,
    /// Revision of that; `None` for a key that was absent.
    revision: Option<u64>,
    /// Whether `shared` has been read at all.
    known: bool,
    /// Slot in which the slice is counted and may be used, and what is left of it.
    slice: (u64, u32),
    /// Admitted without asking; to be entered.
    owed: Window,
    /// In this slot, under this limit, the answer was no; asking again before the next is no use, unless
    /// the subject may more by now.
    refused_in: Option<(u64, u32)>,
    /// Last slot in which somebody came.
    used_in: u64,
    slot_ms: u64,
}

enum Claim {
    Got,
    Nothing,
}

impl Limiter {
    /// Over a shared place. `salt` has to be the same secret in all replicas: keys in the place are hashes,
    /// so that nobody reads addresses there.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, table: Table, salt: Vec<u8>, observer: Observer) -> Self {
        Self {
            store,
            table,
            salt,
            entries: Mutex::default(),
            resting_until: AtomicU64::new(0),
            observer,
        }
    }

    /// An address; of version 6 its network of 64 bits, since that is what one customer gets.
    #[must_use]
    pub fn address(&self, address: IpAddr) -> Subject {
        let id = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("{:x}", address.to_bits() >> 64),
        };
        Subject {
            kind: "address",
            quota: self.table.address,
            id,
        }
    }

    /// A user.
    #[must_use]
    pub fn user(&self, id: &str) -> Subject {
        Subject {
            kind: "user",
            quota: self.table.user,
            id: id.to_owned(),
        }
    }

    /// A tenant with its plan; the default plan where none is known.
    #[must_use]
    pub fn tenant(&self, id: &str, plan: Option<&str>) -> Subject {
        Subject {
            kind: "tenant",
            quota: self.table.tenant(plan),
            id: id.to_owned(),
        }
    }

    /// Counts one request of a subject at a moment, in milliseconds since 1970, and says whether it is within
    /// the quota. Never fails: without the shared counts this replica counts alone.
    pub async fn admit(&self, subject: &Subject, now_ms: u64) -> Decision {
        let slot = now_ms / subject.quota.slot_ms().max(1);
        let entry = self.entry(&self.key(subject), slot);
        let mut entry = entry.lock().await;
        entry.used_in = entry.used_in.max(slot);
        entry.slot_ms = subject.quota.slot_ms();
        let limit = subject.quota.requests;
        let mut alone = false;
        let admitted = if entry.take(slot) {
            true
        } else if entry
            .refused_in
            .is_some_and(|(refused, under)| refused == slot && limit <= under)
        {
            false
        } else {
            match self
                .claim(&self.key(subject), &mut entry, slot, limit, now_ms)
                .await
            {
                Some(Claim::Got) => entry.take(slot),
                Some(Claim::Nothing) => false,
                None => {
                    alone = true;
                    entry.count_alone(slot, limit)
                }
            }
        };
        if !admitted && !alone {
            entry.refused_in = Some((slot, limit));
        }
        let decision = entry.told(subject, slot, now_ms, admitted, alone);
        (self.observer)(&decision);
        decision
    }

    /// Gives back what was claimed and not used, enters what was admitted alone, and forgets who has not come
    /// for a window. To be called every second or so.
    pub async fn tidy(&self, now_ms: u64) {
        let all: Vec<_> = {
            let entries = self.lock();
            entries
                .iter()
                .map(|(key, entry)| (key.clone(), Arc::clone(entry)))
                .collect()
        };
        let mut gone = Vec::new();
        for (key, entry) in all {
            // One that is being used settles by itself.
            let Ok(mut entry) = entry.try_lock() else { continue };
            let slot = now_ms / entry.slot_ms.max(1);
            if entry.has_to_settle(slot) && self.claim(&key, &mut entry, slot, 0, now_ms).await.is_none() {
                continue;
            }
            if entry.used_in + SLOTS + 1 < slot {
                gone.push(key);
            }
        }
        let mut entries = self.lock();
        for key in gone {
            // Somebody may have come meanwhile.
            if entries
                .get(&key)
                .is_some_and(|entry| Arc::strong_count(entry) == 1)
            {
                entries.remove(&key);
            }
        }
    }

    fn key(&self, subject: &Subject) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.salt);
        hash.update([0]);
        hash.update(subject.id.as_bytes());
        let mut key = hex::encode(hash.finalize());
        key.truncate(32);
        format!("{}.{key}", subject.kind)
    }

    fn entry(&self, key: &str, slot: u64) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut entries = self.lock();
        if let Some(entry) = entries.get(key) {
            return Arc::clone(entry);
        }
        if entries.len() >= MOST_SUBJECTS {
            // What they had claimed stays counted, which is the strict side.
            entries.retain(|_, entry| entry.try_lock().map_or(true, |entry| entry.used_in >= slot));
        }
        Arc::clone(entries.entry(key.to_owned()).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Entry>>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slice for this slot, out of what is left of `limit`; with a limit of 0 only settles. `None` when the
    /// shared counts are away.
    async fn claim(&self, key: &str, entry: &mut Entry, slot: u64, limit: u32, now_ms: u64) -> Option<Claim> {
        if now_ms < self.resting_until.load(Ordering::Relaxed) {
            return None;
        }
        let claimed = tokio::time::timeout(PATIENCE, self.exchange(key, entry, slot, limit)).await;
        match claimed {
            Ok(Ok(claim)) => Some(claim),
            failed => {
                // A write whose answer did not come may have happened. So nothing is given back a second
                // time, and what is entered twice stays: the strict side.
                entry.known = false;
                entry.slice = (0, 0);
                self.resting_until.store(now_ms + REST_MS, Ordering::Relaxed);
                match failed {
                    Ok(Err(error)) => tracing::warn!(error = ?error, "limits are counted per process"),
                    _ => tracing::warn!("limits are counted per process: no answer in time"),
                }
                None
            }
        }
    }

    /// Writes what is to be entered, given back and claimed in one guarded write, again until nobody was
    /// faster. A limit of 0 claims nothing.
    async fn exchange(
        &self,
        key: &str,
        entry: &mut Entry,
        slot: u64,
        limit: u32,
    ) -> Result<Claim, StoreError> {
        let mut fresh = false;
        loop {
            if !entry.known {
                entry.read(self.store.get(key).await?);
                fresh = true;
            }
            let mut next = entry.settled(slot);
            let free = limit.saturating_sub(next.total());
            if free == 0 && limit > 0 && !fresh {
                // Somebody may have given something back since.
                entry.known = false;
                continue;
            }
            let wanted = slice_of(free, limit);
            let counted_in = next.newest();
            next.add(counted_in, wanted);
            if next == entry.shared {
                return Ok(Claim::Nothing);
            }
            let written = self.store.put_if(key, next.to_bytes(), entry.revision).await?;
            let Some(revision) = written else {
                entry.known = false;
                continue;
            };
            entry.shared = next;
            entry.revision = Some(revision);
            entry.owed = Window::default();
            entry.slice = (counted_in, wanted);
            return Ok(if wanted > 0 { Claim::Got } else { Claim::Nothing });
        }
    }
}

/// How much to claim at once.
fn slice_of(free: u32, limit: u32) -> u32 {
    let most = (limit / PART_OF_QUOTA).max(1);
    (free / PART_OF_FREE).clamp(1, most).min(free)
}

impl Entry {
    /// One request out of the slice, if it is of this slot. (A clock behind the others' has a slice that
    /// counts in a later slot, where it is remembered longer.)
    fn take(&mut self, slot: u64) -> bool {
        let (counted_in, left) = &mut self.slice;
        if slot > *counted_in || *left == 0 {
            return false;
        }
        *left -= 1;
        true
    }

    fn read(&mut self, found: Option<(Bytes, u64)>) {
        self.known = true;
        self.revision = found.as_ref().map(|(_, revision)| *revision);
        // What is no window was written by nobody we know; it is overwritten.
        self.shared = found
            .and_then(|(bytes, _)| Window::from_bytes(&bytes))
            .unwrap_or_default();
    }

    /// The shared window as it would be with everything entered and given back.
    fn settled(&self, slot: u64) -> Window {
        let mut next = self.shared.clone();
        next.move_to(slot);
        next.remove(self.slice.0, self.slice.1);
        next.absorb(&self.owed);
        next
    }

    fn has_to_settle(&self, slot: u64) -> bool {
        (self.slice.1 > 0 && self.slice.0 < slot) || self.owed.total() > 0
    }

    fn count_alone(&mut self, slot: u64, limit: u32) -> bool {
        let so_far = self.settled(slot).total();
        if so_far >= limit {
            return false;
        }
        self.owed.move_to(slot);
        let newest = self.owed.newest();
        self.owed.add(newest, 1);
        true
    }

    fn told(&self, subject: &Subject, slot: u64, now_ms: u64, admitted: bool, alone: bool) -> Decision {
        let seen = self.settled(slot);
        let quota = subject.quota;
        let until = |slots: u64| {
            let slot_ms = quota.slot_ms();
            let end = (seen.newest() + slots) * slot_ms;
            Duration::from_millis(end.saturating_sub(now_ms))
        };
        let wait = seen.slots_until(1, quota.requests).unwrap_or(SLOTS + 1);
        Decision {
            kind: subject.kind,
            quota,
            admitted,
            remaining: if admitted {
                quota.requests.saturating_sub(seen.total())
            } else {
                0
            },
            reset: until(seen.slots_until_empty()),
            // A refusal holds at least until the next slot.
            retry_after: if admitted {
                Duration::ZERO
            } else {
                until(wait.max(1))
            },
            alone,
        }
    }
}
