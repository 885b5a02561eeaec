//! Error bodies of Stripe: `{"error": {"type", "code", "param", "message", …}}`.

use serde_json::{Map, Value, json};

use crate::server::Answer;

/// Why a call was refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    decline_code: Option<&'static str>,
    param: Option<String>,
    pub(crate) message: String,
    pub(crate) should_retry: Option<bool>,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: &str) -> Self {
        Self {
            status,
            kind,
            code,
            decline_code: None,
            param: None,
            message: message.to_owned(),
            should_retry: None,
        }
    }

    fn on(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// A bad request without a code of its own.
    pub(crate) fn invalid(param: Option<&str>, message: &str) -> Self {
        let refusal = Self::new(400, "invalid_request_error", None, message);
        match param {
            Some(param) => refusal.on(param),
            None => refusal,
        }
    }

    pub(crate) fn unknown_parameter(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::new(400, "invalid_request_error", Some("parameter_unknown"), &message).on(param)
    }

    pub(crate) fn missing_parameter(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::new(400, "invalid_request_error", Some("parameter_missing"), &message).on(param)
    }

    pub(crate) fn invalid_integer(param: &str, value: &str) -> Self {
        let message = format!("Invalid integer: {value}");
        Self::new(
            400,
            "invalid_request_error",
            Some("parameter_invalid_integer"),
            &message,
        )
        .on(param)
    }

    /// `No such price: 'price_x'`. In an address it is a 404, in a parameter a 400.
    ///
    /// Unknown: the status of a missing object in a parameter, and the name that `param` has for an object in
    /// the address (`id` here). Neither is documented.
    pub(crate) fn missing(what: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        let status = if param == "id" || param == "session" {
            404
        } else {
            400
        };
        Self::new(
            status,
            "invalid_request_error",
            Some("resource_missing"),
            &message,
        )
        .on(param)
    }

    pub(crate) fn no_such_url(method: &str, path: &str) -> Self {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at \
             https://support.stripe.com/."
        );
        Self::new(404, "invalid_request_error", None, &message)
    }

    pub(crate) fn no_key() -> Self {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization \
                       header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        Self::new(401, "invalid_request_error", None, message)
    }

    pub(crate) fn wrong_key(key: &str) -> Self {
        let shown: String = key.chars().take(8).collect();
        let end: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
        let message = format!("Invalid API Key provided: {shown}********{end}");
        Self::new(401, "invalid_request_error", None, &message)
    }

    pub(crate) fn wrong_version(version: &str) -> Self {
        Self::invalid(None, &format!("Invalid Stripe API version: {version}"))
    }

    pub(crate) fn other_parameters(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. \
             Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, "idempotency_error", None, &message)
    }

    pub(crate) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you \
             submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        let mut refusal = Self::new(409, "idempotency_error", Some("idempotency_key_in_use"), &message);
        refusal.should_retry = Some(true);
        refusal
    }

    pub(crate) fn too_many() -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits here \
                       https://stripe.com/docs/rate-limits.";
        Self::new(429, "invalid_request_error", Some("rate_limit"), message)
    }

    pub(crate) fn server_error(status: u16) -> Self {
        let message = "An unknown error occurred.";
        Self::new(status, "api_error", None, message)
    }

    /// The bank said no.
    pub(crate) fn declined() -> Self {
        let mut refusal = Self::new(
            402,
            "card_error",
            Some("card_declined"),
            "Your card was declined.",
        );
        refusal.decline_code = Some("generic_decline");
        refusal
    }

    /// The customer has to confirm the payment.
    pub(crate) fn needs_action() -> Self {
        let message = "Payment for this subscription requires additional user action before it can be completed \
                       successfully.";
        Self::new(
            402,
            "card_error",
            Some("subscription_payment_intent_requires_action"),
            message,
        )
    }

    /// There is nothing to charge.
    pub(crate) fn no_payment_method() -> Self {
        let message = "This customer has no attached payment source or default payment method. Please consider \
                       adding a default payment method.";
        Self::new(400, "invalid_request_error", Some("resource_missing"), message)
    }

    pub(crate) fn already_paid() -> Self {
        Self::new(
            400,
            "invalid_request_error",
            Some("invoice_already_paid"),
            "Invoice is already paid",
        )
    }

    pub(crate) fn body(&self, request: &str) -> Value {
        let mut error = Map::new();
        if let Some(code) = self.code {
            error.insert("code".to_owned(), json!(code));
            error.insert(
                "doc_url".to_owned(),
                json!(format!(
                    "https://stripe.com/docs/error-codes/{}",
                    code.replace('_', "-")
                )),
            );
        }
        if let Some(code) = self.decline_code {
            error.insert("decline_code".to_owned(), json!(code));
        }
        error.insert("message".to_owned(), json!(self.message));
        if let Some(param) = &self.param {
            error.insert("param".to_owned(), json!(param));
        }
        error.insert(
            "request_log_url".to_owned(),
            json!(format!("https://dashboard.stripe.com/test/logs/{request}")),
        );
        error.insert("type".to_owned(), json!(self.kind));
        json!({"error": error})
    }

    pub(crate) fn answer(&self, request: &str) -> Answer {
        let answer = Answer::json(self.status, &self.body(request));
        match self.should_retry {
            Some(retry) => answer.header("Stripe-Should-Retry", &retry),
            None => answer,
        }
    }
}
