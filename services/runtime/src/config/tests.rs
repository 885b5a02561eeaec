//! What a person who writes settings can rely on.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

fn load(environment: &[(&str, &str)], file: Option<&str>) -> Result<Settings, ConfigError> {
    Settings::load(
        environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        file,
    )
}

fn complaint(environment: &[(&str, &str)], file: Option<&str>) -> String {
    load(environment, file)
        .expect_err("settings were accepted")
        .to_string()
}

const MASTER_KEY: &str = "v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn without_any_setting_the_defaults_hold() {
    let settings = load(&[], None).unwrap();
    assert_eq!(settings.http.address.to_string(), "127.0.0.1:8080");
    assert_eq!(
        settings.wildberries.content_url,
        "https://content-api.wildberries.ru"
    );
    assert_eq!(settings.sync.interval, None, "the plan's");
    assert_eq!(settings.telemetry.log_format, LogFormat::Text);
    assert!(settings.database.url.is_none());
    let missing = settings.database.required_url().unwrap_err();
    assert!(missing.to_string().contains("DATABASE_URL"), "{missing}");
}

#[test]
fn the_environment_counts_before_the_file_and_the_file_before_the_default() {
    let file = "ST_SYNC_INTERVAL_SECONDS = 900\nST_LOG_FORMAT = \"json\"";
    let settings = load(&[("ST_LOG_FORMAT", "text")], Some(file)).unwrap();
    assert_eq!(settings.sync.interval, Some(Duration::from_secs(900)));
    assert_eq!(settings.telemetry.log_format, LogFormat::Text);
}

#[test]
fn an_empty_variable_counts_as_not_given() {
    let settings = load(&[("ST_OZON_URL", ""), ("ST_MASTER_KEY", "")], None).unwrap();
    assert_eq!(settings.ozon.url, "https://api-seller.ozon.ru");
    assert!(settings.secret_keys.master_keys.is_none());
}

#[test]
fn an_unknown_key_is_named_wherever_it_stands() {
    let text = complaint(
        &[("ST_HTTP_ADRR", "127.0.0.1:1"), ("PATH", "/bin")],
        Some("st_ozon = 1"),
    );
    assert!(
        text.contains("unknown setting ST_HTTP_ADRR in the environment (did you mean ST_HTTP_ADDR?)"),
        "{text}"
    );
    assert!(
        text.contains("unknown setting st_ozon in stock-tracker.toml"),
        "{text}"
    );
    assert!(!text.contains("PATH"), "{text}");
}

#[test]
fn only_secrets_have_a_file_form() {
    let text = complaint(&[("ST_HTTP_ADDR_FILE", "/etc/addr")], None);
    assert!(text.contains("unknown setting ST_HTTP_ADDR_FILE"), "{text}");
}

#[test]
fn every_malformed_value_is_named_at_once() {
    let text = complaint(
        &[
            ("ST_HTTP_ADDR", "localhost"),
            ("ST_OZON_URL", "ozon.ru"),
            ("ST_EMBEDDED_NATS_PORT", "70000"),
            ("ST_SYNC_INTERVAL_SECONDS", "half an hour"),
            ("RUST_LOG", "relay=loud"),
        ],
        Some("ST_LOG_FORMAT = \"xml\""),
    );
    for expected in [
        "ST_HTTP_ADDR must be an address with port such as 127.0.0.1:8080, not \"localhost\"",
        "ST_OZON_URL must be an http:// or https:// address",
        "ST_EMBEDDED_NATS_PORT must be a port",
        "ST_SYNC_INTERVAL_SECONDS must be seconds, 300 to 86400, not \"half an hour\"",
        "RUST_LOG must be a log filter",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in {text}");
    }
    let text = complaint(&[], Some("ST_LOG_FORMAT = \"xml\""));
    assert!(
        text.contains("ST_LOG_FORMAT must be text or json, not \"xml\""),
        "{text}"
    );
}

#[test]
fn more_days_of_orders_than_the_marketplace_takes_are_refused() {
    let text = complaint(&[("ST_ORDER_DAYS", "31")], None);
    assert!(
        text.contains("ST_ORDER_DAYS must be days, 7 to 30, not \"31\""),
        "{text}"
    );
    assert_eq!(
        load(&[("ST_ORDER_DAYS", "30")], None).unwrap().sync.order_days,
        30
    );
}

