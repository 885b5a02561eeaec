//! A sliding window as counts per slot of time; pure. A window is ten slots long, and what is looked at are
//! the current slot and the ten before it: a span that contains every window ending now. So "never more than
//! the limit in any window" holds exactly, not on average, at the price of up to a tenth of strictness.

use bytes::Bytes;

/// Slots of a window.
pub const SLOTS: u64 = 10;
/// Slots that are remembered: those of a window and the current one.
const KEPT: usize = 11;

/// Counts of the newest slots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// The newest slot that was counted in, in slots since 1970.
    newest: u64,
    /// Counts from the newest slot backwards.
    counts: [u32; KEPT],
}

impl Window {
    /// Moves on to `slot`; what is too old is forgotten. A clock that is behind the others' moves nothing: it
    /// counts into the newest slot there is, which is the strict side.
    pub fn move_to(&mut self, slot: u64) {
        let ahead = usize::try_from(slot.saturating_sub(self.newest)).unwrap_or(usize::MAX);
        if ahead == 0 {
            return;
        }
        let kept = KEPT.saturating_sub(ahead);
        self.counts.copy_within(..kept, KEPT - kept);
        for count in self.counts.iter_mut().take(ahead) {
            *count = 0;
        }
        self.newest = slot;
    }

    /// The slot that is counted in.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// Everything within the window.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Counts `more` in a slot; in the newest one if that slot lies ahead, not at all if it is forgotten.
    pub fn add(&mut self, slot: u64, more: u32) {
        if let Some(count) = self.at(slot) {
            *count = count.saturating_add(more);
        }
    }

    /// Takes `less` back out of a slot.
    pub fn remove(&mut self, slot: u64, less: u32) {
        if let Some(count) = self.at(slot) {
            *count = count.saturating_sub(less);
        }
    }

    /// Counts what another window counted, slot by slot.
    pub fn absorb(&mut self, other: &Self) {
        for (back, count) in (0..).zip(other.counts) {
            if count > 0 {
                self.add(other.newest.saturating_sub(back), count);
            }
        }
    }

    fn at(&mut self, slot: u64) -> Option<&mut u32> {
        let back = usize::try_from(self.newest.saturating_sub(slot)).unwrap_or(usize::MAX);
        self.counts.get_mut(back)
    }

    /// Slots to wait from the newest one until `wanted` fit under `limit`; 0 if they do now, `None` if they
    /// never will.
    #[must_use]
    pub fn slots_until(&self, wanted: u32, limit: u32) -> Option<u64> {
        if wanted > limit {
            return None;
        }
        let mut total = self.total();
        let mut waited = 0;
        for count in self.counts.iter().rev() {
            if total.saturating_add(wanted) <= limit {
                break;
            }
            total = total.saturating_sub(*count);
            waited += 1;
        }
        Some(waited)
    }

    /// Slots until nothing is counted any more.
    #[must_use]
    pub fn slots_until_empty(&self) -> u64 {
        let newest_used = self.counts.iter().position(|count| *count > 0);
        newest_used.map_or(0, |back| (KEPT - back) as u64)
    }

    /// As it is kept in the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(8 + 4 * KEPT);
        bytes.extend_from_slice(&self.newest.to_be_bytes());
        for count in self.counts {
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes.into()
    }

    /// From what is kept in the bucket; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (newest, counts) = bytes.split_first_chunk::<8>()?;
        let mut window = Self {
            newest: u64::from_be_bytes(*newest),
            counts: [0; KEPT],
        };
        let (chunks, rest) = counts.as_chunks::<4>();
        if chunks.len() != KEPT || !rest.is_empty() {
            return None;
        }
        for (count, chunk) in window.counts.iter_mut().zip(chunks) {
            *count = u32::from_be_bytes(*chunk);
        }
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Window};
    use proptest::prelude::*;

    #[test]
    fn what_is_older_than_a_window_counts_no_more() {
        let mut window = Window::default();
        window.move_to(100);
        window.add(100, 7);
        window.move_to(110);
        assert_eq!(window.total(), 7);
        window.move_to(111);
        assert_eq!(window.total(), 0);
    }

    #[test]
    fn a_clock_that_is_behind_counts_into_the_newest_slot() {
        let mut window = Window::default();
        window.move_to(100);
        window.move_to(98);
        assert_eq!(window.newest(), 100);
        window.add(101, 1);
        assert_eq!(window.total(), 1);
    }

    #[test]
    fn the_time_to_wait_is_until_enough_is_forgotten() {
        let mut window = Window::default();
        window.move_to(100);
        window.add(100, 3);
        window.move_to(104);
        window.add(104, 2);
        assert_eq!(window.slots_until(1, 6), Some(0));
        assert_eq!(window.slots_until(1, 5), Some(7));
        assert_eq!(window.slots_until(4, 5), Some(11));
        assert_eq!(window.slots_until(6, 5), None);
        assert_eq!(window.slots_until_empty(), 11);
    }

    proptest! {
        #[test]
        fn a_window_is_the_same_after_it_was_kept(
            slot in 0..u64::MAX, counts in proptest::array::uniform11(0..u32::MAX),
        ) {
            let window = Window { newest: slot, counts };
            prop_assert_eq!(Window::from_bytes(&window.to_bytes()), Some(window));
        }

        #[test]
        fn waiting_as_long_as_told_is_enough_and_no_longer_than_needed(
            counts in proptest::array::uniform11(0..20_u32), limit in 1..60_u32,
        ) {
            let window = Window { newest: 1_000, counts };
            let waited = window.slots_until(1, limit).unwrap_or_default();
            let after = |slots: u64| {
                let mut later = window.clone();
                later.move_to(1_000 + slots);
                later.total()
            };
            prop_assert!(after(waited) < limit);
            prop_assert!(waited == 0 || after(waited - 1) >= limit);
            prop_assert!(waited <= KEPT as u64);
        }

        #[test]
        fn foreign_bytes_are_no_window(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(Window::from_bytes(&bytes).is_some(), bytes.len() == 8 + 4 * KEPT);
        }
    }
}
