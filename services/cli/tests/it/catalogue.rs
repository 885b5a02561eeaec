//! What the database's own catalogue says about who may do what, once everything is installed: rules with
//! their exceptions one by one, and a list of every right that is checked in, so that a new one is seen.

use std::collections::BTreeSet;

use tokio_postgres::Client;

struct Installed {
    admin: Client,
    _database: support::Database,
}

async fn installed() -> Installed {
    let template = support::template("core_and_read_models", |url| async move {
        let url = url.into();
        database::migrate(&url).await?;
        read_models::schema::install(&url).await
    })
    .await;
    let database = support::fresh_database(Some(&template)).await;
    Installed {
        admin: support::connect(&database.url).await,
        _database: database,
    }
}

/// Schemas that are ours.
const OURS: &str = "(n.nspname = 'core' OR n.nspname LIKE 'rm\\_%')";

impl Installed {
    /// The one column of text that a query answers.
    async fn list(&self, sql: &str) -> BTreeSet<String> {
        let rows = self.admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

#[tokio::test]
async fn no_role_of_the_program_is_a_superuser_or_passes_row_security() {
    let installed = installed().await;
    let roles = installed
        .list("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'st\\_%'")
        .await;
    assert!(roles.len() >= 7, "{roles:?}");
    let mighty = installed
        .list(
            "SELECT rolname::text FROM pg_roles WHERE (rolname LIKE 'st\\_%' OR rolcanlogin) AND oid <> 10 \
                AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
        )
        .await;
    assert_eq!(mighty, set(&[]));
}

#[tokio::test]
async fn every_table_forces_row_security_but_those_that_belong_to_no_tenant() {
    let installed = installed().await;
    let lax = installed
        .list(&format!(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE {OURS} AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        ))
        .await;
    assert_eq!(lax, set(NO_TENANTS));
    let with_tenants = installed
        .list(&format!(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('tenant_id', 'scope') \
              WHERE {OURS} AND c.relkind IN ('r', 'p')"
        ))
        .await;
    let mixed: Vec<_> = lax.intersection(&with_tenants).collect();
    assert!(mixed.is_empty(), "rows of tenants lie open: {mixed:?}");
}

/// Tables without a tenant's row in them.
const NO_TENANTS: &[&str] = &[
    "core.alert_policy",           // how far the alert policy has read
    "core.billing_leaving",        // customers that are to be deleted at Stripe
    "core.billing_reconciliation", // how far Stripe's events were listed
    "core.google_quotas",
    "core.log_head",            // the length of the log
    "core.notice_work",         // how far the notifier has read, and who does its work
    "core.policy_positions",    // how far the policies have read
    "core.sheet_position",      // how far the sheets role has read
    "core.webhook_position",    // how far the log is turned into webhooks
    "core.stripe_events",       // what Stripe sent; whose it is is found out later
    "rm_inventory.projection",  // how far the projection has come
    "rm_operations.projection", // the same
];

#[tokio::test]
async fn a_policy_that_shows_more_than_one_tenant_is_listed() {
    let installed = installed().await;
    // The role of backups reads every table, and no server runs as it.
    let wide = installed
        .list(
            "SELECT format('%s.%s %s to %s', schemaname, tablename, policyname, array_to_string(roles, ' ')) \
               FROM pg_policies \
              WHERE roles <> '{st_owner}' AND roles <> '{st_projector}' AND roles <> '{st_backup}' \
                AND coalesce(qual, '') || coalesce(with_check, '') NOT LIKE '%current_tenant%'",
        )
        .await;
    assert_eq!(wide, set(WIDE_POLICIES));
    let per_row = installed
        .list(
            "SELECT format('%s.%s %s', schemaname, tablename, policyname) FROM pg_policies \
              WHERE (qual LIKE '%current_tenant%' AND qual NOT LIKE '%SELECT core.current_tenant()%') \
                 OR (with_check LIKE '%current_tenant%' AND with_check NOT LIKE '%SELECT core.current_tenant()%')",
        )
        .await;
    assert_eq!(per_row, set(&[]), "asked for every row instead of once");
}

#[tokio::test]
async fn unique_keys_start_with_the_tenant_but_those_whose_values_no_tenant_chooses() {
    let installed = installed().await;
    let others = installed
        .list(&format!(
            "SELECT format('%s (%s)', c.oid::regclass, (SELECT string_agg(a.attname, ', ' ORDER BY k.ord) \
                      FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, ord) \
                      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)) \
               FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' \
              WHERE {OURS} AND i.indisunique AND i.indkey[0] <> t.attnum"
        ))
        .await;
    assert_eq!(others, set(KEYS_WITHOUT_TENANT));
    let foreign = installed
        .list(&format!(
            "SELECT format('%s %s', c.conrelid::regclass, c.conname) FROM pg_constraint c \
               JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace \
               JOIN pg_attribute t ON t.attrelid = r.oid AND t.attname = 'tenant_id' \
              WHERE {OURS} AND c.contype = 'f' AND NOT t.attnum = ANY(c.conkey)"
        ))
        .await;
    assert_eq!(foreign, set(&[]), "a reference that is an oracle of what exists");
}

#[tokio::test]
async fn there_is_no_view_that_would_show_what_its_owner_sees() {
    let installed = installed().await;
    let views = installed
        .list(&format!(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE {OURS} AND (c.relkind = 'm' OR (c.relkind = 'v' \
                AND NOT coalesce(c.reloptions, '{{}}') @> '{{security_invoker=true}}'))"
        ))
        .await;
    assert_eq!(views, set(&[]));
}

#[tokio::test]
async fn a_function_with_its_owners_rights_fixes_where_names_lead_and_is_nobodys_by_default() {
    let installed = installed().await;
    let loose = installed
        .list(&format!(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
              WHERE {OURS} AND p.prosecdef \
                AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS s \
                                 WHERE s IN ('search_path=core, pg_temp', 'search_path=pg_temp'))"
        ))
        .await;
    assert_eq!(loose, set(&[]));
    let open = installed
        .list(&format!(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
              WHERE {OURS} AND p.prosecdef AND (p.proacl IS NULL OR EXISTS \
                (SELECT FROM aclexplode(p.proacl) AS g WHERE g.grantee = 0))"
        ))
        .await;
    assert_eq!(open, set(&[]));
}

#[tokio::test]
async fn every_right_of_every_role_is_the_one_that_is_checked_in() {
    let installed = installed().await;
    let rights = installed
        .list(&format!(
            "SELECT format('%-13s %-9s %s', g.grantee::regrole, g.privilege_type, c.oid::regclass) \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS g \
              WHERE {OURS} AND g.grantee <> c.relowner AND g.grantee <> 0 \
             UNION ALL \
             SELECT format('%-13s %-9s %s (%s)', g.grantee::regrole, g.privilege_type, c.oid::regclass, \
                    string_agg(a.attname, ', ' ORDER BY a.attname)) \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) AS g \
              WHERE {OURS} AND g.grantee <> c.relowner \
              GROUP BY g.grantee, g.privilege_type, c.oid \
             UNION ALL \
             SELECT format('%-13s %-9s %s()', g.grantee::regrole, g.privilege_type, p.oid::regproc) \
               FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) AS g \
              WHERE {OURS} AND g.grantee <> p.proowner AND g.grantee <> 0 \
             UNION ALL \
             SELECT format('%-13s %-9s schema %s', g.grantee::regrole, g.privilege_type, n.nspname) \
               FROM pg_namespace n, aclexplode(n.nspacl) AS g \
              WHERE {OURS} AND g.grantee <> n.nspowner AND g.grantee <> 0"
        ))
        .await;
    let text: String = rights.iter().map(|right| format!("{right}\n")).collect();
    support::golden("tests/it/rights.txt", &text);
    let emptying: Vec<&String> = rights.iter().filter(|right| right.contains("TRUNCATE")).collect();
    assert!(emptying.is_empty(), "{emptying:?}");
}

/// Policies without a tenant in them, each for a process that serves all tenants at once.
const WIDE_POLICIES: &[&str] = &[
    "core.alert_cabinets policy_all to st_notifier",
    // Who is a member, by which clock, and what hinders the sheet; the notifier serves all tenants.
    "core.accounts notifier_reads to st_notifier",
    "core.tenant_terms notifier_reads to st_notifier",
    "core.sheet_states notifier_reads to st_notifier",
    "core.notices notifier_all to st_notifier",
    "core.notification_settings notifier_all to st_notifier",
    "core.notification_snoozes notifier_all to st_notifier",
    "core.telegram_chats notifier_all to st_notifier",
    "core.billing_checkouts worker_all to st_worker",
    "core.billing_customers worker_all to st_worker",
    "core.billing_former_customers worker_all to st_worker",
    "core.cabinet_places policy_all to st_worker",
    "core.cabinet_work policy_all to st_worker",
    "core.credentials all_tenants to st_keys",
    "core.credentials audit_reads to st_audit", // keys of raw answers only
    "core.credentials only_payload_keys to st_worker", // restricts further
    "core.destroyed_keys all_tenants to st_keys",
    "core.events notifier_reads to st_notifier",
    "core.events whole_log to st_projector st_relay",
    "core.key_rotations all_tenants to st_keys",
    "core.product_places policy_all to st_worker",
    "core.sheet_layouts all_tenants to st_sheets",
    "core.sheet_states all_tenants to st_sheets",
    "core.sheet_syncs all_tenants to st_sheets",
    "core.subscriptions worker_reads to st_worker",
    "core.sync_payload_parts audit_reads to st_audit",
    "core.sync_payloads audit_reads to st_audit",
    "core.tenant_keys all_tenants to st_keys",
    "core.tenant_keys audit_reads to st_audit",
    "core.tenant_terms policy_all to st_worker",
    "core.usage_months policy_all to st_worker",
    "core.webhook_attempts sender_all to st_notifier",
    "core.webhook_endpoints sender_all to st_notifier",
    "core.webhook_messages sender_all to st_notifier",
];

/// Unique keys that do not begin with the tenant.
const KEYS_WITHOUT_TENANT: &[&str] = &[
    "core.accounts (email_key)", // one login per address; registration answers without saying whose
    "core.billing_customers (customer)", // Stripe gives them
    "core.billing_former_customers (customer)",
    "core.events (aggregate_id, sequence, aggregate_type)", // ids of streams are derived or random
    "core.events (position)",                               // given by the log
    "core.heads (aggregate_id, aggregate_type)",
    "core.states (aggregate_id, aggregate_type)",
    "core.telegram_chats (chat_id)", // Telegram gives them; a chat is one login's
];
