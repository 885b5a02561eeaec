//! One event of every kind, with values as a real seller's log has them.

mod subscription;
mod warnings;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cabinet::{
    CabinetConnected, CabinetDisconnected, CabinetPaused, CabinetReconnected, CabinetResumed,
    CredentialAccepted, CredentialChecked, CredentialExpiring, CredentialFacts, CredentialOfferRefused,
    CredentialOffered, CredentialRejected, CredentialRotated, Marketplace, PauseReason, Right, RightStatus,
    ScheduleChanged, TokenKind, WarehouseExcluded, WarehouseIncluded,
};
use crate::catalog::{CabinetEvent, Event, ProductEvent, SheetEvent, SyncEvent, TenantEvent, UserEvent};
use crate::product::{
    Details, Fulfilment, InWay, MarketplaceTurnover, OrderLine, OrdersObserved, Price, ProductDelisted,
    ProductDetailsChanged, ProductListed, ProductRelisted, ProductSize, SizeUnits, StockLevel, StockObserved,
};
use crate::sheet::{
    ExtraColumn, LowStock, SheetBlocked, SheetLayoutChanged, SheetLinked, SheetUnblocked, SheetUnlinked,
    Sizes, Sort, SortBy,
};
use crate::sync::{
    SourceDegraded, SourceOutcome, SourceRecovered, SourceReport, SyncCompleted, SyncDiscarded, SyncFailed,
    SyncQuarantined, SyncReleased, SyncRequested, SyncStarted, Trigger,
};
use crate::tenant::{
    MemberAdded, MemberRemoved, MemberRoleChanged, Role, TenantErased, TenantReactivated, TenantRegistered,
    TenantRenamed, TenantSuspended, TenantTimeZoneChanged,
};
use crate::user::{
    AdminGranted, AdminRevoked, PasswordChanged, TelegramLinked, TelegramUnlinked, TelegramUnreachable,
    UserDeactivated, UserErased, UserReactivated, UserRegistered,
};

/// An id that ends in these four hexadecimal digits.
pub(super) fn id<Id: From<Uuid>>(last: &str) -> Id {
    Uuid::parse_str(&format!("0198c0de-0000-7000-8000-00000000{last}"))
        .unwrap()
        .into()
}

/// A time as it stands in JSON.
pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// In the order of the catalog.
pub(super) fn all() -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    events.extend(tenant().map(Event::from));
    events.extend(user().map(Event::from));
    events.extend(cabinet().map(Event::from));
    events.extend(pauses().map(Event::from));
    events.extend(warehouses().map(Event::from));
    events.extend(sync().map(Event::from));
    events.extend(product().map(Event::from));
    events.extend(sheet().map(Event::from));
    events.extend(subscription::samples().map(Event::from));
    events.extend(warnings::rules().map(Event::from));
    events.extend(warnings::alerts().map(Event::from));
    events.extend(warnings::endpoints().map(Event::from));
    events
}

fn tenant() -> [TenantEvent; 9] {
    [
        TenantRegistered {
            owner: id("05e1"),
            language: "ru".into(),
            time_zone: "Europe/Moscow".into(),
        }
        .into(),
        TenantRenamed {}.into(),
        TenantSuspended {
            reason: "payment_overdue".into(),
        }
        .into(),
        TenantReactivated {}.into(),
        MemberAdded {
            user_id: id("05e2"),
            role: Role::Member,
        }
        .into(),
        MemberRoleChanged {
            user_id: id("05e2"),
            role: Role::Admin,
        }
        .into(),
        MemberRemoved { user_id: id("05e2") }.into(),
        TenantTimeZoneChanged {
            time_zone: "Asia/Vladivostok".into(),
        }
        .into(),
        TenantErased {
            request: "ERASE-2026-0017".into(),
        }
        .into(),
    ]
}

fn user() -> [UserEvent; 10] {
    [
        UserRegistered {
            tenant_id: id("7e01"),
        }
        .into(),
        PasswordChanged {}.into(),
        TelegramLinked {}.into(),
        TelegramUnlinked {}.into(),
        TelegramUnreachable {
            reason: "blocked".into(),
        }
        .into(),
        UserDeactivated {}.into(),
        UserReactivated {}.into(),
        AdminGranted {}.into(),
        AdminRevoked {}.into(),
        UserErased {
            request: "ERASE-2026-0018".into(),
        }
        .into(),
    ]
}

