//! What the table says of warehouses that a seller leaves out of what can be sold: the note on a title, and a
//! line for each in the note on the totals.

use std::collections::BTreeSet;

use read_models::inventory::queries::Exclusion;
use sheet_layout::{Language, left_out_heading};
use uuid::Uuid;

use crate::freshness::{cabinet, moscow, pick};

/// Lines in the note; what is beyond is counted.
const MOST_LINES: usize = 5;

/// A group of columns that is left out, at least of one cabinet's totals.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Its title.
    pub(crate) name: String,
    /// Units of listed products that are left out with it.
    pub(crate) units: i64,
    /// See [`reasons`].
    pub(crate) reasons: String,
}

/// Why a group is left out and since when. Where several cabinets share the group, each is named. Empty where
/// it counts.
pub(crate) fn reasons(
    exclusions: &[(Uuid, Exclusion)],
    cabinets: &BTreeSet<Uuid>,
    language: Language,
) -> String {
    let since = pick(language, "с", "since");
    let reason = |(of, exclusion): &(Uuid, Exclusion)| {
        let named = if cabinets.len() > 1 {
            format!(" ({})", cabinet(*of, language))
        } else {
            String::new()
        };
        let at = moscow(exclusion.since, language);
        format!("{}{named}, {since} {at}", exclusion.reason)
    };
    exclusions.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// A line for each group that is left out, with its units: they and the total are all there is.
pub(crate) fn lines(groups: &[Group], language: Language) -> Vec<String> {
    let heading = left_out_heading(language);
    let units = pick(language, "ед.", "units");
    let line = |group: &Group| {
        let Group {
            name,
            units: number,
            reasons,
        } = group;
        format!("{heading}: {name}, {number} {units}: {reasons}")
    };
    let rest = groups.len().saturating_sub(MOST_LINES);
    let mut lines: Vec<String> = groups.iter().take(MOST_LINES).map(line).collect();
    if rest > 0 {
        let units_more =
            (groups.iter().skip(MOST_LINES)).fold(0_i64, |sum, group| sum.saturating_add(group.units));
        lines.push(match language {
            Language::Russian => format!("{heading}: ещё складов {rest}, {units_more} {units}"),
            Language::English => format!("{heading}: {rest} more warehouses, {units_more} {units}"),
        });
    }
    lines
}
