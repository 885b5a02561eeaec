//! PostgreSQL: whether it can be reached with the address of the settings, whether its schema is this
//! program's, and whether the login may act as each role.

use ::database::{DatabaseError, IdentityError, Role, connect};
use event_store::GlobalReader;
use runtime::Settings;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Finding, chain};
use crate::schema;

const CHECK: &str = "database";
const MIGRATE: &str = "run `stock-tracker migrate`";
/// The roles of running processes and of tools.
const ROLES: [Role; 9] = [
    Role::Api,
    Role::Gateway,
    Role::Relay,
    Role::Projector,
    Role::Worker,
    Role::Sheets,
    Role::Notifier,
    Role::Keys,
    Role::Audit,
];

/// One finding about the database; one for each role where it can be reached and has the schema.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    let url = match settings.database.required_url() {
        Ok(url) => url,
        Err(problem) => return vec![Finding::failure(CHECK, problem.to_string(), "set DATABASE_URL")],
    };
    let address = Address::of(url.expose_secret());
    let standing = match schema::standing(url).await {
        Ok(standing) => standing,
        Err(error) => return vec![unreachable(&error, &address)],
    };
    if standing.applied.is_empty() {
        return vec![Finding::failure(CHECK, "it is empty", MIGRATE)];
    }
    if !standing.missing.is_empty() {
        let missing = standing.missing.join(", ");
        return vec![Finding::failure(CHECK, format!("it lacks {missing}"), MIGRATE)];
    }
    if let Some(newer) = standing.newer {
        let found = format!("its schema has migration {newer}, which this program does not know");
        return vec![Finding::failure(
            CHECK,
            found,
            "use the newer program that migrated it",
        )];
    }
    let mut findings = Vec::new();
    for role in ROLES {
        findings.push(check_role(url, role, &address).await);
    }
    findings.insert(0, check_log(url).await);
    findings
}

async fn check_log(url: &SecretString) -> Finding {
    let reader = match ::database::Pool::open(url, Role::Projector, 1) {
        Ok(pool) => GlobalReader::new(pool),
        Err(error) => return Finding::failure(CHECK, chain(&error), "correct DATABASE_URL"),
    };
    match reader.head().await {
        Ok(head) => Finding::ok(CHECK, format!("the log holds {head} events")),
        // Why is said by the checks of the roles.
        Err(error) => Finding::failure(CHECK, chain(&error), "see the roles below"),
    }
}

async fn check_role(url: &SecretString, role: Role, address: &Address<'_>) -> Finding {
    let (name, login) = (role.name(), address.login);
    let check = format!("role {name}");
    let proved = async {
        let client = connect(url, Some(role)).await?;
        let row = client
            .query_one("SELECT has_schema_privilege('core', 'USAGE')", &[])
            .await?;
        Ok::<bool, DatabaseError>(row.try_get(0)?)
    };
    match proved.await {
        Ok(false) => Finding::failure(check, "it may not use the schema", MIGRATE),
        Ok(true) => Finding::ok(check, format!("{login} may act as it")),
        Err(DatabaseError::Identity(error)) => misidentified(check, name, &error),
        Err(error) => match code(&error) {
            Some("42501") => Finding::failure(
                check,
                format!("{login} may not act as it"),
                format!("run `GRANT {name} TO {login}` as an administrator"),
            ),
            Some("22023" | "42704") => Finding::failure(check, "it does not exist", MIGRATE),
            _ => Finding {
                check,
                ..unreachable(&error, address)
            },
        },
    }
}

/// A connection that was made and may not be used.
fn misidentified(check: String, name: &str, error: &IdentityError) -> Finding {
    match error {
        IdentityError::Unbound { reason, .. } => Finding::failure(
            check,
            format!("it is above row security: {reason}"),
            format!("run `ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS` as an administrator"),
        ),
        IdentityError::Role { .. } | IdentityError::Shared => Finding::failure(
            check,
            error.to_string(),
            "connect directly, or through a pooler that pools by session",
        ),
    }
}

/// Why there is no connection, in words that lead to what has to be changed.
fn unreachable(error: &DatabaseError, address: &Address<'_>) -> Finding {
    let Address {
        place,
        login,
        database,
    } = address;
    let (found, remedy) = match code(error) {
        Some("28P01") => (
            format!("{place} refuses the password of {login}"),
            format!("correct it in DATABASE_URL, or set it anew with `ALTER ROLE {login} PASSWORD '…'`"),
        ),
        Some("28000") => (
            format!("{place} refuses {login}: {}", chain(error)),
            "make the login, or let it in by pg_hba.conf".to_owned(),
        ),
        Some("3D000") => (
            format!("{place} has no database {database}"),
            format!("run `createdb {database}`, then `stock-tracker migrate`"),
        ),
        Some("53300") => (
            format!("{place} has no connection left"),
            "raise max_connections, or end what holds them".to_owned(),
        ),
        Some("57P03") => (
            format!("{place} is starting or stopping"),
            "try again in a moment".to_owned(),
        ),
        Some("42501") => (
            format!("{login} may not read the schema: {}", chain(error)),
            "use an administrator's DATABASE_URL for `doctor`".to_owned(),
        ),
        Some(_) => (chain(error), "see the server's log".to_owned()),
        None => on_the_way(error, place),
    };
    Finding::failure(CHECK, found, remedy)
}

/// A failure before the server said anything.
fn on_the_way(error: &DatabaseError, place: &str) -> (String, String) {
    let said = chain(error);
    let correct = "correct DATABASE_URL".to_owned();
    match error {
        DatabaseError::Address(_) | DatabaseError::Unsuitable(_) => (said, correct),
        DatabaseError::Authorities(_) => (said, "correct sslrootcert in DATABASE_URL".to_owned()),
        _ if said.contains("TLS") || said.contains("certificate") => (
            format!("no TLS with {place}: {said}"),
            "set up TLS at the server, or correct sslmode and sslrootcert in DATABASE_URL".to_owned(),
        ),
        _ => (
            format!("{place} does not answer: {said}"),
            format!("start PostgreSQL there, or {correct}"),
        ),
    }
}

/// What the server said, as SQLSTATE.
fn code(error: &DatabaseError) -> Option<&str> {
    match error {
        DatabaseError::Query(error) | DatabaseError::Connect(error) => Some(error.code()?.code()),
        _ => None,
    }
}

/// The parts of an address that may be shown.
struct Address<'a> {
    place: &'a str,
    login: &'a str,
    database: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Self {
        let unknown = Self {
            place: "the server",
            login: "the login",
            database: "of this name",
        };
        let Some((_, rest)) = url.split_once("://") else {
            return unknown;
        };
        let (rest, _query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (login.split(':').next().unwrap_or_default(), place),
            None => ("", authority),
        };
        let or = |part: &'a str, other| if part.is_empty() { other } else { part };
        Self {
            place: or(place, unknown.place),
            login: or(login, unknown.login),
            database: or(database, unknown.database),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::of("postgres://st:se@cret@db.example:5432/stock?sslmode=verify-full");
        assert_eq!(
            (address.place, address.login, address.database),
            ("db.example:5432", "st", "stock")
        );
        let bare = Address::of("host=db password=secret");
        assert!(!bare.place.contains("secret") && !bare.login.contains("secret"));
    }
}
