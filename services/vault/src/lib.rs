//! Keeps the secrets that open a seller's cabinet or sheet, so that nobody who reads the database, a backup
//! of it, an event or a log can use them.
//!
//! Envelope encryption: every tenant has a data key of its own, which is stored only wrapped by a versioned
//! [master key](MasterKeys) that never enters the database. Each ciphertext is bound to the exact place where
//! it stands ([`place::Place`]); moved to another tenant, row or column it does not open any more. Plaintexts
//! and keys are wiped when dropped, and no type here that holds one implements `Debug` or `Serialize`.
//!
//! Keys are replaced while everything goes on: [`Keeper`].
//!
//! What this crate does not do: decide who may open what. That is the grants in
//! `migrations/core/V3__vault.sql`: a process that only seals cannot even read a ciphertext.

mod master_keys;
mod payload_key;
mod place;
mod rotation;
mod sealed;
mod store;

pub use master_keys::{MasterKeyError, MasterKeys};
pub use payload_key::PayloadKey;
pub use place::Place;
pub use rotation::{Inventory, Keeper, KeyFacts, LONGEST_USE_DAYS, MOST_SEALS, Rotated, Scope, Verified};
pub use sealed::SealError;
pub use store::{Vault, VaultError};
