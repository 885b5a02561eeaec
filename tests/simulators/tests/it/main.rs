//! The simulators are only worth something if they refuse what the real services refuse; these tests hold
//! them to it.

#[cfg(test)]
mod client;
#[cfg(test)]
mod google_page;
#[cfg(test)]
mod google_people;
#[cfg(test)]
mod google_rules;
#[cfg(test)]
mod google_sheets;
#[cfg(test)]
mod ozon_rules;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod stripe;
#[cfg(test)]
mod telegram;
#[cfg(test)]
mod wildberries_data;
#[cfg(test)]
mod wildberries_rules;
