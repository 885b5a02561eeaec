//! Lists under a cursor, and when such a list is at its end.

use std::collections::HashSet;

use crate::marketplace::Tally;

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a page that was not full, or with an empty one.
    Proven,
    /// With a full page that says it is the last and gives no way on: such answers were seen cut off.
    Full,
    /// With a cursor that leads nowhere although there is a next page.
    Stuck,
}

impl End {
    /// Whether the list is whole; says so in the source's trouble where it is not.
    pub(super) fn is_proven(self, tally: &mut Tally) -> bool {
        match self {
            Self::Proven => return true,
            Self::Full => tally.trouble("a list ends with a full page and gives no way on"),
            Self::Stuck => tally.trouble("there is a next page, and the cursor does not lead to it"),
        }
        false
    }
}

/// A way through the pages of one list.
pub(super) struct Pages {
    most: usize,
    cursor: String,
    seen: HashSet<String>,
}

impl Pages {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: usize::try_from(most.max(1)).unwrap_or(usize::MAX),
            cursor: String::new(),
            seen: HashSet::new(),
        }
    }

    /// Of the page that comes next.
    pub(super) fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Takes note of a page with so many rows; none where another one has to be asked for.
    pub(super) fn next(&mut self, rows: usize, has_next: bool, cursor: String) -> Option<End> {
        let is_full = rows >= self.most;
        if !has_next && !is_full {
            return Some(End::Proven);
        }
        // A full last page with a cursor is asked what lies behind it.
        let leads_on = !cursor.is_empty() && cursor != self.cursor && self.seen.insert(cursor.clone());
        if leads_on {
            self.cursor = cursor;
            return None;
        }
        Some(if has_next { End::Stuck } else { End::Full })
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Pages};

    #[test]
    fn only_a_short_page_proves_the_end() {
        let next = |rows, has_next, cursor: &str| Pages::new(3).next(rows, has_next, cursor.to_owned());
        assert_eq!(next(2, false, ""), Some(End::Proven));
        assert_eq!(next(0, false, "a"), Some(End::Proven));
        assert_eq!(next(3, false, ""), Some(End::Full));
        assert_eq!(next(3, false, "a"), None, "asked once more");
        assert_eq!(next(1, true, "a"), None);
        assert_eq!(next(3, true, ""), Some(End::Stuck));
    }

    #[test]
    fn a_cursor_that_comes_back_ends_the_list_unproven() {
        let mut pages = Pages::new(3);
        assert_eq!(pages.next(3, true, "a".to_owned()), None);
        assert_eq!(pages.next(3, true, "b".to_owned()), None);
        assert_eq!(pages.cursor(), "b");
        assert_eq!(pages.next(3, true, "a".to_owned()), Some(End::Stuck));
    }
}
