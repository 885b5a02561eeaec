//! What a Wildberries token says about itself: whose it is, what it opens, how long it lives. It is read
//! without checking the signature, which only the vendor can do; the vendor's answer decides in the end.
//!
//! Source: <https://dev.wildberries.ru/docs/openapi/api-information>, section on tokens.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A token and what is written in it. `Debug` shows what is written, never the token.
#[derive(Clone, Debug)]
pub struct Token {
    secret: SecretString,
    id: Option<String>,
    seller_id: String,
    kind: TokenKind,
    scopes: Scopes,
    expires_at: DateTime<Utc>,
}

/// What sort of token it is; the limits depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `Базовый`: far lower limits, not for the synchronous stock report.
    Base,
    /// `Тестовый`: for the sandbox hosts only.
    Test,
    /// `Персональный`: may not be handed to services in the cloud by the vendor's rules.
    Personal,
    /// `Сервисный`: bound to a service of the vendor's catalogue.
    Service,
}

impl TokenKind {
    /// Stable word for events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Test => "test",
            Self::Personal => "personal",
            Self::Service => "service",
        }
    }
}

/// One thing a token may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the vendor's categories")]
pub enum Scope {
    Content = 1,
    Analytics = 2,
    Prices = 3,
    Marketplace = 4,
    Statistics = 5,
    Promotion = 6,
    Feedbacks = 7,
    BuyerChat = 9,
    Supplies = 10,
    Returns = 11,
    Documents = 12,
    Finance = 13,
    Users = 16,
    ReadOnly = 30,
}

/// The bit mask of what a token may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(pub u64);

impl Scopes {
    /// Is this bit set?
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        (self.0 >> (scope as u32)) & 1 == 1
    }
}

/// The text is not a Wildberries token. The messages never hold parts of it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not three parts with dots between.
    #[error("a token has three parts with dots between them, this text has {parts}")]
    Shape {
        /// Parts that were found.
        parts: usize,
    },
    /// The middle part is not base64url.
    #[error("the token's middle part is not base64url")]
    Encoding(#[source] base64::DecodeError),
    /// The middle part is not the expected JSON.
    #[error("the token's claims cannot be read: {what}")]
    Claims {
        /// The claim that is missing or wrong.
        what: String,
    },
    /// A kind that did not exist when this was written.
    #[error("the token's kind {acc} is unknown")]
    Kind {
        /// The value of the claim `acc`.
        acc: i64,
    },
    /// The expiry is no time.
    #[error("the token's expiry {exp} is no time")]
    Expiry {
        /// The value of the claim `exp`.
        exp: i64,
    },
}

#[derive(Deserialize)]
struct Claims {
    id: Option<String>,
    sid: String,
    s: u64,
    acc: Option<i64>,
    #[serde(rename = "for")]
    purpose: Option<String>,
    #[serde(default)]
    t: bool,
    exp: i64,
}

