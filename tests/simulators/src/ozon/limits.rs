//! Ozon's request limits: 50 in any second over all methods of a cabinet, and fewer for stock by warehouse.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::server::lock;

/// Requests of one cabinet in any second.
const ALL: usize = 50;
/// Time between two requests for stock by warehouse.
const STOCKS_APART: Duration = Duration::from_millis(500);
/// The method with a limit of its own.
const STOCKS: &str = "/v1/analytics/stocks";

/// Whether and how fast limits count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OzonLimits {
    /// No limit at all.
    Off,
    /// Time runs so many times faster for the limits; 1.0 is reality.
    Speed(f64),
}

#[derive(Default)]
struct Window {
    sent: VecDeque<Instant>,
    stocks: Option<Instant>,
}

/// What every cabinet has sent lately.
#[derive(Default)]
pub(crate) struct Windows(Mutex<HashMap<u64, Window>>);

impl Windows {
    /// Counts a request; `Ok` carries what is left of the second, `Err` the seconds to wait.
    pub(crate) fn take(&self, limits: OzonLimits, client_id: u64, path: &str) -> Result<usize, u64> {
        let OzonLimits::Speed(speed) = limits else {
            return Ok(ALL);
        };
        let speed = speed.max(1e-3);
        let second = Duration::from_secs(1).div_f64(speed);
        let apart = STOCKS_APART.div_f64(speed);
        let now = Instant::now();
        let mut windows = lock(&self.0);
        let window = windows.entry(client_id).or_default();
        let over = |sent: &Instant| now.duration_since(*sent) >= second;
        while window.sent.front().is_some_and(over) {
            window.sent.pop_front();
        }
        let too_soon = path == STOCKS && window.stocks.is_some_and(|at| now.duration_since(at) < apart);
        if window.sent.len() >= ALL || too_soon {
            return Err(1);
        }
        window.sent.push_back(now);
        if path == STOCKS {
            window.stocks = Some(now);
        }
        Ok(ALL - window.sent.len())
    }
}
