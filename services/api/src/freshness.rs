//! Reading your own writes. A command answers with the position of its last event; a read may name that
//! position and how long it is ready to wait until the read model has it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use database::Pool;
use deadpool_postgres::Transaction;
use read_models::{Inventory, Operations, Positions, QueryError, Reached};

use crate::problem::{Code, Problem};

/// Position of the log that an answer shows or that a command wrote.
pub const STOCK_POSITION: HeaderName = HeaderName::from_static("stock-position");
/// Position that the caller wants to see.
pub const STOCK_MIN_POSITION: HeaderName = HeaderName::from_static("stock-min-position");
/// Longest wait for a read model, seconds.
const LONGEST_WAIT: u64 = 10;

/// A read model that questions are asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// Products, stock, orders.
    Inventory,
    /// Tenants, cabinets, syncs, sheets.
    Operations,
}

impl Model {
    /// How far it has read, as the transaction sees it; 0 when it was never installed.
    ///
    /// # Errors
    /// [`QueryError::Database`].
    pub async fn position(self, transaction: &Transaction<'_>) -> Result<i64, QueryError> {
        let found = match self {
            Self::Inventory => read_models::position::<Inventory>(transaction).await?,
            Self::Operations => read_models::position::<Operations>(transaction).await?,
        };
        Ok(found.map_or(0, |(position, _)| position))
    }
}

/// What a read asks of the read model's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Position it wants to see.
    pub position: i64,
    /// How long it is ready to wait.
    pub wait: Duration,
    /// Whether it takes older data when the wait was too short.
    pub lenient: bool,
}

impl Wanted {
    /// From `Stock-Min-Position` and `Prefer: wait=n, handling=lenient` (RFC 7240).
    ///
    /// # Errors
    /// 400 when one of them cannot be understood.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let position = match request.headers().get(&STOCK_MIN_POSITION) {
            None => 0,
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse::<i64>().ok())
                .filter(|position| *position >= 0)
                .ok_or_else(|| {
                    Problem::new(Code::MalformedHeader, "Stock-Min-Position must be a whole number")
                        .at("header Stock-Min-Position")
                })?,
        };
        let mut wanted = Self {
            position,
            wait: Duration::ZERO,
            lenient: false,
        };
        let preferences = request
            .headers()
            .get_all("prefer")
            .filter_map(|value| value.to_str().ok());
        for preference in preferences.flat_map(|value| value.split(',')).map(str::trim) {
            if let Some(seconds) = preference.strip_prefix("wait=") {
                let seconds = seconds.trim_matches('"').parse::<u64>().map_err(|error| {
                    Problem::new(
                        Code::MalformedHeader,
                        format!("Prefer: wait is no number of seconds: {error}"),
                    )
                    .at("header Prefer")
                })?;
                wanted.wait = Duration::from_secs(seconds.min(LONGEST_WAIT));
            } else if preference == "handling=lenient" {
                wanted.lenient = true;
            }
        }
        Ok(wanted)
    }

    /// Waits until the read model is as far as wanted.
    ///
    /// # Errors
    /// 503 `projection-behind` when it is not and the caller is not lenient.
    pub async fn reached(self, positions: &Positions, pool: &Pool, model: Model) -> Result<(), Problem> {
        if self.position == 0 {
            return Ok(());
        }
        let reached = match model {
            Model::Inventory => {
                positions
                    .wait_for::<Inventory>(pool, self.position, self.wait)
                    .await?
            }
            Model::Operations => {
                positions
                    .wait_for::<Operations>(pool, self.position, self.wait)
                    .await?
            }
        };
        match reached {
            Reached::NotYet(now) if !self.lenient => {
                let detail = format!(
                    "the read model is at position {now}, {} was asked for",
                    self.position
                );
                Err(Problem::new(Code::ProjectionBehind, detail)
                    .retry_after(1)
                    .header(STOCK_POSITION, &now.to_string()))
            }
            _ => Ok(()),
        }
    }
}
