//! The alert policy against a real log.
