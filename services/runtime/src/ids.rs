//! Where ids come from: one place, so that a test can foresee them.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// Makes ids: UUIDs of version 7, which sort by the time they were made. Cheap to clone; clones of a seeded
/// source share one sequence.
#[derive(Debug, Clone)]
pub struct Ids {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    System,
    Seeded(Arc<Mutex<Sequence>>),
}

/// `count` gives the order, the generator the look of randomness.
#[derive(Debug)]
struct Sequence {
    count: u64,
    random: u64,
}

impl Ids {
    /// Ids from the system's time and randomness.
    pub fn system() -> Self {
        Self { kind: Kind::System }
    }

    /// The same ids in the same order for the same seed, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self {
            kind: Kind::Seeded(Arc::new(Mutex::new(Sequence {
                count: 0,
                random: seed,
            }))),
        }
    }

    /// A new id, greater than all that this source made before.
    pub fn next(&self) -> Uuid {
        match &self.kind {
            #[expect(clippy::disallowed_methods, reason = "this is the place where ids come from")]
            Kind::System => Uuid::now_v7(),
            Kind::Seeded(sequence) => sequence.lock().unwrap_or_else(PoisonError::into_inner).next(),
        }
    }
}

impl Sequence {
    fn next(&mut self) -> Uuid {
        /// Milliseconds since 1970 of the first id: 2026-01-01, so that seeded ids look like real ones.
        const EPOCH_MS: u64 = 1_767_225_600_000;
        self.count += 1;
        let (high, low) = (self.random().to_be_bytes(), self.random().to_be_bytes());
        let mut bytes = [0; 10];
        let random = high.into_iter().chain(low);
        bytes
            .iter_mut()
            .zip(random)
            .for_each(|(byte, random)| *byte = random);
        uuid::Builder::from_unix_timestamp_millis(EPOCH_MS + self.count, &bytes).into_uuid()
    }

    /// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_are_of_version_7() {
        for ids in [Ids::system(), Ids::seeded(7)] {
            let made: Vec<Uuid> = (0..1000).map(|_| ids.next()).collect();
            assert!(made.is_sorted_by(|one, next| one < next), "{ids:?}");
            assert!(made.iter().all(|id| id.get_version_num() == 7));
        }
    }

    #[test]
    fn a_seed_foretells_the_ids_and_another_seed_gives_others() {
        let take = |seed| {
            let ids = Ids::seeded(seed);
            [ids.next(), ids.clone().next()]
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1)[0], take(2)[0]);
        assert_ne!(take(1)[0], take(1)[1]);
    }
}
