//! How many connections to PostgreSQL a process may open, counted where the pools are made, so that
//! `max_connections` can be chosen before a busy day chooses it.

use runtime::config::DatabaseSettings;

use crate::args::Role;

/// The relay's lock, which lives as long as its connection.
const RELAY_LOCK: usize = 1;

/// The most connections that a process of this role has open at a time. A start adds two for a moment, and so
/// does a tool while it runs.
pub(crate) fn needed(role: &Role, settings: &DatabaseSettings) -> usize {
    let reading = settings.connections;
    let appending = reading + settings.append_connections;
    match role {
        Role::Api | Role::Gateway | Role::Worker | Role::Notifier => appending,
        Role::Relay => reading + RELAY_LOCK,
        Role::Sheets(_) => reading,
        Role::Projector => projector::CONNECTIONS,
        Role::Scheduler => 0,
        Role::All(_) => 4 * appending + 2 * reading + RELAY_LOCK + projector::CONNECTIONS,
    }
}

#[cfg(test)]
mod tests {
    use super::needed;
    use crate::args::{AllArguments, Role, SheetsArguments};

    #[test]
    fn the_table_of_the_deployment_page_says_what_the_defaults_need() {
        let page = include_str!("../../../deploy/README.md");
        let settings = runtime::config::DatabaseSettings {
            url: None,
            connections: 12,
            append_connections: 2,
        };
        let all = Role::All(AllArguments { embedded: false });
        let sheets = Role::Sheets(SheetsArguments { action: None });
        let roles = [
            Role::Api,
            Role::Gateway,
            Role::Worker,
            Role::Notifier,
            Role::Relay,
            Role::Projector,
        ];
        for role in roles.into_iter().chain([sheets, Role::Scheduler, all]) {
            let name = crate::roles::name_of(&role);
            let row = format!("| `{name}` | {} |", needed(&role, &settings));
            assert!(page.contains(&row), "not in deploy/README.md: {row}");
        }
    }
}
