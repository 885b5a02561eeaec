//! TLS on the way to PostgreSQL, in libpq's own words: `sslmode=verify-full&sslrootcert=<PEM file>` in the
//! address. The client's library knows neither, so both are taken out here; what is left it gets to see.

use std::path::PathBuf;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DatabaseError;

/// How a way is protected.
#[derive(Clone)]
pub(crate) enum Protection {
    /// Not at all.
    None(NoTls),
    /// TLS, and the server has to prove that it is the host of the address.
    Full(MakeRustlsConnect),
}

/// What an address says about protection, and the address without it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    address: String,
    authorities: Option<PathBuf>,
}

/// The configuration of an address, and how the way there is protected.
pub(crate) fn of(url: &str) -> Result<(Config, Protection), DatabaseError> {
    let wanted = read(url)?;
    let mut config: Config = wanted.address.parse().map_err(DatabaseError::Address)?;
    let Some(authorities) = wanted.authorities else {
        return Ok((config, Protection::None(NoTls)));
    };
    config.ssl_mode(SslMode::Require);
    let trusting = tls::trusting(&authorities).map_err(DatabaseError::Authorities)?;
    Ok((config, Protection::Full(MakeRustlsConnect::new(trusting))))
}

fn read(url: &str) -> Result<Wanted, DatabaseError> {
    let Some((place, query)) = url.split_once('?') else {
        return Ok(Wanted {
            address: url.to_owned(),
            authorities: None,
        });
    };
    let (mut full, mut authorities, mut rest) = (false, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", "verify-full")) => full = true,
            Some(("sslrootcert", path)) => authorities = Some(PathBuf::from(path)),
            _ => rest.push(pair),
        }
    }
    if full != authorities.is_some() {
        return Err(DatabaseError::Unsuitable(
            "the database address needs both sslmode=verify-full and sslrootcert, or neither".to_owned(),
        ));
    }
    let query = rest.join("&");
    let address = if query.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{query}")
    };
    Ok(Wanted { address, authorities })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_words_about_protection_are_taken_out_of_the_address() {
        let wanted =
            read("postgres://h/d?sslmode=verify-full&application_name=a&sslrootcert=/ca.pem").unwrap();
        assert_eq!(wanted.address, "postgres://h/d?application_name=a");
        assert_eq!(wanted.authorities.unwrap().to_str(), Some("/ca.pem"));
        assert_eq!(read("postgres://h/d").unwrap().address, "postgres://h/d");
        let plain = read("postgres://h/d?sslmode=disable").unwrap();
        assert_eq!(plain.address, "postgres://h/d?sslmode=disable");
    }

    #[test]
    fn half_a_protection_is_none_and_is_refused() {
        assert!(read("postgres://h/d?sslmode=verify-full").is_err());
        assert!(read("postgres://h/d?sslrootcert=/ca.pem").is_err());
    }
}
