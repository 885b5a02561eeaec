//! TLS on the way to PostgreSQL, by the words `sslmode` and `sslrootcert` of the address with the meanings
//! that libpq gives them (<https://www.postgresql.org/docs/18/libpq-ssl.html>). The client's library knows
//! some of them and means others, so both are taken out here; what is left it gets to see.
//!
//! One difference: without `sslmode` the way is not protected, where libpq tries TLS first.

use std::path::PathBuf;

use rustls::ClientConfig;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DatabaseError;

/// How a way is protected.
#[derive(Clone)]
pub(crate) enum Protection {
    /// Not at all.
    None(NoTls),
    /// With TLS, checked as the address says.
    Full(MakeRustlsConnect),
}

/// Who may vouch for the server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Authorities {
    /// Those that this machine trusts.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// What is asked of the server.
#[derive(Debug, PartialEq, Eq)]
enum Check {
    /// No TLS.
    Plain,
    /// TLS where the server offers it, with whatever certificate.
    Offered,
    /// TLS, with whatever certificate.
    Encrypted,
    /// A certificate of these authorities, for whatever name.
    Chain(Authorities),
    /// A certificate of these authorities for the host of the address.
    Full(Authorities),
}

/// What an address says about protection, and the address without it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    address: String,
    check: Check,
}

/// The configuration of an address, and how the way there is protected.
pub(crate) fn of(url: &str) -> Result<(Config, Protection), DatabaseError> {
    let wanted = read(url)?;
    let mut config: Config = wanted.address.parse().map_err(DatabaseError::Address)?;
    let (mode, tls) = match wanted.check {
        Check::Plain => {
            config.ssl_mode(SslMode::Disable);
            return Ok((config, Protection::None(NoTls)));
        }
        Check::Offered => (SslMode::Prefer, tls::trusting_anybody()),
        Check::Encrypted => (SslMode::Require, tls::trusting_anybody()),
        Check::Chain(authorities) => (SslMode::Require, chain(&authorities)),
        Check::Full(authorities) => (SslMode::Require, full(&authorities)),
    };
    config.ssl_mode(mode);
    let tls = tls.map_err(DatabaseError::Authorities)?;
    Ok((config, Protection::Full(MakeRustlsConnect::new(tls))))
}

fn chain(authorities: &Authorities) -> Result<ClientConfig, tls::TlsError> {
    match authorities {
        Authorities::System => tls::trusting_system(),
        Authorities::File(path) => tls::trusting_for_any_name(path),
    }
}

fn full(authorities: &Authorities) -> Result<ClientConfig, tls::TlsError> {
    match authorities {
        Authorities::System => tls::trusting_system(),
        Authorities::File(path) => tls::trusting(path),
    }
}

fn read(url: &str) -> Result<Wanted, DatabaseError> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", "system")) => authorities = Some(Authorities::System),
            Some(("sslrootcert", path)) => authorities = Some(Authorities::File(decoded(path).into())),
            _ => rest.push(pair),
        }
    }
    let query = rest.join("&");
    let address = if query.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{query}")
    };
    let check = check(mode, authorities)?;
    Ok(Wanted { address, check })
}

fn check(mode: Option<&str>, authorities: Option<Authorities>) -> Result<Check, DatabaseError> {
    use Authorities::System;

    let refuse = |text: String| Err(DatabaseError::Unsuitable(format!("the database address: {text}")));
    let weak = |mode: &str| {
        refuse(format!(
            "sslmode={mode} may not be used with sslrootcert=system; use sslmode=verify-full"
        ))
    };
    match (mode, authorities) {
        (None | Some("verify-full"), Some(System)) => Ok(Check::Full(System)),
        (Some(mode), Some(System)) => weak(mode),
        (None, Some(_)) => refuse("sslrootcert needs sslmode=verify-full, verify-ca or require".to_owned()),
        (None | Some("disable"), _) => Ok(Check::Plain),
        // Both use TLS where the server has it; which is tried first makes no difference to its protection.
        (Some("allow" | "prefer"), _) => Ok(Check::Offered),
        (Some("require"), None) => Ok(Check::Encrypted),
        // As libpq does, since an authority that is named is meant to be used.
        (Some("require" | "verify-ca"), Some(authorities)) => Ok(Check::Chain(authorities)),
        (Some("verify-full"), Some(authorities)) => Ok(Check::Full(authorities)),
        (Some(mode @ ("verify-ca" | "verify-full")), None) => refuse(format!(
            "sslmode={mode} needs sslrootcert=<PEM file>, or sslrootcert=system with verify-full"
        )),
        (Some(other), _) => refuse(format!(
            "sslmode={other} is not one of disable, allow, prefer, require, verify-ca, verify-full"
        )),
    }
}

/// A path without its percent signs; a sign without two digits behind it stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Authorities, Check, read};

    #[test]
    fn the_words_about_protection_are_taken_out_of_the_address() {
        let file = Authorities::File("/a b.pem".into());
        for (query, left, check) in [
            ("", "", Check::Plain),
            ("?sslmode=disable", "", Check::Plain),
            ("?sslmode=prefer", "", Check::Offered),
            ("?sslmode=require", "", Check::Encrypted),
            ("?sslrootcert=system", "", Check::Full(Authorities::System)),
            (
                "?sslmode=verify-full&sslrootcert=system",
                "",
                Check::Full(Authorities::System),
            ),
            (
                "?sslmode=require&sslrootcert=/a%20b.pem",
                "",
                Check::Chain(file.clone()),
            ),
            (
                "?sslmode=verify-ca&sslrootcert=/a%20b.pem",
                "",
                Check::Chain(file.clone()),
            ),
            (
                "?sslmode=verify-full&application_name=a&sslrootcert=/a%20b.pem",
                "?application_name=a",
                Check::Full(file.clone()),
            ),
        ] {
            let wanted = read(&format!("postgres://h/d{query}")).unwrap();
            assert_eq!(wanted.address, format!("postgres://h/d{left}"), "{query}");
            assert_eq!(wanted.check, check, "{query}");
        }
    }

    #[test]
    fn half_a_protection_is_refused_with_the_word_that_is_missing() {
        for (query, word) in [
            ("sslmode=verify-full", "sslrootcert=system"),
            ("sslmode=verify-ca", "sslrootcert=<PEM file>"),
            ("sslrootcert=/ca.pem", "sslmode=verify-full"),
            ("sslmode=require&sslrootcert=system", "sslmode=verify-full"),
            ("sslmode=on", "verify-ca"),
        ] {
            let error = read(&format!("postgres://h/d?{query}")).unwrap_err().to_string();
            assert!(error.contains(word), "{query}: {error}");
        }
    }
}
