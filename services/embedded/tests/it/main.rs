//! The promises of the embedded servers, checked on the real programs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod nats;
mod postgres;

use std::os::unix::fs::PermissionsExt;

/// A scratch folder that PostgreSQL's account can reach too.
pub(crate) fn scratch() -> tempfile::TempDir {
    let open = std::fs::Permissions::from_mode(0o755);
    tempfile::Builder::new()
        .prefix("embedded-")
        .permissions(open)
        .tempdir()
        .unwrap()
}
