//! Commands and queries over NATS request/reply.
