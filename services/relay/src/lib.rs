//! Store to JetStream, in global order, without a second truth.
