//! What a relay tells about itself, for metrics and for tests that wait for something to have happened.

/// Called from the relay's loop; must not block.
pub trait Observer: Send + Sync {
    /// It publishes now, or does not any more.
    fn leader(&self, _leading: bool) {}
    /// The broker has acknowledged everything up to this position.
    fn published(&self, _position: i64) {}
    /// The log was read up to this position.
    fn read(&self, _position: i64) {}
    /// What was known about the stream holds no longer, for this reason; it is looked at again.
    fn resync(&self, _reason: &str) {}
    /// The stream was not a copy of the log, for this reason, and is replaced from this position on.
    fn rebuilt(&self, _reason: &str, _from: i64) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
