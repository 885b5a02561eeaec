//! Chooses ports on the loopback address.
//!
//! Free ports are taken from below the kernel's ephemeral range. A port from inside it could be handed to any
//! outgoing connection while a server restarts; a client that keeps redialling it could even connect to
//! itself.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::Error;

/// Ports to choose from: above the well-known ones of databases, below Linux' ephemeral range (32768).
const RANGE: std::ops::Range<u16> = 17_000..32_000;

/// Ports this process has handed out, so that two servers that start at once do not race for one.
static HANDED_OUT: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// Whether a listener could be opened there now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A demanded port, checked.
pub(crate) fn demanded(server: &'static str, port: u16) -> Result<u16, Error> {
    if is_free(port) {
        Ok(port)
    } else {
        Err(Error::PortTaken { server, port })
    }
}

/// A port that was free a moment ago and that this process has given to nobody else.
///
/// # Errors
///
/// [`Error::NoFreePort`] with the name of the server it was for.
pub fn free(server: &'static str) -> Result<u16, Error> {
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let size = u64::from(RANGE.end - RANGE.start);
    // The standard library's hash seed is the randomness at hand: processes that start together begin
    // elsewhere.
    let start = RandomState::new().hash_one(server) % size;
    for step in 0..size {
        let offset = u16::try_from((start + step) % size).unwrap_or(0);
        let port = RANGE.start + offset;
        if !handed_out.contains(&port) && is_free(port) {
            handed_out.insert(port);
            return Ok(port);
        }
    }
    Err(Error::NoFreePort { server })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demanded_port_that_is_taken_is_named() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = demanded("PostgreSQL", port).unwrap_err();
        assert!(
            error.to_string().contains(&format!("port {port} for PostgreSQL")),
            "{error}"
        );
    }

    #[test]
    fn a_free_port_is_never_handed_out_twice() {
        let first = free("NATS").unwrap();
        assert!((0..200).all(|_| free("NATS").unwrap() != first));
    }
}
