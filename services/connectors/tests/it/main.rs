//! The clients against real servers that follow the vendors' contracts.

mod http;
mod wildberries;
mod wildberries_faults;
mod world;
