//! Wildberries, Ozon and Google as HTTP servers on a free port, so that tests, the benchmark and the demo
//! run against the published contracts, over real sockets and without the internet.

mod clock;
pub mod google;
pub mod ozon;
mod server;
pub mod wildberries;

pub use clock::Clock;
pub use google::{Google, GoogleConfig};
pub use ozon::{Ozon, OzonConfig, OzonSellerConfig};
pub use server::{CallRecord, Calls, Effect, Fault, SimulatorError};
pub use wildberries::{SellerConfig, Wildberries, WildberriesConfig};
