//! What happens to processes and servers while they work, and what must hold afterwards.

mod kills;
mod servers;
mod takeover;