#[test]
fn a_malformed_secret_is_named_and_not_shown() {
    let secrets = [
        ("ST_MASTER_KEY", "v1:c2VjcmV0"),
        ("ST_JWT_KEY", "c2VjcmV0"),
        ("DATABASE_URL", "mysql://c2VjcmV0@host"),
        ("NATS_URL", "c2VjcmV0"),
        ("ST_GOOGLE_SERVICE_ACCOUNT", "{\"client_email\":\"c2VjcmV0\"}"),
        ("ST_TELEGRAM_WEBHOOK_SECRET", "c2VjcmV0!"),
    ];
    for (key, value) in secrets {
        let text = complaint(&[(key, value)], None);
        assert!(text.contains(key) && !text.contains("c2VjcmV0"), "{text}");
    }
}

#[test]
fn master_keys_of_several_versions_are_accepted_and_a_repeated_version_is_not() {
    let ring = format!("{MASTER_KEY}, {}", MASTER_KEY.replace("v1", "v2"));
    let settings = load(&[("ST_MASTER_KEY", &ring)], None).unwrap();
    assert_eq!(
        settings
            .secret_keys
            .required_master_keys()
            .unwrap()
            .expose_secret(),
        ring
    );
    let twice = format!("{MASTER_KEY},{MASTER_KEY}");
    assert!(complaint(&[("ST_MASTER_KEY", &twice)], None).contains("ST_MASTER_KEY"));
}

#[test]
fn a_secret_can_lie_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{MASTER_KEY}\n")).unwrap();
    let path = file.to_str().unwrap();
    let settings = load(
        &[("ST_MASTER_KEY_FILE", path)],
        Some("ST_MASTER_KEY = \"overridden\""),
    )
    .unwrap();
    assert_eq!(
        settings.secret_keys.master_keys.unwrap().expose_secret(),
        MASTER_KEY
    );

    let text = complaint(
        &[("ST_MASTER_KEY_FILE", path), ("ST_MASTER_KEY", MASTER_KEY)],
        None,
    );
    assert!(
        text.contains("ST_MASTER_KEY and ST_MASTER_KEY_FILE are both set"),
        "{text}"
    );
    let text = complaint(&[("ST_MASTER_KEY_FILE", "/nowhere/key")], None);
    assert!(
        text.contains("ST_MASTER_KEY_FILE: the file /nowhere/key cannot be read: No such file"),
        "{text}"
    );
}

#[test]
fn secrets_do_not_show_when_settings_are_printed() {
    let settings = load(
        &[
            ("DATABASE_URL", "postgres://u:hunter2@db/x"),
            ("ST_MASTER_KEY", MASTER_KEY),
        ],
        None,
    );
    let printed = format!("{:?}", settings.unwrap());
    assert!(
        !printed.contains("hunter2") && !printed.contains("AAAA"),
        "{printed}"
    );
}

