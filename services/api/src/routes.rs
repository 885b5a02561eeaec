//! The one table of every route: method, path, who may, handler. A route that is not here does not exist, and
//! one that needs a caller lets nobody in without an action.

use actix_web::{HttpRequest, web};
use auth::Action;

use crate::handlers::{
    admin, alert_rules, alerts, analytics, api_keys, auth as login, billing, cabinets, docs, erasure, events,
    exports, health, notifications, operations, products, sheets, syncs, tenants, warehouses,
    webhook_endpoints,
};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Callers whose role may do this; for an API key its scopes as well.
    Needs(Action),
    /// Platform administrators who are logged in.
    Platform,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Method, in lower case.
    pub method: &'static str,
    /// Path with placeholders.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
}

/// Commands without an `Idempotency-Key`: a repeated login is another login, a repeated refresh has to be
/// noticed, and Stripe's events have ids of their own.
const KEYLESS: [&str; 4] = [
    WEBHOOK,
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/sheets/test",
];

/// Other addresses of documented routes. Linters refuse a documented path that ends with a slash.
pub const ALIASES: [&str; 1] = ["/api/v1/health/"];

/// Where Stripe delivers.
pub(crate) const WEBHOOK: &str = "/api/v1/billing/webhook";

impl Route {
    /// Whether requests need an `Idempotency-Key`.
    #[must_use]
    pub fn needs_key(&self) -> bool {
        self.method != "get" && !KEYLESS.contains(&self.path)
    }
}

macro_rules! routes {
    ($($method:ident $path:literal $access:expr => $handler:path;)*) => {
        /// Every route.
        pub const ROUTES: &[Route] =
            &[$(Route { method: stringify!($method), path: $path, access: $access }),*];

        /// Registers every route.
        pub fn configure(config: &mut web::ServiceConfig) {
            $(config.route($path, web::$method().to($handler));)*
        }
    };
}

use Access::{Needs, Platform, Public};

