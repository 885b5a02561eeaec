//! The tenant's spreadsheet: which one, and how it shall look.

use serde::{Deserialize, Serialize};

use crate::ids::CredentialId;

/// A spreadsheet was linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetLinked {
    /// Google's id of the spreadsheet.
    pub spreadsheet_id: String,
    /// Title of the managed worksheet.
    pub worksheet: String,
    /// The tenant's own service account in the vault; none when the service's own is used.
    pub credential_id: Option<CredentialId>,
}

/// The spreadsheet was unlinked; what was written stays in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetUnlinked {}

/// The tenant wants the sheet to look otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SheetLayoutChanged {
    /// Language of the titles, `ru` or `en`.
    pub language: String,
}
