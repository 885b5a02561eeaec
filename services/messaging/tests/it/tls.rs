//! A broker has to prove who it is where a role is told whom to trust.

use std::path::{Path, PathBuf};

use messaging::{Broker, BrokerError, BrokerOptions, BrokerTls};
use support::{Nats, Own, SOON};

/// An authority of its own in `folder/<name>-ca.pem`, and a server certificate from it beside.
fn authority(folder: &Path, name: &str) -> PathBuf {
    let mut of_ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    of_ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = of_ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::from_params(&of_ca, &ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
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

async fn with_tls(folder: &Path) -> Own<Nats> {
    let config = folder.join("tls.conf");
    let (certificate, key) = (folder.join("right-server.pem"), folder.join("right-key.pem"));
    let text = format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}\n",
        certificate.display().to_string(),
        key.display().to_string()
    );
    std::fs::write(&config, text).unwrap();
    support::own_nats_with(|options| options.config_file = Some(config)).await
}

fn trusting(server: &Nats, ca_file: PathBuf) -> BrokerOptions {
    let mut options = BrokerOptions::new(server.url(), "test");
    options.tls = BrokerTls {
        required: true,
        ca_file: Some(ca_file),
    };
    options
}

#[tokio::test]
async fn a_broker_with_a_certificate_of_another_authority_is_refused() {
    let folder = support::scratch_folder("tls");
    let (right, wrong) = (authority(&folder, "right"), authority(&folder, "wrong"));
    let server = with_tls(&folder).await;
    let broker = Broker::connect(trusting(&server, right)).await.unwrap();
    assert!(broker.wait_connected(SOON).await);
    let refused = Broker::connect(trusting(&server, wrong)).await;
    assert!(matches!(refused, Err(BrokerError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_broker_without_tls_is_refused_where_tls_is_required() {
    let folder = support::scratch_folder("no-tls");
    let authority = authority(&folder, "right");
    let plain = support::own_nats().await;
    let refused = Broker::connect(trusting(&plain, authority)).await;
    assert!(matches!(refused, Err(BrokerError::Refused(_))), "{refused:?}");
}
