//! Which spreadsheet is the tenant's, and how it shall look.

use events::StreamType;
use events::catalog::SheetEvent;
use events::ids::CredentialId;
use events::sheet::{LowStock, SheetBlocked, SheetLayoutChanged, SheetLinked, SheetUnblocked, SheetUnlinked};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// What the sheet aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// What is linked.
    pub linked: Option<SheetLinked>,
    /// How the table looks, if that was ever chosen.
    #[serde(default)]
    pub layout: Option<SheetLayoutChanged>,
    /// Why it cannot be written, while it cannot.
    #[serde(default)]
    pub blocked: Option<String>,
}

/// Most cabinets that a choice can name.
pub const MOST_CABINETS: usize = 100;
/// Largest threshold in units.
pub const MOST_UNITS: i64 = 1_000_000;
/// Largest threshold in days.
pub const MOST_DAYS: u32 = 3_650;

/// What a sheet can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetCommand {
    /// Use this spreadsheet.
    Link {
        /// Google's id.
        spreadsheet_id: String,
        /// Title of the managed worksheet.
        worksheet: String,
        /// The tenant's own service account, if not the service's.
        credential_id: Option<CredentialId>,
    },
    /// Write no more.
    Unlink,
    /// Look otherwise, in the sheet and in exports; a sheet need not be linked.
    ChangeLayout(Box<SheetLayoutChanged>),
    /// Writing it came out so: none when it works, else the code of what hinders it.
    ReportWriting(Option<String>),
}

/// Why a sheet refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetRefusal {
    /// Nothing is linked.
    #[error("no spreadsheet is linked")]
    NotLinked,
    /// A language without titles.
    #[error("the language must be `ru` or `en`")]
    UnknownLanguage,
    /// More cabinets than anybody has.
    #[error("at most {MOST_CABINETS} cabinets can be chosen")]
    TooManyCabinets,
    /// A threshold that no number can meet, or that every number meets.
    #[error("low stock is below 1 to {MOST_UNITS} units or below 1 to {MOST_DAYS} days")]
    Threshold,
}

impl Decider for Sheet {
    const STREAM: StreamType = StreamType::Sheet;
    const FOLD_VERSION: i32 = 3;
    type Command = SheetCommand;
    type Happened = SheetEvent;
    type Refusal = SheetRefusal;

    fn decide(&self, command: SheetCommand) -> Result<Vec<SheetEvent>, SheetRefusal> {
        match command {
            SheetCommand::Link {
                spreadsheet_id,
                worksheet,
                credential_id,
            } => {
                let link = SheetLinked {
                    spreadsheet_id,
                    worksheet,
                    credential_id,
                };
                if self.linked.as_ref() == Some(&link) {
                    return Ok(vec![]);
                }
                Ok(vec![link.into()])
            }
            SheetCommand::Unlink if self.linked.is_none() => Err(SheetRefusal::NotLinked),
            SheetCommand::Unlink => Ok(vec![SheetUnlinked {}.into()]),
            SheetCommand::ReportWriting(hindered) if self.linked.is_none() || self.blocked == hindered => {
                Ok(vec![])
            }
            SheetCommand::ReportWriting(Some(reason)) => Ok(vec![SheetBlocked { reason }.into()]),
            SheetCommand::ReportWriting(None) => Ok(vec![SheetUnblocked {}.into()]),
            SheetCommand::ChangeLayout(wanted) => {
                let wanted = checked(*wanted)?;
                if self.layout.as_ref() == Some(&wanted) {
                    return Ok(vec![]);
                }
                Ok(vec![wanted.into()])
            }
        }
    }

    fn evolve(&mut self, event: &SheetEvent) {
        match event {
            SheetEvent::SheetLinked(linked) => {
                self.linked = Some(linked.clone());
                self.blocked = None;
            }
            SheetEvent::SheetUnlinked(_) => {
                self.linked = None;
                self.blocked = None;
            }
            SheetEvent::SheetBlocked(blocked) => self.blocked = Some(blocked.reason.clone()),
            SheetEvent::SheetUnblocked(_) => self.blocked = None,
            SheetEvent::SheetLayoutChanged(changed) => self.layout = Some(changed.clone()),
        }
    }
}

/// The choice in its one form, so that the same choice is never two events.
fn checked(mut wanted: SheetLayoutChanged) -> Result<SheetLayoutChanged, SheetRefusal> {
    if wanted.language != "ru" && wanted.language != "en" {
        return Err(SheetRefusal::UnknownLanguage);
    }
    wanted.marketplaces.sort_unstable();
    wanted.marketplaces.dedup();
    wanted.cabinets.sort_unstable_by_key(|cabinet| cabinet.uuid());
    wanted.cabinets.dedup();
    if wanted.cabinets.len() > MOST_CABINETS {
        return Err(SheetRefusal::TooManyCabinets);
    }
    wanted.extra_columns.sort_unstable();
    wanted.extra_columns.dedup();
    let LowStock {
        below_units,
        below_days,
    } = wanted.low_stock.unwrap_or_default();
    let sane = below_units.is_none_or(|units| (1..=MOST_UNITS).contains(&units))
        && below_days.is_none_or(|days| (1..=MOST_DAYS).contains(&days));
    if !sane {
        return Err(SheetRefusal::Threshold);
    }
    Ok(wanted)
}

aggregate!(Sheet, "sheet");

#[cfg(test)]
mod tests;
