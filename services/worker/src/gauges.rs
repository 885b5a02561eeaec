//! Figures for operators that nobody comes by in the course of work: asked for four times a minute, as
//! often as they are usually scraped.

use std::fmt::Debug;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often a figure is asked for.
pub const EVERY: Duration = Duration::from_secs(15);

/// Asks and tells until told to stop. While nobody answers the last figure stays.
pub async fn watch<Figure, Error: Debug, Answer: Future<Output = Result<Figure, Error>>>(
    ask: impl Fn() -> Answer,
    tell: impl Fn(Figure),
    stop: &CancellationToken,
) {
    while !stop.is_cancelled() {
        match ask().await {
            Ok(figure) => tell(figure),
            Err(error) => tracing::warn!(error = ?error, "a figure cannot be told"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
