//! Ozon, read only: products, stock by warehouse and cluster, the seller's own warehouses, postings. Facts
//! about the vendor are those of its documentation of October 2026
//! (<https://docs.ozon.ru/api/seller>); where documents contradict each other or live answers were seen to
//! differ, both shapes are accepted.
//!
//! An article is a SKU here, as the vendor's own pages show it. Cards from before 2023 have one SKU per
//! scheme of sale; the first of them stands for the product, the others are its sizes.

mod catalogue;
mod check;
mod client;
mod credential;
mod description;
mod error;
mod fbs;
mod limits;
mod orders;
mod pages;
mod stock;
mod wire;

pub use client::{Options, Ozon};
pub use credential::{Credential, CredentialError};
pub use limits::{Accounts, Group};

/// The vendor's address.
pub const URL: &str = "https://api-seller.ozon.ru";
