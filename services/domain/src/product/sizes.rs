//! Units by size as they are recorded: under the id and the name that the card gives a size, only where the
//! article has more than one, and without zeros. Sources tell the id or the name, and the card may have been
//! told by an earlier sync.

use std::borrow::Cow;

use events::product::{Details, ProductSize, SizeUnits, StockLevel};

use super::{Card, Observation};

/// The sizes of one article.
pub(super) struct Sizes<'a> {
    known: &'a [ProductSize],
    /// Whether units by size say more than the level itself.
    several: bool,
}

impl<'a> Sizes<'a> {
    /// By the card of this observation, else by the one that is known, else by what the levels tell.
    pub(super) fn of(seen: &'a Observation, details: Option<&'a Details>, levels: &[StockLevel]) -> Self {
        let card = match &seen.card {
            Card::Seen(details) | Card::SeenInPart { details, .. } => Some(details),
            Card::Missing | Card::Unknown => details,
        };
        let known = card.map_or(&[][..], |details| details.sizes.as_slice());
        let several = match known {
            [] => {
                let mut ids = levels
                    .iter()
                    .flat_map(|level| &level.sizes)
                    .map(|size| size.size_id);
                let first = ids.find(|id| *id != 0);
                first.is_some_and(|first| ids.any(|id| id != 0 && id != first))
            }
            sizes => sizes.len() > 1,
        };
        Self { known, several }
    }

    /// The level with its sizes under ids and names. A size that has no id is not told: its units are in the
    /// level all the same.
    pub(super) fn named<'l>(&self, level: &'l StockLevel) -> Cow<'l, StockLevel> {
        if level.sizes.is_empty() {
            return Cow::Borrowed(level);
        }
        let mut sizes: Vec<SizeUnits> = Vec::new();
        for told in level
            .sizes
            .iter()
            .filter(|told| self.several && told.available != 0)
        {
            let known = self.known.iter().find(|known| {
                known.size_id == told.size_id || (told.size_id == 0 && known.name == told.name)
            });
            let size_id = known.map_or(told.size_id, |known| known.size_id);
            if size_id != 0 {
                sizes.push(SizeUnits {
                    size_id,
                    name: known.map_or(&told.name, |known| &known.name).clone(),
                    available: told.available,
                });
            }
        }
        sizes.sort_unstable_by_key(|size| size.size_id);
        Cow::Owned(StockLevel {
            sizes,
            ..level.clone()
        })
    }
}
