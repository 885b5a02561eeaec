//! The clients against real servers that follow the vendors' contracts.

// `cfg(test)` always holds here; it tells the lints that the helpers of these modules are test code as well.
#[cfg(test)]
mod drift;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod google;
#[cfg(test)]
mod http;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod ozon;
#[cfg(test)]
mod ozon_damage;
#[cfg(test)]
mod ozon_description;
#[cfg(test)]
mod ozon_faults;
#[cfg(test)]
mod ozon_world;
#[cfg(test)]
mod stripe;
#[cfg(test)]
mod stripe_events;
#[cfg(test)]
mod stripe_faults;
#[cfg(test)]
mod stripe_signature;
#[cfg(test)]
mod telegram;
#[cfg(test)]
mod telegram_faults;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod webhooks_libraries;
#[cfg(test)]
mod webhooks_names;
#[cfg(test)]
mod webhooks_world;
#[cfg(test)]
mod wildberries;
#[cfg(test)]
mod wildberries_faults;
mod wildberries_rest;
mod wildberries_rows;
#[cfg(test)]
mod world;
