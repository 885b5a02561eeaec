//! What a cabinet has lived through: its start and the time of every step. As everything else follows from
//! the seed, a second start can live the same life again instead of keeping a copy of all stock.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::kept;
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
        match folder {
            Some(folder) => Ok(kept::load(folder, FILE)?.unwrap_or(fresh)),
            None => Ok(fresh),
        }
    }

    /// Keeps it for the next start.
    pub(crate) fn save(&self, folder: &Path) -> Result<(), SimulatorError> {
        kept::save(folder, FILE, self)
    }
}
