//! JetStream to tables: the projection runtime, rebuild, parking.