fn cabinet() -> [CabinetEvent; 11] {
    [
        CabinetConnected {
            marketplace: Marketplace::Wildberries,
            credential: CredentialFacts {
                credential_id: id("c4e1"),
                fingerprint: "9f2c1ab84d6e03775c10e8b1".into(),
                token_kind: TokenKind::Personal,
                seller_id: Some("c5b1a9d2-6f0e-4b7a-9d55-0a8f5b7c1e22".into()),
                expires_at: Some(at("2027-05-14T00:00:00Z")),
                scopes: ["analytics", "content", "marketplace", "statistics"]
                    .map(Into::into)
                    .into(),
            },
        }
        .into(),
        CredentialRotated {
            credential: CredentialFacts {
                credential_id: id("c4e2"),
                fingerprint: "03775c10e8b19f2c1ab84d6e".into(),
                token_kind: TokenKind::Base,
                seller_id: None,
                expires_at: None,
                scopes: vec![],
            },
        }
        .into(),
        CredentialAccepted {
            credential_id: id("c4e1"),
            checked_at: at("2026-11-20T06:30:12.345Z"),
        }
        .into(),
        CredentialRejected {
            credential_id: id("c4e1"),
            reason: "unauthorized".into(),
            checked_at: at("2026-11-21T06:30:09Z"),
        }
        .into(),
        CredentialChecked {
            credential_id: id("c4e1"),
            seller_id: Some("c5b1a9d2-6f0e-4b7a-9d55-0a8f5b7c1e22".into()),
            expires_at: Some(at("2027-05-14T00:00:00Z")),
            read_only: Some(true),
            rights: vec![
                Right {
                    category: "content".into(),
                    needed: true,
                    status: RightStatus::Open,
                },
                Right {
                    category: "marketplace".into(),
                    needed: false,
                    status: RightStatus::NotInCredential,
                },
            ],
            checked_at: at("2026-11-20T06:30:11Z"),
        }
        .into(),
        CredentialOffered {
            credential: CredentialFacts {
                credential_id: id("c4e3"),
                fingerprint: "k1:5c10e8b19f2c1ab84d6e0377".into(),
                token_kind: TokenKind::ApiKey,
                seller_id: Some("1046812".into()),
                expires_at: None,
                scopes: vec![],
            },
        }
        .into(),
        CredentialOfferRefused {
            credential_id: id("c4e3"),
            reason: "unauthorized".into(),
            checked_at: at("2026-11-21T06:31:09Z"),
        }
        .into(),
        CredentialExpiring {
            credential_id: id("c4e1"),
            days_left: 14,
            expires_at: at("2027-05-14T00:00:00Z"),
        }
        .into(),
        ScheduleChanged {
            interval_seconds: 1_800,
            paused: false,
        }
        .into(),
        CabinetDisconnected {}.into(),
        CabinetReconnected {
            credential: CredentialFacts {
                credential_id: id("c4e4"),
                fingerprint: "5c10e8b19f2c1ab84d6e0377".into(),
                token_kind: TokenKind::Personal,
                seller_id: Some("c5b1a9d2-6f0e-4b7a-9d55-0a8f5b7c1e22".into()),
                expires_at: Some(at("2027-11-30T00:00:00Z")),
                scopes: vec!["content".into()],
            },
        }
        .into(),
    ]
}

fn pauses() -> [CabinetEvent; 2] {
    [
        CabinetPaused {
            reason: PauseReason::Plan,
        }
        .into(),
        CabinetResumed {
            reason: PauseReason::Plan,
        }
        .into(),
    ]
}

fn warehouses() -> [CabinetEvent; 2] {
    [
        WarehouseExcluded {
            warehouse: "fbo:507".into(),
            reason: "Остатки зависли, купить нельзя".into(),
        }
        .into(),
        WarehouseIncluded {
            warehouse: "fbo:507".into(),
        }
        .into(),
    ]
}

fn report(source: &str, outcome: SourceOutcome) -> SourceReport {
    SourceReport {
        source: source.into(),
        outcome,
        rows: 9_850,
        as_of: Some(at("2026-11-22T09:10:00Z")),
        payload_sha256: "a3f1c27e".repeat(8),
        left_out: None,
        payload_bytes: Some(1_482_113),
        error: None,
        doubts: Vec::new(),
        covers_since: None,
    }
}

