//! Hosts of the marketplaces; each can be a simulator.

use secrecy::SecretString;

use super::source::{Problem, Source};

/// Wildberries' hosts, one per part of its API; no slash at the end.
#[derive(Debug, Clone)]
pub struct WildberriesSettings {
    /// `ST_WB_CONTENT_URL`.
    pub content_url: String,
    /// `ST_WB_ANALYTICS_URL`.
    pub analytics_url: String,
    /// `ST_WB_STATISTICS_URL`.
    pub statistics_url: String,
    /// `ST_WB_MARKETPLACE_URL`.
    pub marketplace_url: String,
    /// `ST_WB_COMMON_URL`.
    pub common_url: String,
    /// `ST_WB_PRICES_URL`.
    pub prices_url: String,
    /// `ST_WB_SERVICE_SECRET`: goes with every request in the header `X-Client-Secret`.
    pub service_secret: Option<SecretString>,
}

/// Ozon's host.
#[derive(Debug, Clone)]
pub struct OzonSettings {
    /// `ST_OZON_URL`; no slash at the end.
    pub url: String,
}

pub(super) fn read_wildberries(source: &Source) -> Result<WildberriesSettings, Problem> {
    Ok(WildberriesSettings {
        content_url: source.base_url("ST_WB_CONTENT_URL")?,
        analytics_url: source.base_url("ST_WB_ANALYTICS_URL")?,
        statistics_url: source.base_url("ST_WB_STATISTICS_URL")?,
        marketplace_url: source.base_url("ST_WB_MARKETPLACE_URL")?,
        common_url: source.base_url("ST_WB_COMMON_URL")?,
        prices_url: source.base_url("ST_WB_PRICES_URL")?,
        service_secret: source.secret("ST_WB_SERVICE_SECRET")?,
    })
}

pub(super) fn read_ozon(source: &Source) -> Result<OzonSettings, Problem> {
    Ok(OzonSettings {
        url: source.base_url("ST_OZON_URL")?,
    })
}
