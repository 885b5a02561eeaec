//! What may happen: pure decide and evolve.
