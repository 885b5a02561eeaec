//! Envelope encryption of credentials.
