//! Append and read streams, the combiner, the global reader, write-side states.
