//! The one way for a test to wait: for a state, never for time.

use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

/// A deadline for what should take a moment: long enough for a loaded machine, since a passing test never
/// waits it out.
pub const SOON: Duration = Duration::from_secs(30);

/// Asks `probe` again and again until it answers `Ok`, and returns that. After `deadline` the test fails with
/// the last state that `probe` reported as `Err`; a probe that hangs counts as its last state too.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let mut calls = 0;
/// let seen = support::eventually("three calls", support::SOON, || {
///     calls += 1;
///     let now = calls;
///     async move { if now >= 3 { Ok(now) } else { Err(format!("{now} calls")) } }
/// })
/// .await;
/// assert_eq!(seen, 3);
/// # });
/// ```
#[track_caller]
pub fn eventually<Value, Probe, Probing>(
    what: &str,
    deadline: Duration,
    mut probe: Probe,
) -> impl Future<Output = Value>
where
    Probe: FnMut() -> Probing,
    Probing: Future<Output = Result<Value, String>>,
{
    let caller = Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut pause = Duration::from_millis(5);
        let mut last = "nothing".to_owned();
        loop {
            last = match tokio::time::timeout_at(end, probe()).await {
                Ok(Ok(value)) => return value,
                Ok(Err(state)) => state,
                Err(_elapsed) => format!("{last} (the probe itself did not answer any more)"),
            };
            assert!(
                Instant::now() + pause < end,
                "at {caller}: not seen within {} s: {what}; last state: {last}",
                deadline.as_secs_f32()
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
