//! Files that keep a simulator's state between two starts of the demo.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::server::SimulatorError;

/// Reads what was kept under that name; none if nothing was.
pub(crate) fn load<T: DeserializeOwned>(folder: &Path, file: &str) -> Result<Option<T>, SimulatorError> {
    let path = folder.join(file);
    let place = || path.display().to_string();
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&path).map_err(|source| SimulatorError::Data {
        path: place(),
        source,
    })?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| SimulatorError::State {
            path: place(),
            source,
        })
}

/// Writes beside the old file and then takes its place, so that a crash leaves one of the two whole.
pub(crate) fn save(folder: &Path, file: &str, state: &impl Serialize) -> Result<(), SimulatorError> {
    let path = folder.join(file);
    let fresh = folder.join(format!("{file}.new"));
    let place = || path.display().to_string();
    let text = serde_json::to_vec(state).map_err(|source| SimulatorError::State {
        path: place(),
        source,
    })?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&fresh, text))
        .and_then(|()| std::fs::rename(&fresh, &path))
        .map_err(|source| SimulatorError::Data {
            path: place(),
            source,
        })
}
