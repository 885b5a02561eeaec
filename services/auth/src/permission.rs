//! The one table of who may do what. Pure, so that a test can look at every cell; a route names its action
//! and nothing else decides.

pub use events::tenant::Role;

/// Something a request wants to do inside its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See who one is and end one's own session.
    ReadSelf,
    /// See the tenant.
    ReadTenant,
    /// Rename the tenant.
    RenameTenant,
    /// See cabinets and what is known of their credentials.
    ReadCabinets,
    /// Connect, change and disconnect cabinets; replace credentials.
    ManageCabinets,
    /// Try a credential at the marketplace.
    CheckCredential,
    /// See syncs and operations.
    ReadSyncs,
    /// Ask for a sync.
    RequestSync,
    /// See products, stock and warehouses.
    ReadProducts,
    /// See which spreadsheet is linked.
    ReadSheet,
    /// Link, unlink and test the spreadsheet.
    ManageSheet,
    /// Ask for the spreadsheet to be written.
    RequestSheetSync,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::ReadSelf,
        Self::ReadTenant,
        Self::RenameTenant,
        Self::ReadCabinets,
        Self::ManageCabinets,
        Self::CheckCredential,
        Self::ReadSyncs,
        Self::RequestSync,
        Self::ReadProducts,
        Self::ReadSheet,
        Self::ManageSheet,
        Self::RequestSheetSync,
    ];

    /// The lowest role that may do it; every higher role may as well.
    #[must_use]
    pub const fn least_role(self) -> Role {
        match self {
            Self::ReadSelf
            | Self::ReadTenant
            | Self::ReadCabinets
            | Self::ReadSyncs
            | Self::ReadProducts
            | Self::ReadSheet => Role::Viewer,
            Self::RequestSync | Self::CheckCredential | Self::RequestSheetSync => Role::Member,
            Self::ManageCabinets | Self::ManageSheet => Role::Admin,
            Self::RenameTenant => Role::Owner,
        }
    }

    /// Whether `role` may do it.
    #[must_use]
    pub fn allowed_for(self, role: Role) -> bool {
        role >= self.least_role()
    }
}

/// The role's name in tokens and tables.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

/// The role with this name.
#[must_use]
pub fn role_named(name: &str) -> Option<Role> {
    [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
        .into_iter()
        .find(|role| role_name(*role) == name)
}

#[cfg(test)]
mod tests {
    use super::{Action, Role};

    #[test]
    fn every_cell_of_the_table_is_as_written_here() {
        let table = [
            (
                Role::Viewer,
                "ReadSelf ReadTenant ReadCabinets ReadSyncs ReadProducts ReadSheet",
            ),
            (
                Role::Member,
                "ReadSelf ReadTenant ReadCabinets CheckCredential ReadSyncs RequestSync ReadProducts \
                 ReadSheet RequestSheetSync",
            ),
            (
                Role::Admin,
                "ReadSelf ReadTenant ReadCabinets ManageCabinets CheckCredential ReadSyncs RequestSync \
                 ReadProducts ReadSheet ManageSheet RequestSheetSync",
            ),
            (
                Role::Owner,
                "ReadSelf ReadTenant RenameTenant ReadCabinets ManageCabinets CheckCredential ReadSyncs \
                 RequestSync ReadProducts ReadSheet ManageSheet RequestSheetSync",
            ),
        ];
        for (role, expected) in table {
            let may: Vec<String> = Action::ALL
                .into_iter()
                .filter(|action| action.allowed_for(role))
                .map(|action| format!("{action:?}"))
                .collect();
            assert_eq!(may.join(" "), expected, "{role:?}");
        }
    }
}
