//! The roles of the database, made before the first migration and before a backup is restored. Roles belong
//! to the server and are in no dump of a database; who migrates has to be able to act as each of them, also
//! without being a superuser.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::{DatabaseError, Role};

/// Owns every object; nobody logs in as it.
const OWNER: &str = "st_owner";
/// Reads every row for a backup; see `deploy/README.md`.
const BACKUP: &str = "st_backup";
/// The oldest PostgreSQL with views that act as whoever asks (`security_invoker`).
const OLDEST: i32 = 15;

/// Makes the roles that are missing, and lets the present user act as each of them.
///
/// # Errors
/// [`DatabaseError::Unsuitable`] for a server that is too old, [`DatabaseError::Administrator`] where the
/// user may not make roles.
pub(crate) async fn make(client: &Client) -> Result<(), DatabaseError> {
    let row = client
        .query_one("SELECT current_setting('server_version_num')::int / 10000", &[])
        .await?;
    let version: i32 = row.try_get(0)?;
    if version < OLDEST {
        return Err(DatabaseError::Unsuitable(format!(
            "PostgreSQL {version} is too old; {OLDEST} or newer is needed"
        )));
    }
    // From PostgreSQL 16 on, being a member and being allowed to act as the role are two things.
    let act = if version < 16 { "MEMBER" } else { "SET" };
    for role in names() {
        match make_one(client, role, act).await {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                let script = script(client).await?;
                return Err(DatabaseError::Administrator {
                    script,
                    source: error,
                });
            }
            made => made?,
        }
    }
    Ok(())
}

async fn make_one(client: &Client, role: &str, act: &str) -> Result<(), tokio_postgres::Error> {
    let exists = client
        .query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&role])
        .await?;
    if exists.is_none() {
        let create = format!("CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE");
        match client.batch_execute(&create).await {
            // Another database of this server is migrated at the same moment.
            Err(error) if made_meanwhile(&error) => {}
            made => made?,
        }
    }
    let asked = "SELECT pg_has_role($1, 'USAGE') AND pg_has_role($1, $2)";
    let may: bool = client.query_one(asked, &[&role, &act]).await?.try_get(0)?;
    if may {
        return Ok(());
    }
    client
        .batch_execute(&format!("GRANT {role} TO CURRENT_USER"))
        .await
}

fn made_meanwhile(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::DUPLICATE_OBJECT | &SqlState::UNIQUE_VIOLATION)
    )
}

/// What an administrator runs for a user who may not make roles.
async fn script(client: &Client) -> Result<String, DatabaseError> {
    let asked = "SELECT quote_ident(current_user), quote_ident(current_database())";
    let row = client.query_one(asked, &[]).await?;
    let (user, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let mut script = String::new();
    for role in names() {
        let missing =
            format!("SELECT 'CREATE ROLE {role} NOLOGIN' WHERE to_regrole('{role}') IS NULL \\gexec\n");
        script.push_str(&missing);
    }
    let all = names().collect::<Vec<_>>().join(", ");
    script.push_str(&format!("GRANT {all} TO {user};\n"));
    script.push_str(&format!("ALTER DATABASE {database} OWNER TO {user};\n"));
    Ok(script)
}

fn names() -> impl Iterator<Item = &'static str> {
    [OWNER, BACKUP]
        .into_iter()
        .chain(Role::ALL.iter().map(|role| role.name()))
}
