//! Windows of failed attempts, so that nobody tries passwords or codes for long. Counted are a login from an
//! address and an address as such, never a login as such: whoever tries somebody's password from elsewhere
//! must not be able to keep them out. An attempt is counted before it is made, so that attempts at the same
//! time cannot pass together, and taken back when it was none of the failures that are looked for.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use database::Pool;

use crate::StoreError;
use crate::access::keyed_hash;

/// The windows slide over this time.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Failures of one login from one address within the window.
pub const PER_LOGIN: i32 = 10;
/// Failures of all logins from one address within the window. Many people share an address.
pub const PER_ADDRESS: i32 = 100;
/// Failures of strangers (codes, registrations of taken addresses) from one address within the window.
pub const PER_STRANGER: i32 = 30;

/// What is attempted.
#[derive(Debug, Clone, Copy)]
pub enum Attempted<'a> {
    /// A password of this login, named by its address' key or its id.
    Password(&'a str),
    /// Something that names no login: a code, a registration.
    Unnamed,
}

/// Names of who attempts, for the log: they tell one from another and show neither login nor address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The login, wherever it is tried from; none where nothing names one.
    pub login: Option<String>,
    /// The address, or its network.
    pub address: String,
}

impl Marks {
    /// Of this attempt. Under the same `key` the same login and the same address have the same marks.
    #[must_use]
    pub fn of(key: &[u8], what: Attempted<'_>, from: IpAddr) -> Self {
        let mark = |kind: &str, name: &str| {
            let hash = keyed_hash(key, format!("mark\n{kind}\n{name}").as_bytes());
            hex::encode(&hash[..8])
        };
        Self {
            login: match what {
                Attempted::Password(login) => Some(mark("login", login)),
                Attempted::Unnamed => None,
            },
            address: mark("address", &network(from)),
        }
    }
}

/// Whether an attempt may be made.
pub enum Verdict {
    /// It may; say how it ended.
    Go(Attempt),
    /// Not before this time has passed.
    Wait(TimeDelta),
}

/// An attempt that was counted. Dropped, it stays counted.
pub struct Attempt {
    pool: Pool,
    clear: Vec<Vec<u8>>,
    refund: Vec<Vec<u8>>,
}

/// The windows. Cheap to clone.
#[derive(Clone)]
pub struct Attempts {
    pool: Pool,
}

impl Attempts {
    /// Windows over `pool`, whose role has to be `st_api`.
    #[must_use]
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Counts an attempt from an address, or says how long to wait. `key` makes the table's buckets
    /// unreadable.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin(
        &self,
        key: &[u8],
        what: Attempted<'_>,
        from: IpAddr,
        now: DateTime<Utc>,
    ) -> Result<Verdict, StoreError> {
        let from = network(from);
        let bucket = |parts: &[&str]| keyed_hash(key, parts.join("\n").as_bytes()).to_vec();
        let (own, shared, limits) = match what {
            Attempted::Password(login) => (
                Some(bucket(&["login", login, &from])),
                bucket(&["address", &from]),
                vec![PER_LOGIN, PER_ADDRESS],
            ),
            Attempted::Unnamed => (None, bucket(&["stranger", &from]), vec![PER_STRANGER]),
        };
        let mut buckets: Vec<Vec<u8>> = own.clone().into_iter().collect();
        buckets.push(shared.clone());
        let session = self.pool.get().await?;
        let begin = session
            .prepare_cached(
                "SELECT core.begin_attempt($1, $2, make_interval(secs => $3::bigint::double precision), $4)",
            )
            .await?;
        let row = session
            .query_one(&begin, &[&buckets, &limits, &WINDOW.num_seconds(), &now])
            .await?;
        let wait: i64 = row.try_get(0)?;
        if wait > 0 {
            return Ok(Verdict::Wait(TimeDelta::milliseconds(wait)));
        }
        Ok(Verdict::Go(Attempt {
            pool: self.pool.clone(),
            clear: own.into_iter().collect(),
            refund: vec![shared],
        }))
    }
}

impl Attempt {
    /// It was no failure: the login's own window begins anew, the address gets its attempt back.
    ///
    /// # Errors
    /// [`StoreError`]; the attempt then stays counted.
    pub async fn succeeded(self) -> Result<(), StoreError> {
        let session = self.pool.get().await?;
        let end = session.prepare_cached("SELECT core.end_attempt($1, $2)").await?;
        session.query_one(&end, &[&self.clear, &self.refund]).await?;
        Ok(())
    }
}

/// What counts as one address: the address itself, or the network of 64 bits that one subscriber has in
/// version 6 (RFC 6177).
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempted, Marks, network};

    #[test]
    fn marks_tell_logins_and_addresses_apart_and_show_neither() {
        let of = |key: &[u8], login: &str, from: &str| {
            Marks::of(key, Attempted::Password(login), from.parse().unwrap())
        };
        let anna = of(b"k", "anna@shop.ru", "192.0.2.1");
        assert_eq!(anna, of(b"k", "anna@shop.ru", "192.0.2.1"));
        let elsewhere = of(b"k", "anna@shop.ru", "192.0.2.2");
        assert!(elsewhere.login == anna.login && elsewhere.address != anna.address);
        let boris = of(b"k", "boris@shop.ru", "192.0.2.1");
        assert!(boris.login != anna.login && boris.address == anna.address);
        let other_key = of(b"l", "anna@shop.ru", "192.0.2.1");
        assert!(other_key.login != anna.login && other_key.address != anna.address);
        assert_eq!(anna.address.len(), 16);
    }

    #[test]
    fn a_subscriber_is_one_address_in_either_version() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }
}
