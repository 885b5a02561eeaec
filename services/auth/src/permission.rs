//! The one table of who may do what. Pure, so that a test can look at every cell; a route names its action
//! and nothing else decides.

pub use events::tenant::Role;

/// Something a request wants to do inside its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See who one is.
    ReadSelf,
    /// Log out, see and end one's own sessions, change one's own password.
    ManageSelf,
    /// See the tenant.
    ReadTenant,
    /// Rename the tenant.
    RenameTenant,
    /// Erase the tenant with everybody and everything in it.
    EraseTenant,
    /// See who belongs to the tenant.
    ReadMembers,
    /// Invite, change and remove members, hand out codes for forgotten passwords. Whom a member may touch is
    /// the tenant's own rule.
    ManageMembers,
    /// Make, see and revoke keys for programs.
    ManageApiKeys,
    /// See cabinets and what is known of their credentials.
    ReadCabinets,
    /// Connect, change and disconnect cabinets; replace credentials; leave warehouses out of totals.
    ManageCabinets,
    /// Try a credential at the marketplace.
    CheckCredential,
    /// See syncs and operations.
    ReadSyncs,
    /// Ask for a sync.
    RequestSync,
    /// Believe, or not, a result that was held back because it looks implausible.
    DecideSync,
    /// See products, stock and warehouses.
    ReadProducts,
    /// See rules for alerts, and alerts.
    ReadAlerts,
    /// Make, change and take away rules for alerts.
    ManageAlertRules,
    /// Follow syncs, alerts and stock as they happen.
    ReadEvents,
    /// See which spreadsheet is linked.
    ReadSheet,
    /// Link, unlink and test the spreadsheet.
    ManageSheet,
    /// Ask for the spreadsheet to be written.
    RequestSheetSync,
    /// Add, change, try and remove addresses that are called, and see what was sent there.
    ManageWebhooks,
    /// See the contract and what is used of the plan.
    ReadBilling,
    /// Buy, change and end one's own subscription.
    ManageBilling,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 24] = [
        Self::ReadSelf,
        Self::ManageSelf,
        Self::ReadTenant,
        Self::RenameTenant,
        Self::EraseTenant,
        Self::ReadMembers,
        Self::ManageMembers,
        Self::ManageApiKeys,
        Self::ReadCabinets,
        Self::ManageCabinets,
        Self::CheckCredential,
        Self::ReadSyncs,
        Self::RequestSync,
        Self::DecideSync,
        Self::ReadProducts,
        Self::ReadAlerts,
        Self::ManageAlertRules,
        Self::ReadEvents,
        Self::ReadSheet,
        Self::ManageSheet,
        Self::RequestSheetSync,
        Self::ManageWebhooks,
        Self::ReadBilling,
        Self::ManageBilling,
    ];

    /// The lowest role that may do it; every higher role may as well.
    #[must_use]
    pub const fn least_role(self) -> Role {
        match self {
            Self::ReadSelf
            | Self::ManageSelf
            | Self::ReadTenant
            | Self::ReadCabinets
            | Self::ReadSyncs
            | Self::ReadProducts
            | Self::ReadAlerts
            | Self::ReadEvents
            | Self::ReadSheet => Role::Viewer,
            Self::RequestSync | Self::CheckCredential | Self::RequestSheetSync => Role::Member,
            Self::ManageCabinets
            | Self::DecideSync
            | Self::ManageAlertRules
            | Self::ManageSheet
            | Self::ManageWebhooks
            | Self::ReadMembers
            | Self::ManageMembers
            | Self::ManageApiKeys
            | Self::ReadBilling => Role::Admin,
            Self::RenameTenant | Self::EraseTenant | Self::ManageBilling => Role::Owner,
        }
    }

    /// Whether `role` may do it.
    #[must_use]
    pub fn allowed_for(self, role: Role) -> bool {
        role >= self.least_role()
    }

    /// The scope under which an API key may do it; none for what only a person may: whoever finds a key must
    /// not get to logins, members, money or further keys with it, and doubts are for people.
    #[must_use]
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::ManageSelf
            | Self::EraseTenant
            | Self::ReadMembers
            | Self::ManageMembers
            | Self::ManageApiKeys
            | Self::DecideSync
            | Self::ManageBilling => None,
            Self::ReadSelf => Some("self:read"),
            Self::ReadTenant => Some("tenant:read"),
            Self::RenameTenant => Some("tenant:rename"),
            Self::ReadCabinets => Some("cabinets:read"),
            Self::ManageCabinets => Some("cabinets:manage"),
            Self::CheckCredential => Some("cabinets:check"),
            Self::ReadSyncs => Some("syncs:read"),
            Self::RequestSync => Some("syncs:request"),
            Self::ReadProducts => Some("products:read"),
            Self::ReadAlerts => Some("alerts:read"),
            Self::ManageAlertRules => Some("alerts:manage"),
            Self::ReadEvents => Some("events:read"),
            Self::ReadSheet => Some("sheet:read"),
            Self::ManageSheet => Some("sheet:manage"),
            Self::RequestSheetSync => Some("sheet:sync"),
            Self::ManageWebhooks => Some("webhooks:manage"),
            Self::ReadBilling => Some("billing:read"),
        }
    }

    /// The action of a scope.
    #[must_use]
    pub fn of_scope(scope: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.scope() == Some(scope))
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
                "ReadSelf ManageSelf ReadTenant ReadCabinets ReadSyncs ReadProducts ReadAlerts ReadEvents ReadSheet",
            ),
            (
                Role::Member,
                "ReadSelf ManageSelf ReadTenant ReadCabinets CheckCredential ReadSyncs RequestSync ReadProducts \
                 ReadAlerts ReadEvents ReadSheet RequestSheetSync",
            ),
            (
                Role::Admin,
                "ReadSelf ManageSelf ReadTenant ReadMembers ManageMembers ManageApiKeys ReadCabinets \
                 ManageCabinets CheckCredential ReadSyncs RequestSync DecideSync ReadProducts ReadAlerts \
                 ManageAlertRules ReadEvents ReadSheet ManageSheet RequestSheetSync ManageWebhooks \
                 ReadBilling",
            ),
            (
                Role::Owner,
                "ReadSelf ManageSelf ReadTenant RenameTenant EraseTenant ReadMembers ManageMembers \
                 ManageApiKeys ReadCabinets ManageCabinets CheckCredential ReadSyncs RequestSync DecideSync \
                 ReadProducts ReadAlerts ManageAlertRules ReadEvents ReadSheet ManageSheet \
                 RequestSheetSync ManageWebhooks ReadBilling ManageBilling",
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

    #[test]
    fn every_scope_names_one_action() {
        for action in Action::ALL {
            if let Some(scope) = action.scope() {
                assert_eq!(Action::of_scope(scope), Some(action), "{scope}");
            }
        }
        assert_eq!(Action::of_scope("everything"), None);
    }
}
