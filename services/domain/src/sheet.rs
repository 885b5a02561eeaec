//! Which spreadsheet is the tenant's, and how it shall look.

use events::StreamType;
use events::catalog::SheetEvent;
use events::ids::CredentialId;
use events::sheet::{SheetLayoutChanged, SheetLinked, SheetUnlinked};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::decider::aggregate;

/// What the sheet aggregate knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sheet {
    /// What is linked.
    pub linked: Option<SheetLinked>,
    /// Language of the titles.
    pub language: Option<String>,
}

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
    /// Look otherwise.
    ChangeLayout {
        /// `ru` or `en`.
        language: String,
    },
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
}

impl Decider for Sheet {
    const STREAM: StreamType = StreamType::Sheet;
    const FOLD_VERSION: i32 = 1;
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
            SheetCommand::ChangeLayout { language } if language != "ru" && language != "en" => {
                Err(SheetRefusal::UnknownLanguage)
            }
            SheetCommand::ChangeLayout { language } if self.language.as_ref() == Some(&language) => {
                Ok(vec![])
            }
            SheetCommand::ChangeLayout { language } => Ok(vec![SheetLayoutChanged { language }.into()]),
        }
    }

    fn evolve(&mut self, event: &SheetEvent) {
        match event {
            SheetEvent::SheetLinked(linked) => self.linked = Some(linked.clone()),
            SheetEvent::SheetUnlinked(_) => self.linked = None,
            SheetEvent::SheetLayoutChanged(changed) => self.language = Some(changed.language.clone()),
        }
    }
}

aggregate!(Sheet, "sheet");

#[cfg(test)]
mod tests;
