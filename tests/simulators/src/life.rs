//! A shop's life, hour by hour and the same for every marketplace: what may happen, how often, and what was
//! begun and comes to its end later. What an event does to a shop is the shop's own business.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// Milliseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000;

/// How often what happens: times in a hundred days, on average.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Life {
    /// A buyer orders.
    pub sales: u32,
    /// Units of one article come to one warehouse.
    pub supplies: u32,
    /// Units of one article go from one warehouse to another.
    pub moves: u32,
    /// Some units of one article are lost at one warehouse.
    pub losses: u32,
    /// One article gets another price.
    pub prices: u32,
    /// An article appears.
    pub appearances: u32,
    /// An article is taken off the list.
    pub delistings: u32,
    /// One that was taken off comes back.
    pub relistings: u32,
    /// One article's name, category, brand, own number or barcodes change.
    pub renames: u32,
    /// A warehouse opens, or one that was closed opens again.
    pub openings: u32,
    /// A warehouse closes.
    pub closings: u32,
    /// A warehouse gets another name.
    pub warehouse_renames: u32,
    /// The seller takes everything away and brings it back days later.
    pub clearances: u32,
    /// Per cent of orders that are cancelled.
    pub cancelled_percent: usize,
    /// Per cent of bought orders that come back, weeks later.
    pub returned_percent: usize,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            sales: 2_000,
            supplies: 400,
            moves: 100,
            losses: 50,
            prices: 200,
            appearances: 25,
            delistings: 20,
            relistings: 10,
            renames: 60,
            openings: 3,
            closings: 3,
            warehouse_renames: 4,
            clearances: 0,
            cancelled_percent: 15,
            returned_percent: 12,
        }
    }
}

/// Something that happens to a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Sale,
    Supply,
    Move,
    Loss,
    Price,
    Appearance,
    Delisting,
    Relisting,
    Rename,
    Opening,
    Closing,
    WarehouseRename,
    Clearance,
}

impl Happening {
    const fn word(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Supply => "supply",
            Self::Move => "move",
            Self::Loss => "loss",
            Self::Price => "price",
            Self::Appearance => "appearance",
            Self::Delisting => "delisting",
            Self::Relisting => "relisting",
            Self::Rename => "rename",
            Self::Opening => "opening",
            Self::Closing => "closing",
            Self::WarehouseRename => "warehouse rename",
            Self::Clearance => "clearance",
        }
    }
}

impl Life {
    fn rates(&self) -> [(Happening, u32); 13] {
        [
            (Happening::Sale, self.sales),
            (Happening::Supply, self.supplies),
            (Happening::Move, self.moves),
            (Happening::Loss, self.losses),
            (Happening::Price, self.prices),
            (Happening::Appearance, self.appearances),
            (Happening::Delisting, self.delistings),
            (Happening::Relisting, self.relistings),
            (Happening::Rename, self.renames),
            (Happening::Opening, self.openings),
            (Happening::Closing, self.closings),
            (Happening::WarehouseRename, self.warehouse_renames),
            (Happening::Clearance, self.clearances),
        ]
    }
}

/// A shop that can live.
pub(crate) trait Shop {
    /// Its chance.
    fn dice(&mut self) -> &mut Dice;
    /// How often what happens to it.
    fn life(&self) -> &Life;
    /// How often what happened, by name.
    fn lived(&mut self) -> &mut BTreeMap<String, u64>;
    /// It happens, somewhere in the shop; nothing where there is no place for it.
    fn happen(&mut self, what: Happening, now: i64);
    /// Everything that was begun and is due by now comes to its end.
    fn come_due(&mut self, now: i64);
}

/// The hour that ends `now` passes.
pub(crate) fn hour(shop: &mut impl Shop, now: i64) {
    /// Hours in the hundred days that the rates are about.
    const HOURS: usize = 2_400;
    shop.come_due(now);
    for (what, rate) in shop.life().rates() {
        let rate = usize::try_from(rate).unwrap_or(0);
        let more = shop.dice().below(HOURS) < rate % HOURS;
        for _ in 0..rate / HOURS + usize::from(more) {
            let ago = i64::try_from(shop.dice().below(3_600)).unwrap_or(0) * 1000;
            shop.happen(what, now - ago);
            *shop.lived().entry(what.word().to_owned()).or_default() += 1;
        }
    }
}

/// What is going to happen, by time. `usize` says to whom.
#[derive(Debug, Default)]
pub(crate) struct Agenda<What>(BTreeSet<(i64, usize, What)>);

impl<What: Ord> Agenda<What> {
    pub(crate) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    pub(crate) fn add(&mut self, at: i64, whom: usize, what: What) {
        self.0.insert((at, whom, what));
    }

    /// The earliest entry, if it is due.
    pub(crate) fn due(&mut self, now: i64) -> Option<(i64, usize, What)> {
        if self.0.first().is_some_and(|entry| entry.0 <= now) {
            self.0.pop_first()
        } else {
            None
        }
    }
}

/// Gives a table of `width` columns one more, filled with `value`.
pub(crate) fn widen<Value: Clone>(cells: &mut Vec<Value>, width: usize, value: &Value) {
    if width == 0 {
        return;
    }
    *cells = cells
        .chunks(width)
        .flat_map(|row| row.iter().chain(std::iter::once(value)).cloned())
        .collect();
}

/// Between `from` and `to` hours, in milliseconds.
pub(crate) fn hours(dice: &mut Dice, from: i64, to: i64) -> i64 {
    let span = usize::try_from((to - from) * 3_600).unwrap_or(1);
    from * HOUR + i64::try_from(dice.below(span)).unwrap_or(0) * 1000
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Agenda, Happening, Life, Shop, hour, widen};
    use crate::dice::Dice;

    struct Counting {
        dice: Dice,
        life: Life,
        lived: BTreeMap<String, u64>,
    }

    impl Shop for Counting {
        fn dice(&mut self) -> &mut Dice {
            &mut self.dice
        }

        fn life(&self) -> &Life {
            &self.life
        }

        fn lived(&mut self) -> &mut BTreeMap<String, u64> {
            &mut self.lived
        }

        fn happen(&mut self, _what: Happening, _now: i64) {}

        fn come_due(&mut self, _now: i64) {}
    }

    #[test]
    fn things_happen_as_often_as_the_rates_say() {
        let mut shop = Counting {
            dice: Dice::new(1),
            life: Life {
                sales: 6_000,
                openings: 50,
                ..Life::default()
            },
            lived: BTreeMap::new(),
        };
        for number in 0..24_000 {
            hour(&mut shop, number * super::HOUR);
        }
        assert!((59_000..61_000).contains(&shop.lived["sale"]), "{:?}", shop.lived);
        assert!((400..600).contains(&shop.lived["opening"]), "{:?}", shop.lived);
    }

    #[test]
    fn an_agenda_gives_what_is_due_in_order_of_time() {
        let mut agenda = Agenda::new();
        agenda.add(20, 1, 'b');
        agenda.add(10, 2, 'a');
        agenda.add(30, 3, 'c');
        assert_eq!(agenda.due(20), Some((10, 2, 'a')));
        assert_eq!(agenda.due(20), Some((20, 1, 'b')));
        assert_eq!(agenda.due(20), None);
    }

    #[test]
    fn a_wider_table_keeps_its_rows() {
        let mut cells = vec![1, 2, 3, 4];
        widen(&mut cells, 2, &0);
        assert_eq!(cells, [1, 2, 0, 3, 4, 0]);
    }
}