fn failed_orders() -> SourceReport {
    SourceReport {
        rows: 0,
        as_of: None,
        payload_sha256: String::new(),
        left_out: None,
        payload_bytes: None,
        error: Some("429: следующий запрос возможен через 60 с".into()),
        ..report("orders", SourceOutcome::Failed)
    }
}

fn sync() -> [SyncEvent; 9] {
    [
        SyncRequested {
            sync_id: id("51c2"),
            trigger: Trigger::Schedule,
            forced: false,
            requested_at: at("2026-11-22T09:14:58Z"),
        }
        .into(),
        SyncStarted {
            sync_id: id("51c2"),
            attempt: 2,
            started_at: at("2026-11-22T09:15:00.120Z"),
        }
        .into(),
        SyncCompleted {
            sync_id: id("51c2"),
            attempt: 2,
            completed_at: at("2026-11-22T09:15:41.007Z"),
            sources: vec![
                report("cards", SourceOutcome::Cached),
                report("stock_fbo", SourceOutcome::Complete),
                SourceReport {
                    error: Some("склад «Дом» не ответил".into()),
                    ..report("stock_fbs", SourceOutcome::Partial)
                },
                failed_orders(),
            ],
            products_seen: 1_204,
            products_changed: 61,
        }
        .into(),
        SyncFailed {
            sync_id: id("51c2"),
            attempt: 1,
            failed_at: at("2026-11-22T09:14:59Z"),
            class: "rate_limited".into(),
            detail: "the marketplace allows the next request in 60 s".into(),
            retry_at: Some(at("2026-11-22T09:16:00Z")),
            sources: vec![failed_orders()],
        }
        .into(),
        SyncQuarantined {
            sync_id: id("51c2"),
            attempt: 1,
            quarantined_at: at("2026-11-22T09:15:41Z"),
            reason: "most_products_vanished".into(),
            evidence: "cards: 1204 known, 3 told".into(),
            sources: vec![report("cards", SourceOutcome::Complete)],
        }
        .into(),
        SyncReleased {
            sync_id: id("51c2"),
            released_at: at("2026-11-22T10:02:00Z"),
        }
        .into(),
        SyncDiscarded {
            sync_id: id("51c2"),
            discarded_at: at("2026-11-22T10:02:30Z"),
        }
        .into(),
        SourceDegraded {
            sync_id: id("51c2"),
            source: "orders".into(),
            failures: 3,
            failing_since: at("2026-11-22T08:15:41Z"),
            worked_at: at("2026-11-22T07:45:40Z"),
            error: Some("malformed: field `items[].nmId` is missing".into()),
        }
        .into(),
        SourceRecovered {
            sync_id: id("51c9"),
            source: "orders".into(),
            failing_since: at("2026-11-22T08:15:41Z"),
            recovered_at: at("2026-11-22T11:15:40Z"),
        }
        .into(),
    ]
}

fn level(
    warehouse: &str,
    name: &str,
    fulfilment: Fulfilment,
    [available, in_way_to_client, in_way_from_client]: [i64; 3],
) -> StockLevel {
    StockLevel {
        warehouse: warehouse.into(),
        name: name.into(),
        fulfilment,
        available,
        in_way_to_client,
        in_way_from_client,
        buckets: BTreeMap::new(),
        cluster: None,
        sizes: vec![],
    }
}

fn details(title: &str) -> Details {
    Details {
        vendor_code: "НС-042/серый".into(),
        brand: "Тёплый дом".into(),
        subject: "Носки".into(),
        title: title.into(),
        barcodes: vec!["2037402531123".into(), "2037402531130".into()],
        sizes: vec![
            ProductSize {
                size_id: 287_601_143,
                name: "36-40".into(),
                barcodes: vec!["2037402531123".into()],
            },
            ProductSize {
                size_id: 287_601_144,
                name: "41-45".into(),
                barcodes: vec!["2037402531130".into()],
            },
        ],
        price: Some(Price {
            price_minor: 199_900,
            discounted_minor: Some(149_900),
            currency: "RUB".into(),
        }),
    }
}

fn product() -> [ProductEvent; 6] {
    [
        ProductListed {
            cabinet_id: id("cab1"),
            marketplace: Marketplace::Wildberries,
            nm_id: 168_100_200,
            details: details("Носки шерстяные «Зима», 2 пары"),
            sync_id: id("51c2"),
        }
        .into(),
        ProductDetailsChanged {
            details: details("Носки шерстяные «Зима», 3 пары"),
            sync_id: id("51c3"),
        }
        .into(),
        ProductDelisted { sync_id: id("51c4") }.into(),
        ProductRelisted { sync_id: id("51c5") }.into(),
        stock_observed().into(),
        orders_observed().into(),
    ]
}

