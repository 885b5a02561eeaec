//! JetStream: declared topology, publish, consume, dead letters, cache.