#[test]
fn a_broken_file_is_told_by_line_without_its_content() {
    let text = complaint(&[], Some("ST_LOG_FORMAT = \"json\"\nST_JWT_KEY = hunter2\n"));
    assert!(
        text.contains("stock-tracker.toml is no valid TOML, line 2"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    let text = complaint(&[], Some("ST_OZON_URL = [1]"));
    assert!(text.contains("ST_OZON_URL must be a text"), "{text}");
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let text = complaint(&[("ST_SYNC_HARD_LIMIT_SECONDS", "500")], None);
    assert!(
        text.contains("ST_SYNC_SOFT_LIMIT_SECONDS must be less than ST_SYNC_HARD_LIMIT_SECONDS"),
        "{text}"
    );
}

#[test]
fn values_that_cannot_work_are_refused_and_their_neighbours_are_not() {
    let refused: [(&[(&str, &str)], &str); 9] = [
        (&[("ST_SYNC_INTERVAL_SECONDS", "299")], "ST_SYNC_INTERVAL_SECONDS"),
        (
            &[("ST_SYNC_SOFT_LIMIT_SECONDS", "59")],
            "ST_SYNC_SOFT_LIMIT_SECONDS",
        ),
        (
            &[
                ("ST_SHEET_COALESCE_MS", "6000"),
                ("ST_SHEET_FRESHNESS_SECONDS", "6"),
            ],
            "ST_SHEET_COALESCE_MS",
        ),
        (&[("ST_MARKETPLACE_SPEED", "2")], "ST_MARKETPLACE_SPEED"),
        (
            &[
                ("ST_MARKETPLACE_SPEED", "2"),
                ("ST_OZON_URL", "https://API-SELLER.ozon.ru:443"),
            ],
            "ST_MARKETPLACE_SPEED",
        ),
        (&[("ST_SHEET_SETTLE_SECONDS", "179")], "ST_SHEET_SETTLE_SECONDS"),
        (
            &[
                ("ST_EMBEDDED_NATS_PORT", "4222"),
                ("ST_EMBEDDED_POSTGRES_PORT", "4222"),
            ],
            "ST_EMBEDDED_NATS_PORT",
        ),
        (&[("ST_HTTP_ADDR", "127.0.0.1:9464")], "ST_METRICS_ADDR"),
        (
            &[
                ("ST_HTTP_ADDR", "0.0.0.0:80"),
                ("ST_METRICS_ADDR", "127.0.0.1:80"),
            ],
            "ST_METRICS_ADDR",
        ),
    ];
    for (environment, name) in refused {
        let text = complaint(environment, None);
        assert!(
            text.contains(&format!("{name} must be ")),
            "{environment:?}: {text}"
        );
    }
    let elsewhere = [
        "CONTENT",
        "ANALYTICS",
        "STATISTICS",
        "MARKETPLACE",
        "COMMON",
        "PRICES",
    ]
    .map(|host| {
        (
            format!("ST_WB_{host}_URL"),
            "http://127.0.0.1:1/wildberries.ru".to_owned(),
        )
    });
    let mut simulated: Vec<(&str, &str)> = elsewhere
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    simulated.extend([
        ("ST_OZON_URL", "http://notozon.ru"),
        ("ST_GOOGLE_SHEETS_URL", "http://127.0.0.1:2"),
        ("ST_MARKETPLACE_SPEED", "1000"),
        ("ST_SHEET_SETTLE_SECONDS", "1"),
    ]);
    let good: [&[(&str, &str)]; 5] = [
        &simulated,
        &[
            ("ST_SYNC_INTERVAL_SECONDS", "300"),
            ("ST_SHEET_SETTLE_SECONDS", "180"),
        ],
        &[
            ("ST_SYNC_SOFT_LIMIT_SECONDS", "60"),
            ("ST_SYNC_HARD_LIMIT_SECONDS", "61"),
        ],
        &[
            ("ST_SHEET_COALESCE_MS", "5999"),
            ("ST_SHEET_FRESHNESS_SECONDS", "6"),
        ],
        &[
            ("ST_HTTP_ADDR", "127.0.0.1:0"),
            ("ST_METRICS_ADDR", "127.0.0.1:0"),
        ],
    ];
    for environment in good {
        load(environment, None).unwrap();
    }
}

#[test]
fn addresses_lose_the_slash_at_their_end() {
    let given = [("ST_WB_CONTENT_URL", "http://127.0.0.1:9/wb/")];
    let settings = load(&given, None).unwrap();
    assert_eq!(settings.wildberries.content_url, "http://127.0.0.1:9/wb");
}

#[test]
fn the_reference_table_has_every_key_once_and_every_default_is_valid() {
    let table = reference_table();
    for key in KEYS {
        assert_eq!(
            table.matches(&format!("| `{}` |", key.name)).count(),
            1,
            "{}",
            key.name
        );
    }
    let defaults = KEYS.iter().filter_map(|key| Some((key.name, key.default?)));
    load(&defaults.collect::<Vec<_>>(), None).unwrap();
}

#[test]
fn where_tls_is_required_an_unprotected_database_address_is_refused() {
    let with = |url: &str| load(&[("ST_REQUIRE_TLS", "true"), ("DATABASE_URL", url)], None);
    for url in [
        "postgres://u:canary@db/st",
        "postgres://u:canary@db/st?sslmode=require",
        "postgres://u:canary@db/st?sslmode=verify-full",
    ] {
        let complaint = with(url).expect_err("accepted").to_string();
        assert!(complaint.contains("DATABASE_URL"), "{complaint}");
        assert!(!complaint.contains("canary"), "{complaint}");
    }
    let proved = "postgres://u:p@db/st?sslmode=verify-full&sslrootcert=/etc/ca.pem";
    assert!(with(proved).unwrap().transport.require_tls);
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let complaint = complaint(&[("ST_HTTP_CERT_FILE", "/c.pem")], None);
    assert!(complaint.contains("ST_HTTP_KEY_FILE"), "{complaint}");
}

#[test]
fn origins_and_proxies_are_lists_without_wildcards() {
    let settings = load(
        &[
            ("ST_HTTP_ORIGINS", "https://a.example, https://b.example"),
            ("ST_HTTP_PROXIES", "10.0.0.0/8,::1"),
        ],
        None,
    )
    .unwrap();
    assert_eq!(settings.http.origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.http.proxies.len(), 2);
    assert!(complaint(&[("ST_HTTP_ORIGINS", "*")], None).contains("ST_HTTP_ORIGINS"));
    assert!(complaint(&[("ST_HTTP_PROXIES", "proxy")], None).contains("ST_HTTP_PROXIES"));
}