impl Token {
    /// Reads a token as the seller pasted it: white space around it and a leading `Bearer` are dropped.
    ///
    /// # Errors
    /// When the text is not a token, naming the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
        let parts: Vec<&str> = text.split('.').collect();
        let [_, payload, _] = parts.as_slice() else {
            return Err(TokenError::Shape { parts: parts.len() });
        };
        let json = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .map_err(TokenError::Encoding)?;
        let claims: Claims = crate::json::decode(&json).map_err(|failure| TokenError::Claims {
            what: failure.to_string(),
        })?;
        let expires_at =
            DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Expiry { exp: claims.exp })?;
        Ok(Self {
            kind: claims.kind()?,
            id: claims.id,
            seller_id: claims.sid,
            scopes: Scopes(claims.s),
            expires_at,
            secret: text.to_owned().into(),
        })
    }

    /// The vendor's id of the token.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The vendor's id of the seller: limits count per seller, and two tokens with one seller are one
    /// cabinet.
    #[must_use]
    pub fn seller_id(&self) -> &str {
        &self.seller_id
    }

    /// What sort of token it is.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// What it opens.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// When it ends (180 days after it was made; there is no renewal).
    #[must_use]
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// Has it ended?
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }

    /// Tells it from another one within this process.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.expose().hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl Claims {
    fn kind(&self) -> Result<TokenKind, TokenError> {
        match (self.acc, self.purpose.as_deref()) {
            (Some(1), _) => Ok(TokenKind::Base),
            (Some(2), _) => Ok(TokenKind::Test),
            (Some(3), _) => Ok(TokenKind::Personal),
            (Some(4), _) => Ok(TokenKind::Service),
            (Some(acc), _) => Err(TokenError::Kind { acc }),
            // Tokens from before the kinds existed say it by their other claims.
            (None, _) if self.t => Ok(TokenKind::Test),
            (None, Some("self")) => Ok(TokenKind::Personal),
            (None, Some(purpose)) if purpose.starts_with("asid:") => Ok(TokenKind::Service),
            (None, _) => Ok(TokenKind::Base),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Scope, Token, TokenError, TokenKind};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    pub(in crate::wildberries) fn token_text(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.{}",
            part(r#"{"alg":"ES256"}"#),
            part(claims),
            part("signature")
        )
    }

    #[test]
    fn a_personal_token_tells_seller_kind_scopes_and_expiry() {
        let scopes: u64 = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 30;
        let text = token_text(&format!(
            r#"{{"id":"t-1","sid":"seller-1","s":{scopes},"acc":3,"for":"self","exp":1800000000,"oid":7}}"#
        ));
        let token = Token::parse(&format!("  Bearer {text}\n")).unwrap();
        assert_eq!(token.seller_id(), "seller-1");
        assert_eq!(token.id(), Some("t-1"));
        assert_eq!(token.kind(), TokenKind::Personal);
        assert_eq!(token.expires_at().to_rfc3339(), "2027-01-15T08:00:00+00:00");
        assert!(token.scopes().has(Scope::Statistics) && token.scopes().has(Scope::ReadOnly));
        assert!(!token.scopes().has(Scope::Prices));
        assert!(token.is_expired(token.expires_at()));
        assert_eq!(token.expose(), text);
    }

    #[test]
    fn the_kind_is_read_from_older_claims_too() {
        let kind = |rest: &str| {
            Token::parse(&token_text(&format!(r#"{{"sid":"s","s":2,"exp":1{rest}}}"#)))
                .unwrap()
                .kind()
        };
        assert_eq!(kind(""), TokenKind::Base);
        assert_eq!(kind(r#","t":true"#), TokenKind::Test);
        assert_eq!(kind(r#","for":"self""#), TokenKind::Personal);
        assert_eq!(kind(r#","for":"asid:12""#), TokenKind::Service);
    }

    #[test]
    fn debug_output_holds_no_token() {
        let text = token_text(r#"{"sid":"s","s":2,"acc":1,"exp":1}"#);
        let shown = format!("{:?}", Token::parse(&text).unwrap());
        assert!(
            !shown.contains(&text) && !shown.contains(text.split('.').nth(1).unwrap()),
            "{shown}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_without_the_token() {
        assert!(matches!(Token::parse("abc"), Err(TokenError::Shape { parts: 1 })));
        assert!(matches!(Token::parse("a.%%.c"), Err(TokenError::Encoding(_))));
        let error = Token::parse(&token_text(r#"{"s":2,"exp":1}"#)).unwrap_err();
        assert!(error.to_string().contains("field `sid` is missing"), "{error}");
        let error = Token::parse(&token_text(r#"{"sid":"s","s":2,"acc":9,"exp":1}"#)).unwrap_err();
        assert!(matches!(error, TokenError::Kind { acc: 9 }));
        let error = Token::parse(&token_text(
            r#"{"sid":"s","s":2,"acc":1,"exp":9223372036854775807}"#,
        ));
        assert!(matches!(error, Err(TokenError::Expiry { .. })));
    }
}
