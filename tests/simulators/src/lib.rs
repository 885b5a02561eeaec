//! Wildberries, Ozon, Google, Stripe and Telegram as HTTP servers on a free port, and a receiver of webhooks,
//! so that tests, the benchmark and the demo run against the published contracts, over real sockets and
//! without the internet.

// An invoice has more fields than `json!` takes at the usual limit.
#![recursion_limit = "256"]

mod clock;
mod dice;
pub mod google;
mod kept;
mod ledger;
mod life;
pub mod ozon;
pub mod receiver;
mod server;
pub mod stripe;
pub mod telegram;
mod text;
pub mod wildberries;

pub use clock::Clock;
pub use google::{Google, GoogleConfig};
pub use ledger::{
    Ledger, LedgerLevel, LedgerOrder, LedgerProduct, LedgerSize, LedgerWarehouse, Parts, Units,
};
pub use life::Life;
pub use ozon::{Ozon, OzonConfig, OzonSellerConfig};
pub use receiver::{Receiver, ReceiverConfig};
pub use server::{CallRecord, Calls, Damage, Effect, Fault, Listener, SimulatorError, Weather};
pub use stripe::{Stripe, StripeConfig};
pub use telegram::{Telegram, TelegramConfig};
pub use wildberries::{SellerConfig, Wildberries, WildberriesConfig};
