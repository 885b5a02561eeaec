//! When a request is sent again, the same for every marketplace: trouble on the way a few times with growing
//! pauses, a told delay as long as it is near, everything else never.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

use crate::error::{CallError, CallFailure};

/// Told delays that one request obeys before it is given back.
const TOLD_DELAYS: u32 = 8;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeats {
    /// Longest wait for the request's turn.
    pub(crate) patience: Duration,
    /// Times that trouble on the way is answered with another request.
    pub(crate) count: u32,
    /// Before the first of them; doubled for each further one.
    pub(crate) pause: Duration,
}

impl Repeats {
    /// Waits before a repeat, or gives the failure back when a repeat is useless or too far away. `turn` is
    /// how long the request's bucket is closed.
    pub(crate) async fn pause_after(
        self,
        error: CallError,
        turn: impl Future<Output = Duration>,
        attempt: &mut u32,
    ) -> Result<(), CallError> {
        match &error.failure {
            // The bucket is closed for the told time, so the repeat waits for it by itself.
            CallFailure::RateLimited { .. } => {
                if turn.await > self.patience || *attempt >= TOLD_DELAYS {
                    return Err(error);
                }
                tracing::info!(
                    endpoint = error.endpoint,
                    "rate limited, waiting for the told time"
                );
            }
            CallFailure::Unavailable { .. } | CallFailure::Network(_) => {
                if *attempt >= self.count {
                    return Err(error);
                }
                sleep(self.pause.saturating_mul(1 << (*attempt).min(6))).await;
            }
            _ => return Err(error),
        }
        *attempt += 1;
        Ok(())
    }
}
