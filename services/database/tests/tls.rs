//! PostgreSQL has to prove who it is where the address says so.
#![expect(clippy::unwrap_used, reason = "helpers of tests end the test where they fail")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use database::{Pool, Role};
use secrecy::SecretString;
use support::{Own, Postgres};

/// An authority of its own, and a certificate and key of a server from it.
fn authority(folder: &Path, name: &str) -> PathBuf {
    let mut of_ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    of_ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = of_ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&of_ca, &ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let put = |end: &str, text: String| {
        let path = folder.join(format!("{name}-{end}.pem"));
        std::fs::write(&path, text).unwrap();
        path
    };
    put("server", certificate.pem());
    put("key", key.serialize_pem());
    put("ca", ca.pem())
}

/// PostgreSQL that reads certificate and key out of its own folder, as its own account wants them.
async fn with_tls(folder: &Path) -> Own<Postgres> {
    let server = support::own_postgres().await;
    let admin = support::connect(&server.url("postgres")).await;
    let row = admin.query_one("SHOW data_directory", &[]).await.unwrap();
    let data = PathBuf::from(row.get::<_, &str>(0));
    let owner = std::fs::metadata(&data).unwrap().uid();
    for (from, to) in [
        ("right-server.pem", "server.crt"),
        ("right-key.pem", "server.key"),
    ] {
        let to = data.join(to);
        std::fs::copy(folder.join(from), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&to, Some(owner), None).unwrap();
    }
    admin.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    drop(admin);
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    server
}

fn address(server: &Postgres, authority: &Path) -> SecretString {
    asking(
        server,
        &format!("sslmode=verify-full&sslrootcert={}", authority.display()),
    )
}

/// The server's address with these words about TLS.
fn asking(server: &Postgres, words: &str) -> SecretString {
    format!("{}?{words}", server.url("postgres")).into()
}

/// The same address by a name that the certificate is not for.
fn by_another_name(server: &Postgres, words: &str) -> SecretString {
    format!(
        "{}?{words}",
        server.url("postgres").replace("127.0.0.1", "localhost")
    )
    .into()
}

async fn protected(url: &SecretString) -> bool {
    let client = database::connect(url, None).await.unwrap();
    let asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    client.query_one(asked, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_sslmode_asks_of_the_server_what_libpq_says() {
    let folder = support::scratch_folder("pg-modes");
    let (right, wrong) = (authority(&folder, "right"), authority(&folder, "wrong"));
    let server = with_tls(&folder).await;
    for words in ["sslmode=prefer", "sslmode=require"] {
        assert!(protected(&by_another_name(&server, words)).await, "{words}");
    }
    assert!(!protected(&asking(&server, "sslmode=disable")).await);
    for mode in ["require", "verify-ca"] {
        let of = |ca: &Path| format!("sslmode={mode}&sslrootcert={}", ca.display());
        assert!(protected(&by_another_name(&server, &of(&right))).await, "{mode}");
        assert!(
            database::connect(&asking(&server, &of(&wrong)), None)
                .await
                .is_err(),
            "{mode}"
        );
    }
    let full = format!("sslmode=verify-full&sslrootcert={}", right.display());
    assert!(
        database::connect(&by_another_name(&server, &full), None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn without_tls_on_the_server_prefer_goes_on_and_require_does_not() {
    let server = support::own_postgres().await;
    assert!(!protected(&asking(&server, "sslmode=prefer")).await);
    assert!(
        database::connect(&asking(&server, "sslmode=require"), None)
            .await
            .is_err()
    );
}

/// The machine's authorities are named by a variable, so the question is put to a program of its own.
#[tokio::test]
async fn the_systems_authorities_are_those_of_the_machine() {
    const ADDRESS: &str = "STOCK_TEST_ADDRESS";
    #[expect(
        clippy::disallowed_methods,
        reason = "this test runs itself with another environment"
    )]
    let asked = std::env::var(ADDRESS);
    if let Ok(url) = asked {
        assert!(protected(&url.into()).await);
        return;
    }
    let folder = support::scratch_folder("pg-system");
    let (right, wrong) = (authority(&folder, "right"), authority(&folder, "wrong"));
    let server = with_tls(&folder).await;
    let url = format!("{}?sslrootcert=system", server.url("postgres"));
    for (trusted, accepted) in [(right, true), (wrong, false)] {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "the_systems_authorities_are_those_of_the_machine"]);
        again.env(ADDRESS, &url).env("SSL_CERT_FILE", &trusted);
        let output = again.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), accepted, "{said}");
    }
}

#[tokio::test]
async fn a_database_with_a_certificate_of_another_authority_is_refused() {
    let folder = support::scratch_folder("pg-tls");
    let (right, wrong) = (authority(&folder, "right"), authority(&folder, "wrong"));
    let server = with_tls(&folder).await;
    let client = database::connect(&address(&server, &right), None).await.unwrap();
    let row = client
        .query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[])
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0), "the way is not protected");
    assert!(database::connect(&address(&server, &wrong), None).await.is_err());
    let pool = Pool::open(&address(&server, &wrong), Role::Api, 1).unwrap();
    assert!(pool.get().await.is_err());
}

#[tokio::test]
async fn a_database_without_tls_is_refused_where_tls_is_wanted() {
    let folder = support::scratch_folder("pg-plain");
    let right = authority(&folder, "right");
    let server = support::own_postgres().await;
    assert!(database::connect(&address(&server, &right), None).await.is_err());
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_an_error_before_anything_is_sent() {
    let url: SecretString = "postgres://u@127.0.0.1:9/d?sslmode=verify-full&sslrootcert=/none.pem"
        .to_owned()
        .into();
    let error = Pool::open(&url, Role::Api, 1).unwrap_err();
    assert!(
        matches!(error, database::DatabaseError::Authorities(_)),
        "{error}"
    );
}
