//! Stripe, which drives subscriptions.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::source::{Problem, Source, malformed};

/// Settings of Stripe.
#[derive(Debug, Clone)]
pub struct StripeSettings {
    /// `ST_STRIPE_URL`; no slash at the end.
    pub url: String,
    /// What is needed to sell; without it nothing is sold.
    pub account: Option<StripeAccount>,
    /// `ST_STRIPE_WEBHOOK_SECRET`: any of them is accepted while they are being changed. None of them is
    /// empty, and there is one at least where there is an account.
    pub webhook_secrets: Vec<SecretString>,
    /// `ST_STRIPE_WEBHOOK_TOLERANCE_SECONDS`: how far the time of a signature may be from ours.
    pub webhook_tolerance: Duration,
    /// `ST_BILLING_RETURN_URL`, without a slash at the end. See [`StripeSettings::return_url`].
    pub billing_return_url: Option<String>,
}

/// An account at Stripe with what it sells.
#[derive(Debug, Clone)]
pub struct StripeAccount {
    /// `ST_STRIPE_API_KEY`.
    pub api_key: SecretString,
    /// What the plans are there.
    pub prices: StripePrices,
}

/// The plans' prices at Stripe; all differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripePrices {
    /// `ST_STRIPE_PRICE_STARTER`.
    pub starter: String,
    /// `ST_STRIPE_PRICE_PRO`.
    pub pro: String,
    /// `ST_STRIPE_PRICE_ENTERPRISE`.
    pub enterprise: String,
}

const API_KEY: &str = "ST_STRIPE_API_KEY";
const WEBHOOK_SECRET: &str = "ST_STRIPE_WEBHOOK_SECRET";
const PRICES: [&str; 3] = [
    "ST_STRIPE_PRICE_STARTER",
    "ST_STRIPE_PRICE_PRO",
    "ST_STRIPE_PRICE_ENTERPRISE",
];
/// The page of the HTTP API that people come back to if no other one is set.
const RETURN_PATH: &str = "/billing/done";

impl StripeSettings {
    /// Where people come back to from Stripe's pages. `own` is the HTTP API's address as browsers reach it,
    /// such as `http://127.0.0.1:8080`; its page `/billing/done` is meant if no other page is set.
    #[must_use]
    pub fn return_url(&self, own: &str) -> String {
        let set = self.billing_return_url.clone();
        set.unwrap_or_else(|| format!("{}{RETURN_PATH}", own.trim_end_matches('/')))
    }
}

/// Every part is read even after one has failed, so that all that is wrong is named at once.
pub(super) fn read(source: &Source, problems: &mut Vec<Problem>) -> Option<StripeSettings> {
    let url = kept(source.base_url("ST_STRIPE_URL"), problems);
    let api_key = kept(source.secret(API_KEY).and_then(checked_key), problems);
    let secrets = kept(source.secret(WEBHOOK_SECRET).and_then(listed), problems);
    let tolerance = source.number(
        "ST_STRIPE_WEBHOOK_TOLERANCE_SECONDS",
        "seconds, 1 to 600 (0 would mean that no delivery is too old)",
        1..=600,
    );
    let tolerance = kept(tolerance, problems);
    let expected = "an http:// or https:// address without query";
    let return_url = source.parsed("ST_BILLING_RETURN_URL", expected, super::source::base_url);
    let return_url = kept(return_url, problems);
    let selling = matches!(api_key, Some(Some(_)));
    let prices = kept_prices(source, selling, problems);
    if selling && secrets.as_ref().is_some_and(Vec::is_empty) {
        problems.push(missing(WEBHOOK_SECRET));
    }
    let account = match (api_key?, prices?) {
        (Some(api_key), Some(prices)) => Some(StripeAccount { api_key, prices }),
        _ => None,
    };
    Some(StripeSettings {
        url: url?,
        account,
        webhook_secrets: secrets?,
        webhook_tolerance: Duration::from_secs(tolerance?),
        billing_return_url: return_url?,
    })
}

