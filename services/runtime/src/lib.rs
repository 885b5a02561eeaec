//! Process plumbing: settings, telemetry, lifecycle, clock, ids.
