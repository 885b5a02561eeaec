//! Every way in which a token can lie, one by one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use events::ids::{TenantId, UserId};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AccessTokens, LIFETIME, Principal, TokenError};
use crate::permission::Role;

struct World {
    pem: SecretString,
    tokens: AccessTokens,
    now: DateTime<Utc>,
}

fn world() -> World {
    let pem = AccessTokens::generate_pem().unwrap();
    let tokens = AccessTokens::from_pem(&pem).unwrap();
    World {
        pem,
        tokens,
        now: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
    }
}

const WHO: Principal = Principal {
    user_id: UserId(Uuid::from_u128(1)),
    tenant_id: TenantId(Uuid::from_u128(2)),
    role: Role::Admin,
    session_id: Uuid::from_u128(3),
};

impl World {
    fn good(&self) -> String {
        self.tokens
            .issue(&WHO, self.now)
            .unwrap()
            .expose_secret()
            .to_owned()
    }

    /// A token signed with our own key, whose header and claims were changed first.
    fn signed(&self, change: impl FnOnce(&mut Header, &mut Value)) -> String {
        let good = self.good();
        let mut parts = good.split('.');
        let mut header: Header =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
        change(&mut header, &mut claims);
        let key = EncodingKey::from_ed_pem(self.pem.expose_secret().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Principal, TokenError> {
        self.tokens.verify(token, self.now)
    }
}

#[test]
fn a_token_speaks_for_whom_it_was_issued() {
    let world = world();
    assert_eq!(world.verify(&world.good()).unwrap(), WHO);
    assert_eq!(
        world.verify(&world.signed(|_, _| ())).unwrap(),
        WHO,
        "the helper itself changes nothing"
    );
}

#[test]
fn a_token_ends_after_ten_minutes_to_the_second() {
    let world = world();
    let token = world.good();
    let end = world.now + LIFETIME;
    assert!(world.tokens.verify(&token, end - TimeDelta::seconds(1)).is_ok());
    assert!(matches!(world.tokens.verify(&token, end), Err(TokenError::Expired(at)) if at == end));
}

#[test]
fn a_token_without_signature_is_refused_whatever_algorithm_it_names() {
    let world = world();
    let good = world.good();
    let claims = good.split('.').nth(1).unwrap();
    for alg in ["none", "None", "NONE", "HS256", "EdDSA"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "at+jwt" }).to_string());
        assert!(
            world.verify(&format!("{header}.{claims}.")).is_err(),
            "{alg} was accepted"
        );
    }
}

#[test]
fn a_public_key_used_as_a_shared_secret_is_refused() {
    let world = world();
    let good = world.good();
    let claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(good.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = jsonwebtoken::decode_header(&good).unwrap().kid;
    let public = world.tokens.keys.first.verify.try_get_as_bytes().unwrap();
    let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public)).unwrap();
    assert!(matches!(world.verify(&forged), Err(TokenError::Header("alg"))));
}

#[test]
fn another_installation_s_token_is_refused_even_under_our_key_id() {
    let (ours, theirs) = (world(), world());
    assert!(matches!(
        ours.verify(&theirs.good()),
        Err(TokenError::Header("kid"))
    ));
    let kid = ours.tokens.keys.first.kid.clone();
    let stolen_id = theirs.signed(|header, _| header.kid = Some(kid));
    assert!(matches!(ours.verify(&stolen_id), Err(TokenError::Refused(_))));
}

#[test]
fn a_header_that_is_not_ours_is_refused_even_with_our_signature() {
    let world = world();
    let changes: [fn(&mut Header); 5] = [
        |header| header.typ = Some("JWT".to_owned()),
        |header| header.typ = None,
        |header| header.kid = None,
        |header| header.jku = Some("https://evil.example/keys".to_owned()),
        |header| header.x5u = Some("https://evil.example/cert".to_owned()),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let token = world.signed(|header, _| change(header));
        assert!(
            matches!(world.verify(&token), Err(TokenError::Header(_))),
            "change {index} was accepted"
        );
    }
}

#[test]
fn a_claim_that_is_missing_or_not_ours_is_refused() {
    let world = world();
    for (claim, value) in [
        ("iss", json!("somebody")),
        ("aud", json!("another-api")),
        ("role", json!("emperor")),
        ("sub", json!("not-a-uuid")),
        ("tenant", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(world.now.timestamp() + 3600)),
    ] {
        let changed = world.signed(|_, claims| claims[claim] = value.clone());
        assert!(world.verify(&changed).is_err(), "{claim} = {value} was accepted");
        let missing = world.signed(|_, claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        assert!(
            world.verify(&missing).is_err(),
            "a token without {claim} was accepted"
        );
    }
}

#[test]
fn a_key_that_is_no_ed25519_pem_stops_the_start() {
    assert!(
        AccessTokens::from_pem(&"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".into())
            .is_err()
    );
    assert!(AccessTokens::from_pem(&SecretString::from("")).is_err());
}

#[test]
fn keys_for_other_purposes_differ_by_purpose_and_installation() {
    let (one, other) = (world(), world());
    assert_ne!(one.tokens.derived_key("a"), one.tokens.derived_key("b"));
    assert_ne!(one.tokens.derived_key("a"), other.tokens.derived_key("a"));
    assert_eq!(
        one.tokens.derived_key("a"),
        AccessTokens::from_pem(&one.pem).unwrap().derived_key("a")
    );
}

#[test]
fn a_key_is_replaced_without_a_token_being_refused() {
    let (old, new) = (world(), world());
    let ring = |first: &World, second: &World| {
        let pem = format!("{}{}", first.pem.expose_secret(), second.pem.expose_secret());
        AccessTokens::from_pem(&pem.into()).unwrap()
    };
    let both_old_signs = ring(&old, &new);
    let both_new_signs = ring(&new, &old);
    let issued = |tokens: &AccessTokens| tokens.issue(&WHO, old.now).unwrap();
    let accepted =
        |by: &AccessTokens, token: &SecretString| by.verify(token.expose_secret(), old.now).is_ok();
    // Each step next to the one before it, as replicas run side by side while settings change.
    for (before, after) in [
        (&old.tokens, &both_old_signs),
        (&both_old_signs, &both_new_signs),
        (&both_new_signs, &new.tokens),
    ] {
        assert!(accepted(before, &issued(after)) && accepted(after, &issued(after)));
    }
    assert!(accepted(&both_new_signs, &issued(&old.tokens)));
    assert!(
        !accepted(&new.tokens, &issued(&old.tokens)),
        "the old key is gone"
    );
    assert_eq!(both_new_signs.derived_key("a"), new.tokens.derived_key("a"));
    assert_eq!(
        both_new_signs.derived_keys("a"),
        [new.tokens.derived_key("a"), old.tokens.derived_key("a")]
    );
}
