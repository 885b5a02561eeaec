//! What a cabinet has lived through: its start and the time of every step. As everything else follows from
//! the seed, a second start can live the same life again instead of keeping a copy of all stock.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::server::SimulatorError;

const FILE: &str = "wildberries-past.json";

/// Milliseconds since 1970 of the start and of each step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) start: i64,
    pub(crate) steps: Vec<i64>,
}

impl Past {
    /// The saved past, or a new one that begins now.
    pub(crate) fn load(folder: Option<&Path>, now: i64) -> Result<Self, SimulatorError> {
        let fresh = Self {
            start: now,
            steps: Vec::new(),
        };
        let Some(path) = folder
            .map(|folder| folder.join(FILE))
            .filter(|path| path.exists())
        else {
            return Ok(fresh);
        };
        let place = |path: &PathBuf| path.display().to_string();
        let text = std::fs::read(&path).map_err(|source| SimulatorError::Data {
            path: place(&path),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|source| SimulatorError::State {
            path: place(&path),
            source,
        })
    }

    /// Writes beside the old file and then takes its place.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), SimulatorError> {
        let path = folder.join(FILE);
        let place = || path.display().to_string();
        let text = serde_json::to_vec(self).map_err(|source| SimulatorError::State {
            path: place(),
            source,
        })?;
        let fresh = folder.join(format!("{FILE}.new"));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&fresh, text))
            .and_then(|()| std::fs::rename(&fresh, &path))
            .map_err(|source| SimulatorError::Data {
                path: place(),
                source,
            })
    }
}
