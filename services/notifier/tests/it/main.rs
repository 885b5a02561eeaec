//! Messages against simulated receivers.
