//! Stripe, which drives subscriptions.

use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source};

/// Settings of Stripe; without an API key nothing is sold.
#[derive(Debug, Clone)]
pub struct StripeSettings {
    /// `ST_STRIPE_URL`; no slash at the end.
    pub url: String,
    /// `ST_STRIPE_API_KEY`.
    pub api_key: Option<SecretString>,
    /// `ST_STRIPE_WEBHOOK_SECRET`: any of them is accepted while they are being changed.
    pub webhook_secrets: Vec<SecretString>,
    /// `ST_STRIPE_PRICE_STARTER`.
    pub price_starter: Option<String>,
    /// `ST_STRIPE_PRICE_PRO`.
    pub price_pro: Option<String>,
    /// `ST_STRIPE_PRICE_ENTERPRISE`.
    pub price_enterprise: Option<String>,
}

pub(super) fn read(source: &Source) -> Result<StripeSettings, Problem> {
    let secrets = source.secret("ST_STRIPE_WEBHOOK_SECRET")?;
    let listed = secrets.iter().flat_map(|list| list.expose_secret().split(','));
    let webhook_secrets = listed
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(SecretString::from)
        .collect();
    Ok(StripeSettings {
        url: source.base_url("ST_STRIPE_URL")?,
        api_key: source.secret("ST_STRIPE_API_KEY")?,
        webhook_secrets,
        price_starter: source.text("ST_STRIPE_PRICE_STARTER"),
        price_pro: source.text("ST_STRIPE_PRICE_PRO"),
        price_enterprise: source.text("ST_STRIPE_PRICE_ENTERPRISE"),
    })
}
