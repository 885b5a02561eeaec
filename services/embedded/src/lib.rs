//! PostgreSQL and NATS as child processes, for `--embedded` and for tests.
