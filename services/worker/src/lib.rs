//! Policies, syncs, schedules.
