//! One listener, one call log and one fault switch for every simulator, so that each of them only answers
//! calls.

mod answer;
mod calls;
mod damage;
mod faults;
mod listener;
mod market;
mod weather;

pub use calls::{CallRecord, Calls};
pub use damage::Damage;
pub use faults::{Effect, Fault};
pub use listener::Listener;
pub use weather::Weather;

pub(crate) use answer::{Answer, Call, parse_query};
pub(crate) use market::{Market, Stall, Time, asked_seller, control, with};
pub(crate) use weather::Ways;

use std::pin::Pin;

use chrono::{DateTime, Utc};

/// A simulator could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The port is taken or the socket was refused.
    #[error("the simulator cannot listen on port {port}")]
    Listen {
        /// The port asked for; 0 means any.
        port: u16,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The server's thread ended before it reported that it listens.
    #[error("the simulator's server thread ended early")]
    Thread,
    /// The service account's key could not be made or read back.
    #[error("the service account's key is unusable: {0}")]
    Key(String),
    /// The data folder could not be read or written.
    #[error("the simulator's data folder cannot be used: {path}")]
    Data {
        /// The file or folder in question.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The client that sends deliveries could not be made.
    #[error("the simulator cannot send anything")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The saved state does not parse.
    #[error("the saved state cannot be read: {path}")]
    State {
        /// The file in question.
        path: String,
        /// Where it breaks.
        #[source]
        source: serde_json::Error,
    },
}

/// An answer that is not there yet.
pub(crate) type Later<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// What a simulated service has to answer; everything around it is the [`Listener`]'s.
pub(crate) trait Simulated: Send + Sync + 'static {
    /// Answers an ordinary call.
    fn respond(&self, call: &Call) -> Answer;
    /// Answers a call whose answer has to be waited for; none where [`Simulated::respond`] answers.
    fn respond_later<'a>(&'a self, _call: &'a Call) -> Option<Later<'a>> {
        None
    }
    /// Answers a call below `/_sim/` that the listener does not know itself.
    fn control(&self, call: &Call) -> Answer;
    /// Whose call it is (a seller, a service account), for faults that hit one of them only.
    fn principal(&self, call: &Call) -> Option<String>;
    /// The service's own way to say "too many requests".
    fn rate_limited(&self, call: &Call, retry_seconds: u64) -> Answer;
    /// A call has arrived and may now wait for a scripted time; an answer here refuses it at once.
    fn enter(&self, _call: &Call) -> Option<Answer> {
        None
    }
    /// A call that was not refused on arrival is over, answered or not.
    fn leave(&self, _call: &Call) {}
    /// Called regularly while the server runs.
    fn tick(&self);
    /// The service's own time, for the header `Date`; the machine's where there is none.
    fn date(&self) -> Option<DateTime<Utc>> {
        None
    }
    /// Which source a call is for, where bad weather and damage may hit it, and the service's ways to fail.
    fn exposed(&self, _call: &Call) -> Option<(&'static str, Ways)> {
        None
    }
}

/// Locks a mutex whether or not another thread panicked while holding it: the simulators' data stays usable.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
