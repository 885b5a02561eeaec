//! Keys to a seller's account: what is wrong with one is named, and none of them gets where it can be read.

use application::connect_cabinet::{self, Connected, Error};
use application::credential::{CredentialError, PairError};
use application::{ExecuteError, replace_credential};
use chrono::TimeDelta;
use database::Role;
use domain::cabinet::CabinetRefusal;
use events::cabinet::{Marketplace, TokenKind};
use secrecy::{ExposeSecret as _, SecretString};

use crate::world::{SCOPES, World, at, chain, context, good_token, token};

async fn connect(world: &World, marketplace: Marketplace, secret: &str) -> Result<Connected, Error> {
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    connect_cabinet::execute(
        &world.app,
        &context(tenant),
        marketplace,
        &SecretString::from(secret),
        None,
    )
    .await
}

/// Why the credential was refused, in words; nothing may be left of the attempt.
async fn refusal(marketplace: Marketplace, secret: &str) -> (CredentialError, String) {
    let world = World::new().await;
    let error = connect(&world, marketplace, secret).await.err().unwrap();
    let words = chain(&error);
    assert!(secret.len() < 8 || !words.contains(secret), "{words}");
    assert_eq!(world.happened().await, ["tenant_registered", "user_registered"]);
    let sealed: i64 = support::connect(&world.database.url)
        .await
        .query_one("SELECT count(*) FROM core.credentials", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(sealed, 0);
    match error {
        Error::Credential(error) => (error, words),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_is_taken_with_what_it_says_about_itself() {
    let world = World::new().await;
    let connected = connect(&world, Marketplace::Wildberries, &good_token())
        .await
        .unwrap();
    let facts = connected.credential;
    assert_eq!(facts.token_kind, TokenKind::Personal);
    assert_eq!(facts.seller_id.as_deref(), Some("seller-1"));
    assert_eq!(facts.expires_at, Some(at(60 * 24 * 180)));
    assert_eq!(
        facts.scopes,
        ["content", "analytics", "marketplace", "statistics"]
    );
    assert!(!facts.fingerprint.is_empty());
}

#[tokio::test]
async fn a_test_token_is_refused_by_name() {
    let secret = token("seller-1", 2, SCOPES, at(9_999));
    let (error, words) = refusal(Marketplace::Wildberries, &secret).await;
    assert!(matches!(error, CredentialError::TestToken));
    assert!(words.contains("test token"), "{words}");
}

#[tokio::test]
async fn a_token_that_ended_is_refused_with_its_end() {
    for end in [at(0), at(-1)] {
        let secret = token("seller-1", 3, SCOPES, end);
        let (error, words) = refusal(Marketplace::Wildberries, &secret).await;
        assert!(matches!(error, CredentialError::Expired { expired_at } if expired_at == end));
        assert!(words.contains(&end.to_string()), "{words}");
    }
    let world = World::new().await;
    let last_second = token("seller-1", 3, SCOPES, at(0) + TimeDelta::seconds(1));
    connect(&world, Marketplace::Wildberries, &last_second)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_token_that_opens_too_little_is_refused_with_what_is_missing() {
    for (scopes, wanted) in [
        (SCOPES & !(1 << 5), "statistics"),
        (SCOPES & !(1 << 1 | 1 << 2), "content, analytics"),
        (0, "content, analytics, statistics"),
    ] {
        let secret = token("seller-1", 3, scopes, at(9_999));
        let (error, words) = refusal(Marketplace::Wildberries, &secret).await;
        assert!(matches!(error, CredentialError::MissingScopes { missing } if missing == wanted));
        assert!(words.contains(wanted), "{words}");
    }
}

#[tokio::test]
async fn a_text_that_is_no_token_is_refused_without_repeating_it() {
    for (text, wanted) in [
        ("пароль от кабинета", "three parts"),
        ("one.two.three.four", "three parts"),
        ("abc.%%%%%%%%.def", "base64url"),
        ("e30.e30.e30", "sid"),
    ] {
        let (error, words) = refusal(Marketplace::Wildberries, text).await;
        assert!(matches!(error, CredentialError::NotAToken(_)), "{error:?}");
        assert!(words.contains(wanted), "{text}: {words}");
    }
}

const OZON_KEY: &str = "0c9f1b0e-6a52-4a36-8c1e-0f4dbe3a7b11";

#[tokio::test]
async fn an_ozon_pair_is_taken_and_says_whose_it_is() {
    let world = World::new().await;
    let connected = connect(&world, Marketplace::Ozon, &format!(" 0123456 : {OZON_KEY} "))
        .await
        .unwrap();
    let facts = connected.credential;
    assert_eq!(facts.token_kind, TokenKind::ApiKey);
    assert_eq!(facts.seller_id.as_deref(), Some("123456"));
    assert_eq!(
        (facts.expires_at, facts.scopes.len()),
        (None, 0),
        "told when it is tried"
    );
}

#[tokio::test]
async fn a_text_that_is_no_ozon_pair_is_refused_by_the_part_that_is_wrong_without_repeating_it() {
    for (secret, wanted) in [
        (OZON_KEY.to_owned(), PairError::Form),
        (format!("seller:{OZON_KEY}"), PairError::ClientId),
        ("123456:пароль от кабинета".to_owned(), PairError::ApiKey),
    ] {
        let (error, _) = refusal(Marketplace::Ozon, &secret).await;
        assert!(
            matches!(error, CredentialError::NotAPair(part) if part == wanted),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_ozon_key_that_is_given_alone_replaces_the_one_of_the_same_account() {
    let world = World::new().await;
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    let pair = |id: u32, end: &str| SecretString::from(format!("{id}:{}{end}", &OZON_KEY[..34]));
    let connected = connect_cabinet::execute(
        &world.app,
        &context(tenant),
        Marketplace::Ozon,
        &pair(123_456, "11"),
        None,
    )
    .await
    .unwrap();
    let replace = async |secret: &str| {
        let secret = SecretString::from(secret.to_owned());
        replace_credential::execute(&world.app, &context(tenant), connected.cabinet_id, &secret).await
    };
    replace(&format!("{}22", &OZON_KEY[..34])).await.unwrap();
    let foreign = replace(pair(654_321, "33").expose_secret()).await;
    assert!(
        matches!(
            foreign,
            Err(Error::Execute(ExecuteError::Refused(CabinetRefusal::OtherSeller)))
        ),
        "{foreign:?}"
    );
}

#[tokio::test]
async fn a_key_of_another_seller_account_does_not_replace_one() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let replace = async |secret: String| {
        replace_credential::execute(&world.app, &context(tenant), cabinet, &SecretString::from(secret)).await
    };
    let foreign = replace(token("seller-2", 3, SCOPES, at(9_999))).await;
    assert!(
        matches!(
            foreign,
            Err(Error::Execute(ExecuteError::Refused(CabinetRefusal::OtherSeller)))
        ),
        "{foreign:?}"
    );
    let given = replace(token("seller-1", 4, SCOPES, at(9_999))).await.unwrap();
    assert_eq!(
        (given.credential.token_kind, given.in_use, given.receipt.version),
        (TokenKind::Service, false, 2)
    );
    assert_eq!(world.happened().await[3..], ["credential_offered"]);
}

#[tokio::test]
async fn no_key_and_no_part_of_one_can_be_read_in_the_database() {
    let world = World::new().await;
    let (tenant, cabinet) = world.seller().await;
    let (first, second) = (good_token(), token("seller-1", 1, SCOPES, at(9_999)));
    let facts = replace_credential::execute(&world.app, &context(tenant), cabinet, &second.clone().into())
        .await
        .unwrap()
        .credential;
    let account = "{\"type\":\"service_account\",\"private_key\":\"очень тайный ключ\"}";
    let input = application::link_sheet::Input {
        spreadsheet_id: "1aBcD3fGh1jKlMn0pQrStUvWxYz".into(),
        worksheet: "Products".into(),
        service_account: Some(account.into()),
    };
    application::link_sheet::execute(&world.app, &context(tenant), input)
        .await
        .unwrap();

    let admin = support::connect(&world.database.url).await;
    let tables = admin
        .query(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables \
              WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
            &[],
        )
        .await
        .unwrap();
    let mut searched = 0;
    for table in tables {
        let table: String = table.get(0);
        // A sealed secret is bytes; they are searched as they are, not as digits.
        let rows = admin
            .query(
                &format!(
                    "SELECT coalesce(string_agg(t::text, ' '), '') || \
                            coalesce(string_agg((to_jsonb(t) ->> 'sealed')::bytea::text, ' '), '') FROM {table} AS t"
                ),
                &[],
            )
            .await
            .unwrap();
        let text: String = rows[0].get(0);
        let bytes = |secret: &str| hex::encode(secret.as_bytes());
        for secret in first
            .split('.')
            .chain(second.split('.'))
            .chain([account, "тайный"])
        {
            assert!(
                !text.contains(secret) && !text.contains(&bytes(secret)),
                "{table} holds {secret}"
            );
        }
        searched += text.len();
    }
    assert!(searched > 1_000, "something was searched");

    let opened = world
        .app(Role::Worker)
        .vault
        .open(tenant, facts.credential_id)
        .await
        .unwrap();
    assert_eq!(opened.expose_secret(), second, "who may, can open it");
}

#[tokio::test]
async fn of_two_requests_at_once_for_one_seller_account_one_is_connected() {
    let world = World::new().await;
    let tenant = world.register("anna@example.com").await.unwrap().tenant_id;
    let connect = async || {
        let secret = SecretString::from(good_token());
        connect_cabinet::execute(
            &world.app,
            &context(tenant),
            Marketplace::Wildberries,
            &secret,
            None,
        )
        .await
    };
    let (one, two) = tokio::join!(connect(), connect());
    let (connected, refused) = match (one, two) {
        (Ok(connected), Err(refused)) | (Err(refused), Ok(connected)) => (connected, refused),
        both => panic!("{both:?}"),
    };
    assert!(
        matches!(refused, Error::SellerConnected { cabinet_id } if cabinet_id == connected.cabinet_id),
        "{refused:?}"
    );
    let happened = world.happened().await;
    let count = |event: &str| happened.iter().filter(|name| *name == event).count();
    assert_eq!(
        count("cabinet_connected") - count("cabinet_disconnected"),
        1,
        "{happened:?}"
    );
    let sealed: i64 = support::connect(&world.database.url)
        .await
        .query_one("SELECT count(*) FROM core.credentials", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(sealed, 1, "the key that was refused is gone");
}
