//! What a sheet lacks of its look. Values go first and may not wait for decorations, so a batch of
//! decorations can be refused, or cut off by the end of the process, after the rows and columns that it was
//! for are there. What is owed is remembered beside what was written, and planned again when there is a
//! reason to believe that it will be taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::grid::Grid;
use crate::plan::{Arranged, grid_levels};
use crate::request::Decoration;
use crate::view::{Level, Look};

/// How a row still looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worn {
    pub(crate) listed: bool,
    /// None where it is not known.
    pub(crate) level: Option<Level>,
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Owed {
    /// Fingerprint of the sheet and of the choice under which it was refused; none where it was not refused
    /// but only did not come yet.
    pub(crate) structure: Option<u64>,
    /// Kinds that were refused.
    pub(crate) refused: BTreeSet<Decoration>,
    /// The titles' rows have no look.
    pub(crate) headers: bool,
    /// Columns without a look, by name.
    pub(crate) columns: BTreeSet<Arc<str>>,
    /// Rows without a look, by product.
    pub(crate) rows: BTreeSet<Arc<str>>,
    /// The look that the sheet has; none where it is not known.
    pub(crate) look: Option<Look>,
    /// The freshness note that the sheet has, where it is another one than was written.
    pub(crate) note: Option<Arc<str>>,
    /// The notes on titles that the sheet has, where others were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title_notes: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// Rows that look different from what was written.
    pub(crate) worn: BTreeMap<Arc<str>, Worn>,
}

impl Owed {
    /// After a batch whose outcome is not known: what `now` has and `before` had not may be bare.
    pub(crate) fn after_a_cut(before: &Grid, now: &Grid) -> Self {
        let (columns, rows) = (before.column_indices(), before.row_indices());
        let new_columns = now.columns.iter().filter(|name| !columns.contains_key(&***name));
        let new_rows = now.rows.iter().filter(|row| !rows.contains_key(&*row.key));
        let mut owed = before.owed.clone().unwrap_or_default();
        owed.columns.extend(new_columns.cloned());
        owed.rows.extend(new_rows.map(|row| Arc::clone(&row.key)));
        Self {
            structure: None,
            look: None,
            note: None,
            title_notes: None,
            worn: BTreeMap::new(),
            ..owed
        }
    }

    /// Whether single requests were left out of a kind that was done.
    pub(crate) fn is_partial(&self) -> bool {
        self.refused.is_empty()
    }

    /// What is owed if nothing of a plan's decorations comes: what was owed before, and what the plan wants.
    pub(crate) fn of(arranged: &Arranged<'_>, old: &Grid, new: &Grid) -> Self {
        let before = old.owed.clone();
        let look = before
            .as_ref()
            .map_or_else(|| old.known_look(), |before| before.look);
        let before = before.unwrap_or_default();
        let (was, is) = (levels_of(old), levels_of(new));
        let mut worn = BTreeMap::new();
        let (mut columns, mut rows) = (BTreeSet::new(), BTreeSet::new());
        for row in &arranged.rows {
            let listed = row.product.is_some();
            if row.fresh || before.rows.contains(&row.key) {
                rows.insert(Arc::clone(&row.key));
                continue;
            }
            let level = was.get(&*row.key).copied().unwrap_or(Level::Enough);
            let level = (!old.doubted).then_some(level);
            let known = before.worn.get(&row.key).copied();
            let wears = known.unwrap_or(Worn {
                listed: !row.struck,
                level,
            });
            let wanted = is.get(&*row.key).copied().unwrap_or(Level::Enough);
            if wears.listed != listed || wears.level != Some(wanted) {
                worn.insert(Arc::clone(&row.key), wears);
            }
        }
        for column in &arranged.board.columns {
            if column.fresh || before.columns.contains(&column.value) {
                columns.insert(Arc::clone(&column.value));
            }
        }
        let note = before
            .note
            .or_else(|| (old.note != new.note).then(|| Arc::clone(&old.note)));
        let title_notes = before
            .title_notes
            .or_else(|| (old.title_notes != new.title_notes).then(|| old.title_notes.clone()));
        Self {
            structure: None,
            refused: BTreeSet::new(),
            headers: before.headers || arranged.groups.fresh || arranged.fields.fresh,
            columns,
            rows,
            look,
            note,
            title_notes,
            worn,
        }
    }

    /// The same where nothing came of these kinds and everything of the others, but for some requests of any
    /// kind where it is `partly`.
    pub(crate) fn refused(
        mut self,
        refused: BTreeSet<Decoration>,
        partly: bool,
        structure: u64,
        look: Look,
    ) -> Self {
        self.structure = Some(structure);
        if partly {
            self.look = None;
            self.worn.values_mut().for_each(|worn| worn.level = None);
            self.note.get_or_insert_default();
        } else {
            if !refused.contains(&Decoration::Format) {
                self.look = Some(look);
                self.worn.clear();
            }
            if !refused.contains(&Decoration::Note) {
                self.note = None;
                self.title_notes = None;
            }
            // The sheet itself tells what is missing of these.
            if refused.iter().all(|kind| kind.is_seen()) {
                self.headers = false;
                self.columns.clear();
                self.rows.clear();
            }
        }
        self.refused = refused;
        self
    }
}

/// Levels by product of rows that are coloured.
fn levels_of(grid: &Grid) -> BTreeMap<&str, Level> {
    if grid.look.low_stock.is_none() {
        return BTreeMap::new();
    }
    grid_levels(grid)
        .filter(|(_, level)| *level != Level::Enough)
        .collect()
}