routes! {
    get    "/api/v1/health"                     Public => health::overall;
    get    "/api/v1/health/"                    Public => health::overall;
    get    "/api/v1/health/live"                Public => health::live;
    get    "/api/v1/health/ready"               Public => health::ready;
    get    "/api/v1/openapi.json"               Public => docs::document;
    get    "/docs"                              Public => docs::page;
    get    "/docs/script.js"                    Public => docs::script;
    get    "/docs/style.css"                    Public => docs::style;

    post   "/api/v1/auth/register"              Public => login::register::handle;
    post   "/api/v1/auth/login"                 Public => login::login::handle;
    post   "/api/v1/auth/refresh"               Public => login::refresh::handle;
    post   "/api/v1/auth/accept-invitation"     Public => login::accept_invitation::handle;
    post   "/api/v1/auth/password/reset"        Public => login::reset_password::handle;
    post   "/api/v1/auth/logout"                Needs(Action::ManageSelf) => login::logout::handle;
    get    "/api/v1/auth/me"                    Needs(Action::ReadSelf) => login::me::handle;
    post   "/api/v1/auth/password"              Needs(Action::ManageSelf) => login::change_password::handle;
    post   "/api/v1/auth/erase"                 Needs(Action::ManageSelf) => erasure::user;
    get    "/api/v1/auth/sessions"              Needs(Action::ManageSelf) => login::sessions::list;
    delete "/api/v1/auth/sessions"              Needs(Action::ManageSelf) => login::sessions::end_others;
    delete "/api/v1/auth/sessions/{id}"         Needs(Action::ManageSelf) => login::sessions::end_one;

    post   "/api/v1/api-keys"                   Needs(Action::ManageApiKeys) => api_keys::create::handle;
    get    "/api/v1/api-keys"                   Needs(Action::ManageApiKeys) => api_keys::list::handle;
    delete "/api/v1/api-keys/{id}"              Needs(Action::ManageApiKeys) => api_keys::revoke::handle;

    get    "/api/v1/tenants/me"                 Needs(Action::ReadTenant) => tenants::show::handle;
    patch  "/api/v1/tenants/me"                 Needs(Action::RenameTenant) => tenants::rename::handle;
    post   "/api/v1/tenants/me/erase"           Needs(Action::EraseTenant) => erasure::tenant;
    get    "/api/v1/tenants/me/members"         Needs(Action::ReadMembers) => tenants::members::list;
    post   "/api/v1/tenants/me/members"         Needs(Action::ManageMembers) => tenants::members::invite;
    patch  "/api/v1/tenants/me/members/{id}"    Needs(Action::ManageMembers) => tenants::members::change_role;
    delete "/api/v1/tenants/me/members/{id}"    Needs(Action::ManageMembers) => tenants::members::remove;
    post   "/api/v1/tenants/me/members/{id}/password-reset"  Needs(Action::ManageMembers)
        => tenants::members::reset_password;

    get    "/api/v1/admin/users"                Platform => admin::users;
    patch  "/api/v1/admin/users/{id}/access"    Platform => admin::access::change;
    post   "/api/v1/admin/users/{id}/password-reset"  Platform => admin::reset_password;
    post   "/api/v1/admin/users/{id}/payments"  Platform => admin::payments::record;
    patch  "/api/v1/admin/tenants/{id}"         Platform => admin::suspend;

    get    "/billing/done"                      Public => billing::done::handle;
    get    "/api/v1/billing/plans"              Public => billing::plans::handle;
    get    "/api/v1/billing/subscription"       Needs(Action::ReadBilling) => billing::subscription::handle;
    post   "/api/v1/billing/checkout-session"   Needs(Action::ManageBilling) => billing::checkout::handle;
    post   "/api/v1/billing/portal-session"     Needs(Action::ManageBilling) => billing::portal::handle;
    post   "/api/v1/billing/cancel"             Needs(Action::ManageBilling) => billing::end::cancel;
    post   "/api/v1/billing/resume"             Needs(Action::ManageBilling) => billing::end::resume;
    post   "/api/v1/billing/change-plan"        Needs(Action::ManageBilling) => billing::change_plan::handle;
    get    "/api/v1/billing/usage"              Needs(Action::ReadBilling) => billing::usage::handle;
    post   "/api/v1/billing/webhook"            Public => billing::webhook::handle;

    post   "/api/v1/cabinets"                   Needs(Action::ManageCabinets) => cabinets::connect::handle;
    get    "/api/v1/cabinets"                   Needs(Action::ReadCabinets) => cabinets::list::handle;
    get    "/api/v1/cabinets/{id}"              Needs(Action::ReadCabinets) => cabinets::show::handle;
    patch  "/api/v1/cabinets/{id}"              Needs(Action::ManageCabinets) => cabinets::change::handle;
    delete "/api/v1/cabinets/{id}"              Needs(Action::ManageCabinets) => cabinets::disconnect::handle;
    put    "/api/v1/cabinets/{id}/credentials"  Needs(Action::ManageCabinets)
        => cabinets::replace_credential::handle;
    put    "/api/v1/cabinets/{id}/exclusions"   Needs(Action::ManageCabinets) => cabinets::exclusions::put;
    delete "/api/v1/cabinets/{id}/exclusions"   Needs(Action::ManageCabinets) => cabinets::exclusions::delete;
    post   "/api/v1/cabinets/{id}/check"        Needs(Action::CheckCredential) => cabinets::check::handle;
    post   "/api/v1/cabinets/{id}/syncs"        Needs(Action::RequestSync) => cabinets::request_sync::handle;

    get    "/api/v1/syncs"                      Needs(Action::ReadSyncs) => syncs::list::handle;
    get    "/api/v1/syncs/{id}"                 Needs(Action::ReadSyncs) => syncs::show::handle;
    post   "/api/v1/syncs/{id}/release"         Needs(Action::DecideSync) => syncs::decide::release;
    post   "/api/v1/syncs/{id}/discard"         Needs(Action::DecideSync) => syncs::decide::discard;
    get    "/api/v1/operations/{id}"            Needs(Action::ReadSyncs) => operations::show::handle;
    get    "/api/v1/operations/{id}/events"     Needs(Action::ReadSyncs) => operations::events::handle;

    get    "/api/v1/products"                   Needs(Action::ReadProducts) => products::list::handle;
    post   "/api/v1/products/sync"              Needs(Action::RequestSync) => products::sync_all::handle;
    get    "/api/v1/products/{id}"              Needs(Action::ReadProducts) => products::show::handle;
    get    "/api/v1/products/{id}/history"      Needs(Action::ReadProducts) => products::history::handle;
    get    "/api/v1/warehouses"                 Needs(Action::ReadProducts) => warehouses::list::handle;

    get    "/api/v1/exports/stock.xlsx"         Needs(Action::ReadProducts) => exports::xlsx::handle;
    get    "/api/v1/exports/stock.csv"          Needs(Action::ReadProducts) => exports::csv::handle;

    get    "/api/v1/analytics/dashboard"        Needs(Action::ReadProducts) => analytics::dashboard::handle;
    get    "/api/v1/analytics/low-stock"        Needs(Action::ReadProducts) => analytics::low_stock::handle;
    get    "/api/v1/analytics/top-products"     Needs(Action::ReadProducts)
        => analytics::top_products::handle;
    get    "/api/v1/analytics/sync-history"     Needs(Action::ReadSyncs) => analytics::sync_history::handle;
    get    "/api/v1/analytics/stock-distribution"  Needs(Action::ReadProducts)
        => analytics::stock_distribution::handle;
    get    "/api/v1/analytics/warehouses"       Needs(Action::ReadProducts) => analytics::warehouses::handle;
    get    "/api/v1/analytics/turnover"         Needs(Action::ReadProducts) => analytics::turnover::handle;

    get    "/api/v1/notifications/settings"     Needs(Action::ManageSelf) => notifications::settings::show;
    put    "/api/v1/notifications/settings"     Needs(Action::ManageSelf)
        => notifications::settings::change;
    get    "/api/v1/notifications/snoozes"      Needs(Action::ManageSelf) => notifications::snoozes::list;
    post   "/api/v1/notifications/snoozes"      Needs(Action::ManageSelf) => notifications::snoozes::add;
    delete "/api/v1/notifications/snoozes/{id}" Needs(Action::ManageSelf) => notifications::snoozes::remove;

    get    "/api/v1/events"                     Needs(Action::ReadEvents) => events::handle;

    get    "/api/v1/alerts"                     Needs(Action::ReadAlerts) => alerts::list::handle;
    get    "/api/v1/alert-rules"                Needs(Action::ReadAlerts) => alert_rules::list::handle;
    put    "/api/v1/alert-rules"                Needs(Action::ManageAlertRules) => alert_rules::set::handle;
    delete "/api/v1/alert-rules/{id}"           Needs(Action::ManageAlertRules)
        => alert_rules::remove::handle;

    get    "/api/v1/webhook-endpoints"          Needs(Action::ManageWebhooks)
        => webhook_endpoints::list::handle;
    post   "/api/v1/webhook-endpoints"          Needs(Action::ManageWebhooks)
        => webhook_endpoints::add::handle;
    get    "/api/v1/webhook-endpoints/{id}"     Needs(Action::ManageWebhooks)
        => webhook_endpoints::show::handle;
    patch  "/api/v1/webhook-endpoints/{id}"     Needs(Action::ManageWebhooks)
        => webhook_endpoints::change::handle;
    delete "/api/v1/webhook-endpoints/{id}"     Needs(Action::ManageWebhooks)
        => webhook_endpoints::remove::handle;
    post   "/api/v1/webhook-endpoints/{id}/rotate-secret"  Needs(Action::ManageWebhooks)
        => webhook_endpoints::rotate::handle;
    post   "/api/v1/webhook-endpoints/{id}/ping"  Needs(Action::ManageWebhooks)
        => webhook_endpoints::ping::handle;
    get    "/api/v1/webhook-endpoints/{id}/deliveries"  Needs(Action::ManageWebhooks)
        => webhook_endpoints::deliveries::handle;
    post   "/api/v1/webhook-endpoints/{id}/replay"  Needs(Action::ManageWebhooks)
        => webhook_endpoints::replay::handle;

    put    "/api/v1/sheets/link"                Needs(Action::ManageSheet) => sheets::link::handle;
    get    "/api/v1/sheets/link"                Needs(Action::ReadSheet) => sheets::show::handle;
    patch  "/api/v1/sheets/link"                Needs(Action::ManageSheet) => sheets::change::handle;
    delete "/api/v1/sheets/link"                Needs(Action::ManageSheet) => sheets::unlink::handle;
    post   "/api/v1/sheets/create"              Needs(Action::ManageSheet) => sheets::create::handle;
    get    "/api/v1/sheets/preview"             Needs(Action::ReadProducts) => sheets::preview::handle;
    post   "/api/v1/sheets/test"                Needs(Action::ManageSheet) => sheets::test::handle;
    post   "/api/v1/sheets/sync"                Needs(Action::RequestSheetSync) => sheets::sync::handle;
}

