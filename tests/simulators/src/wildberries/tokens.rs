//! Wildberries access tokens: well-formed JWTs with the documented claims (contracts A.1), and their checks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Claim `acc`: the kind decides the limits and which methods are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// 1: very low limits, some methods closed.
    Base,
    /// 2: sandbox only; production answers 401.
    Test,
    /// 3: full limits, for the seller's own use.
    Personal,
    /// 4: full limits, bound to a service of the catalogue.
    Service,
}

impl TokenKind {
    const fn acc(self) -> u8 {
        match self {
            Self::Base => 1,
            Self::Test => 2,
            Self::Personal => 3,
            Self::Service => 4,
        }
    }

    const fn from_acc(acc: u8) -> Option<Self> {
        match acc {
            1 => Some(Self::Base),
            2 => Some(Self::Test),
            3 => Some(Self::Personal),
            4 => Some(Self::Service),
            _ => None,
        }
    }
}

/// Bits of claim `s`.
pub mod scope {
    /// Cards.
    pub const CONTENT: u32 = 1 << 1;
    /// Stock reports and the order feed.
    pub const ANALYTICS: u32 = 1 << 2;
    /// Prices and discounts.
    pub const PRICES: u32 = 1 << 3;
    /// The seller's own warehouses.
    pub const MARKETPLACE: u32 = 1 << 4;
    /// Orders and sales.
    pub const STATISTICS: u32 = 1 << 5;
    /// No writing.
    pub const READ_ONLY: u32 = 1 << 30;
    /// All that Stock Tracker needs, read only.
    pub const ALL: u32 = CONTENT | ANALYTICS | PRICES | MARKETPLACE | STATISTICS | READ_ONLY;
}

/// Claims of a token that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub(crate) id: Uuid,
    pub(crate) sid: Uuid,
    pub(crate) scope: u32,
    pub(crate) kind: TokenKind,
    pub(crate) exp: i64,
}

#[derive(Deserialize)]
struct RawClaims {
    id: Uuid,
    sid: Uuid,
    s: u32,
    acc: u8,
    exp: i64,
}

/// Makes a token for a seller. The signature is well-formed but signs nothing, as no client can check it.
#[must_use]
pub fn token(sid: Uuid, kind: TokenKind, scope: u32, expires: DateTime<Utc>) -> String {
    let exp = expires.timestamp();
    let digest = Sha256::digest(format!("{sid}{}{scope}{exp}", kind.acc()));
    let mut id = [0_u8; 16];
    id.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
    let id = uuid::Builder::from_random_bytes(id).into_uuid();
    let mut claims = json!({
        "acc": kind.acc(), "ent": 1, "exp": exp, "id": id, "iid": 12_345_678, "oid": 1_234_567, "s": scope,
        "sid": sid, "t": kind == TokenKind::Test, "uid": 12_345_678,
    });
    match kind {
        TokenKind::Base | TokenKind::Test => {}
        TokenKind::Personal => claims["for"] = json!("self"),
        TokenKind::Service => claims["for"] = json!("asid:0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"),
    }
    let header = json!({"alg": "ES256", "kid": "20260901v1", "typ": "JWT"});
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = [
        Sha256::digest(&signed),
        Sha256::digest(signed.as_bytes().repeat(2)),
    ]
    .concat();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Reads a token without judging it; the error is the gateway's `detail`.
pub(crate) fn parse(header: Option<&str>) -> Result<Claims, String> {
    let malformed = |what: &str| format!("token problem; token is malformed: {what}");
    let text = header.map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| "empty Authorization header".to_owned())?;
    let parts: Vec<&str> = text.split('.').collect();
    let [_header, claims, signature] = parts.as_slice() else {
        return Err(malformed("token contains an invalid number of segments"));
    };
    if let Err(error) = URL_SAFE_NO_PAD.decode(signature) {
        return Err(malformed(&format!("could not base64 decode signature: {error}")));
    }
    let claims = URL_SAFE_NO_PAD
        .decode(claims)
        .map_err(|error| malformed(&format!("could not base64 decode claim: {error}")))?;
    let raw: RawClaims = serde_json::from_slice(&claims)
        .map_err(|error| malformed(&format!("could not JSON decode claim: {error}")))?;
    let kind = TokenKind::from_acc(raw.acc).ok_or_else(|| malformed("unknown access type"))?;
    Ok(Claims {
        id: raw.id,
        sid: raw.sid,
        scope: raw.s,
        kind,
        exp: raw.exp,
    })
}
