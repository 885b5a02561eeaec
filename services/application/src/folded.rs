//! Lets the store keep the states of aggregates: the two crates do not know each other.

use domain::Decider;
use domain::decider::CatalogEvent as _;
use event_store::State;
use events::{Event, StreamType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An aggregate's state as the store keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "A: Serialize + DeserializeOwned")]
pub struct Folded<A>(pub A);

impl<A: Decider> State for Folded<A> {
    const STREAM: StreamType = A::STREAM;
    const FOLD_VERSION: i32 = A::FOLD_VERSION;

    fn evolve(&mut self, event: &Event) {
        if let Some(event) = A::Happened::of(event) {
            self.0.evolve(event);
        }
    }
}
