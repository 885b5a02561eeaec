//! The real program, every role a process of its own, on real servers: journeys through all of it, and what
//! is left when processes are killed in the middle of their work.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests end the test where they fail, and show the processes' logs"
)]

mod checks;
mod inputs;
mod journeys;
mod program;
mod seller;
mod torture;
mod world;
