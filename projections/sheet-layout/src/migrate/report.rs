//! What a migration did, in sentences for whoever runs it.

use super::recognise::header;
use super::{Layout, Worksheet, letters};

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It is somewhere else, or got another name.
    Moved,
    /// It is the seller's and stays.
    Kept,
    /// It is gone.
    Removed,
    /// A person should look at it.
    Unclear,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What became of it.
    pub fate: Fate,
    /// Of what.
    pub what: String,
}

/// What was found and what becomes of it. Rows and columns are named as the sheet showed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The layout that was recognised.
    pub layout: Layout,
    /// In the order in which it is told.
    pub entries: Vec<Entry>,
}

impl Report {
    /// Nothing to tell but the layout.
    #[must_use]
    pub const fn of(layout: Layout) -> Self {
        Self {
            layout,
            entries: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, fate: Fate, what: String) {
        self.entries.push(Entry { fate, what });
    }

    /// What an old layout left in a sheet to which this one was written beside it.
    pub(super) fn left_behind(&mut self, found: &Worksheet) {
        let managed = |index: u32| found.columns.iter().any(|column| column.index == index);
        let Some((layout, header)) = header(found, |index| !managed(index)) else {
            return;
        };
        let first = header.columns.first().map_or(0, |(index, _)| *index);
        let last = header.columns.last().map_or(0, |(index, _)| *index);
        self.add(
            Fate::Unclear,
            format!(
                "columns {} to {} still have {layout}, with titles in row {}; they are taken for yours and stay: \
                 delete them when you need nothing from them",
                letters(first),
                letters(last),
                header.fields + 1
            ),
        );
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Moved => "moved",
            Self::Kept => "kept",
            Self::Removed => "removed",
            Self::Unclear => "unclear",
        })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "found {}", self.layout)?;
        for entry in &self.entries {
            writeln!(f, "  {:<8} {}", entry.fate, entry.what)?;
        }
        Ok(())
    }
}
