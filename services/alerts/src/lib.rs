//! The alert policy: it folds the log into what is known of every product's stock and orders, judges it at
//! the end of every sync, and appends what changes. It reads events only, so the same log always gives the
//! same alerts, and a policy that starts anew repeats commands that the log answers as duplicates. What is
//! judged when, and what raises nothing, is told in `docs/alerts.md`.

mod policy;
mod store;
mod watch;

pub use policy::{AlertPolicy, Notice, Observer, Options, PolicyError};
pub use store::lag;
pub use watch::FOLD_VERSION;
