//! Keeps the spreadsheets between two starts of the demo, so that a link that was opened once stays good.

use std::collections::BTreeMap;
use std::path::Path;

use super::model::Spreadsheet;
use crate::server::SimulatorError;

const FILE: &str = "google-spreadsheets.json";

/// Reads what was saved; nothing saved is no spreadsheet.
pub(crate) fn load(folder: &Path) -> Result<BTreeMap<String, Spreadsheet>, SimulatorError> {
    let path = folder.join(FILE);
    let place = || path.display().to_string();
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read(&path).map_err(|source| SimulatorError::Data {
        path: place(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| SimulatorError::State {
        path: place(),
        source,
    })
}

/// Writes beside the old file and then takes its place, so that a crash leaves one of the two whole.
pub(crate) fn save(folder: &Path, books: &BTreeMap<String, Spreadsheet>) -> Result<(), SimulatorError> {
    let path = folder.join(FILE);
    let fresh = folder.join(format!("{FILE}.new"));
    let place = || path.display().to_string();
    let text = serde_json::to_vec(books).map_err(|source| SimulatorError::State {
        path: place(),
        source,
    })?;
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, &path))
        .map_err(|source| SimulatorError::Data {
            path: place(),
            source,
        })
}