/// The line of a request that was routed.
#[must_use]
pub fn of(request: &HttpRequest) -> Option<&'static Route> {
    let pattern = request.match_pattern()?;
    ROUTES
        .iter()
        .find(|route| route.path == pattern && is(route, request.method().as_str()))
}

/// The methods under which a path exists, in upper case.
#[must_use]
pub fn methods_at(path: &str) -> Vec<String> {
    ROUTES
        .iter()
        .filter(|route| fits(route.path, path))
        .map(|route| route.method.to_uppercase())
        .collect()
}

fn is(route: &Route, method: &str) -> bool {
    route.method.eq_ignore_ascii_case(method)
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted == part || (wanted.starts_with('{') && !part.is_empty()) => {
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, ROUTES, methods_at};

    #[test]
    fn no_two_lines_are_the_same_route() {
        for (index, route) in ROUTES.iter().enumerate() {
            let twin = ROUTES[index + 1..]
                .iter()
                .find(|other| other.method == route.method && other.path == route.path);
            assert_eq!(twin, None);
        }
    }

    #[test]
    fn what_is_public_is_listed_here_one_by_one() {
        let public: Vec<&str> = ROUTES
            .iter()
            .filter(|route| route.access == Access::Public)
            .map(|route| route.path)
            .collect();
        assert_eq!(
            public,
            [
                "/api/v1/health",
                "/api/v1/health/",
                "/api/v1/health/live",
                "/api/v1/health/ready",
                "/api/v1/openapi.json",
                "/docs",
                "/docs/script.js",
                "/docs/style.css",
                "/api/v1/auth/register",
                "/api/v1/auth/login",
                "/api/v1/auth/refresh",
                "/api/v1/auth/accept-invitation",
                "/api/v1/auth/password/reset",
                "/billing/done",
                "/api/v1/billing/plans",
                "/api/v1/billing/webhook",
            ]
        );
    }

    #[test]
    fn every_command_needs_a_key_but_the_listed_ones() {
        let keyless: Vec<&str> = ROUTES
            .iter()
            .filter(|route| route.method != "get" && !route.needs_key())
            .map(|route| route.path)
            .collect();
        assert_eq!(
            keyless,
            [
                "/api/v1/auth/login",
                "/api/v1/auth/refresh",
                "/api/v1/billing/webhook",
                "/api/v1/sheets/test"
            ]
        );
    }

    #[test]
    fn a_path_knows_its_methods() {
        assert_eq!(methods_at("/api/v1/cabinets/7"), ["GET", "PATCH", "DELETE"]);
        assert!(methods_at("/api/v1/cabinets/7/nothing").is_empty());
    }
}
