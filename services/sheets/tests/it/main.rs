//! Sheets on a Google that keeps the contract, fed by a log and its read models on a real PostgreSQL.

// `cfg(test)` always holds here; it tells the lints that the helpers of these modules are test code as well.
#[cfg(test)]
mod asked;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod cabinets;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod following;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod held;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod left_out;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod people;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod seller;
mod sizes;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod world;