fn kept<Part>(read: Result<Part, Problem>, problems: &mut Vec<Problem>) -> Option<Part> {
    read.map_err(|problem| problems.push(problem)).ok()
}

const fn missing(key: &'static str) -> Problem {
    Problem::Missing {
        key,
        purpose: "selling plans (ST_STRIPE_API_KEY is set)",
    }
}

/// Stripe's keys for browsers (`pk_…`) are easily taken for the ones for servers.
fn checked_key(key: Option<SecretString>) -> Result<Option<SecretString>, Problem> {
    let is_key = |text: &str| {
        let rest = text.strip_prefix("sk_").or_else(|| text.strip_prefix("rk_"));
        rest.is_some_and(|rest| !rest.is_empty()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match &key {
        Some(text) if !is_key(text.expose_secret()) => {
            let expected = "a secret key (sk_…) or a restricted key (rk_…) of Stripe";
            Err(malformed(API_KEY, expected, ""))
        }
        _ => Ok(key),
    }
}

fn listed(secrets: Option<SecretString>) -> Result<Vec<SecretString>, Problem> {
    let Some(list) = secrets else {
        return Ok(Vec::new());
    };
    let items: Vec<&str> = list.expose_secret().split(',').map(str::trim).collect();
    if items.iter().any(|item| item.is_empty()) {
        let expected = "secrets separated by commas, none of them empty: an empty one would make every signature forgeable";
        return Err(malformed(WEBHOOK_SECRET, expected, ""));
    }
    Ok(items.into_iter().map(SecretString::from).collect())
}

/// The prices if all are there. Outer none if something is wrong with them.
fn kept_prices(source: &Source, selling: bool, problems: &mut Vec<Problem>) -> Option<Option<StripePrices>> {
    let before = problems.len();
    let prices = PRICES.map(|key| {
        let price = kept(source.parsed(key, "the id of a price, price_…", price), problems)?;
        if selling && price.is_none() {
            problems.push(missing(key));
        }
        price
    });
    for (place, (key, price)) in PRICES.into_iter().zip(&prices).enumerate() {
        let earlier = prices.iter().take(place);
        if let Some(price) = price
            .as_ref()
            .filter(|price| earlier.flatten().any(|other| other == *price))
        {
            problems.push(malformed(
                key,
                "another price than those of the other plans",
                price,
            ));
        }
    }
    if problems.len() > before {
        return None;
    }
    let [starter, pro, enterprise] = prices;
    Some(
        starter
            .zip(pro)
            .zip(enterprise)
            .map(|((starter, pro), enterprise)| StripePrices {
                starter,
                pro,
                enterprise,
            }),
    )
}

fn price(text: &str) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (text.len() <= 255 && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::StripeSettings;

    const WHOLE: [(&str, &str); 5] = [
        ("ST_STRIPE_API_KEY", "sk_test_c2VjcmV0"),
        ("ST_STRIPE_WEBHOOK_SECRET", "whsec_c2VjcmV0"),
        ("ST_STRIPE_PRICE_STARTER", "price_1"),
        ("ST_STRIPE_PRICE_PRO", "price_2"),
        ("ST_STRIPE_PRICE_ENTERPRISE", "price_3"),
    ];

    /// The whole account with some of its settings replaced or, by an empty value, left out.
    fn load(changed: &[(&str, &str)]) -> Result<StripeSettings, String> {
        let given = WHOLE.iter().chain(changed);
        let given = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings = Settings::load(given.collect::<std::collections::BTreeMap<_, _>>(), None);
        settings
            .map(|settings| settings.stripe)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_account_is_accepted_with_secrets_being_replaced() {
        let stripe = load(&[("ST_STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b")]).unwrap();
        assert_eq!(stripe.webhook_secrets.len(), 2);
        assert_eq!(stripe.webhook_tolerance.as_secs(), 300);
        assert_eq!(stripe.url, "https://api.stripe.com");
        assert_eq!(stripe.account.unwrap().prices.pro, "price_2");
    }

    #[test]
    fn without_a_key_nothing_is_sold_and_nothing_is_missing() {
        assert!(load(&WHOLE.map(|(key, _)| (key, ""))).unwrap().account.is_none());
        assert!(load(&[("ST_STRIPE_API_KEY", "")]).unwrap().account.is_none());
    }

    #[test]
    fn all_that_is_missing_beside_a_key_is_named_at_once() {
        let mut left_out = WHOLE.map(|(key, _)| (key, ""));
        left_out[0].1 = "sk_test_1";
        let text = load(&left_out).unwrap_err();
        for (key, _) in &WHOLE[1..] {
            let line = format!("{key} is needed for selling plans (ST_STRIPE_API_KEY is set) and is not set");
            assert!(text.contains(&line), "{key}: {text}");
        }
    }

    #[test]
    fn an_empty_webhook_secret_stops_the_start() {
        for empty in [",", "whsec_a,", "whsec_a,,whsec_b", " ", " , whsec_c2VjcmV0"] {
            let text = load(&[("ST_STRIPE_WEBHOOK_SECRET", empty)]).unwrap_err();
            assert!(
                text.contains("ST_STRIPE_WEBHOOK_SECRET must be"),
                "{empty:?}: {text}"
            );
            assert!(!text.contains("c2VjcmV0"), "{text}");
        }
    }

    #[test]
    fn a_tolerance_of_nothing_is_refused_with_the_reason() {
        let tolerance = |seconds| load(&[("ST_STRIPE_WEBHOOK_TOLERANCE_SECONDS", seconds)]);
        for seconds in ["0", "601", "-1", "5m"] {
            let text = tolerance(seconds).unwrap_err();
            let expected = "ST_STRIPE_WEBHOOK_TOLERANCE_SECONDS must be seconds, 1 to 600 (0 would mean that no \
                            delivery is too old)";
            assert!(text.contains(expected), "{seconds}: {text}");
        }
        for (seconds, read) in [("1", 1), ("600", 600)] {
            assert_eq!(tolerance(seconds).unwrap().webhook_tolerance.as_secs(), read);
        }
    }

    #[test]
    fn two_plans_with_one_price_and_what_is_no_price_are_named() {
        let text = load(&[
            ("ST_STRIPE_PRICE_PRO", "price_1"),
            ("ST_STRIPE_PRICE_ENTERPRISE", "9.90 USD"),
        ])
        .unwrap_err();
        assert!(
            text.contains("ST_STRIPE_PRICE_PRO must be another price"),
            "{text}"
        );
        assert!(
            text.contains("ST_STRIPE_PRICE_ENTERPRISE must be the id of a price"),
            "{text}"
        );
    }

    #[test]
    fn a_key_for_browsers_is_refused_and_not_shown() {
        for key in ["pk_test_c2VjcmV0", "c2VjcmV0", "sk_", "sk_test c2VjcmV0"] {
            let text = load(&[("ST_STRIPE_API_KEY", key)]).unwrap_err();
            assert!(text.contains("ST_STRIPE_API_KEY must be a secret key"), "{text}");
            assert!(!text.contains("c2VjcmV0"), "{text}");
        }
        assert!(
            load(&[("ST_STRIPE_API_KEY", "rk_live_1")])
                .unwrap()
                .account
                .is_some()
        );
    }

    #[test]
    fn people_come_back_to_our_own_page_or_to_the_one_that_is_set() {
        let own = load(&[]).unwrap();
        assert_eq!(
            own.return_url("http://127.0.0.1:8080/"),
            "http://127.0.0.1:8080/billing/done"
        );
        let other = load(&[("ST_BILLING_RETURN_URL", "https://app.example.com/paid/")]).unwrap();
        assert_eq!(
            other.return_url("http://127.0.0.1:8080"),
            "https://app.example.com/paid"
        );
        let text = load(&[("ST_BILLING_RETURN_URL", "app.example.com")]).unwrap_err();
        assert!(
            text.contains("ST_BILLING_RETURN_URL must be an http:// or https:// address"),
            "{text}"
        );
    }
}