fn stock_observed() -> StockObserved {
    StockObserved {
        sync_id: id("51c2"),
        source: "stock_fbo".into(),
        as_of: at("2026-11-22T09:10:00Z"),
        levels: vec![
            StockLevel {
                buckets: [("in_check", 4), ("supply_transit", 60)]
                    .map(|(kind, units)| (kind.to_owned(), units))
                    .into(),
                cluster: Some("Москва, МО и Дальние регионы".into()),
                sizes: vec![
                    SizeUnits {
                        size_id: 287_601_143,
                        name: "36-40".into(),
                        available: 100,
                    },
                    SizeUnits {
                        size_id: 287_601_144,
                        name: "41-45".into(),
                        available: 28,
                    },
                ],
                ..level("fbo:507", "Коледино", Fulfilment::Fbo, [128, 7, 2])
            },
            level("fbo:117986", "Казань", Fulfilment::Fbo, [0, 0, 1]),
            level("fbo:206348", "Тула", Fulfilment::Fbo, [0, 0, 0]),
            level("fbs:31245", "Дом, ул. Ленина, 5", Fulfilment::Fbs, [14, 0, 0]),
        ],
        regrouped: vec!["fbo:masked".into()],
        unassigned_in_way: Some(InWay {
            to_client: 3,
            from_client: 0,
        }),
        turnover: Some(vec![
            MarketplaceTurnover {
                cluster: None,
                daily_sales_milli: Some(2_357),
                days_of_stock_milli: Some(54_300),
                days_without_sales: Some(0),
                grade: Some("popular".into()),
            },
            MarketplaceTurnover {
                cluster: Some("Казань".into()),
                days_without_sales: Some(12),
                grade: Some("no_sales".into()),
                ..MarketplaceTurnover::default()
            },
        ]),
    }
}

fn orders_observed() -> OrdersObserved {
    OrdersObserved {
        sync_id: id("51c2"),
        source: "orders".into(),
        as_of: at("2026-11-22T09:15:20Z"),
        orders: vec![
            OrderLine {
                order_id: "93718412345678901.0.0".into(),
                ordered_at: at("2026-11-21T18:02:11Z"),
                changed_at: at("2026-11-21T18:02:11Z"),
                warehouse: "fbo:name:Коледино".into(),
                warehouse_name: "Коледино".into(),
                fulfilment: Fulfilment::Fbo,
                quantity: 1,
                status: "created".into(),
                cancelled: false,
                price_minor: Some(149_900),
                currency: Some("RUB".into()),
                size_id: Some(287_601_143),
                cluster: Some("Центральный федеральный округ".into()),
            },
            OrderLine {
                order_id: "93718412345678902.0.0".into(),
                ordered_at: at("2026-11-20T07:45:00Z"),
                changed_at: at("2026-11-22T08:00:30.500Z"),
                warehouse: "fbs:name:Дом".into(),
                warehouse_name: "Дом".into(),
                fulfilment: Fulfilment::Fbs,
                quantity: 1,
                status: "cancelled".into(),
                cancelled: true,
                price_minor: None,
                currency: None,
                size_id: None,
                cluster: None,
            },
        ],
    }
}

fn sheet() -> [SheetEvent; 5] {
    [
        SheetLinked {
            spreadsheet_id: "1aBcD3fGh1jKlMn0pQrStUvWxYz0123456789_-AbCdE".into(),
            worksheet: "Products".into(),
            credential_id: Some(id("c4e9")),
        }
        .into(),
        SheetUnlinked {}.into(),
        SheetLayoutChanged {
            language: "ru".into(),
            marketplaces: vec![Marketplace::Ozon],
            cabinets: vec![id("cab1")],
            sizes: Sizes::Rows,
            sort: Sort {
                by: SortBy::Turnover,
                descending: true,
            },
            extra_columns: vec![ExtraColumn::Orders28, ExtraColumn::StockOutOn],
            low_stock: Some(LowStock {
                below_units: Some(10),
                below_days: None,
            }),
            hide_empty_warehouses: true,
            number_formats: true,
        }
        .into(),
        SheetBlocked {
            reason: "no_access".into(),
        }
        .into(),
        SheetUnblocked {}.into(),
    ]
}
