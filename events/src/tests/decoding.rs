//! What the decoder promises: it stops at nothing that a newer program wrote, and names what is broken.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, option, prop_assert_eq};
use uuid::Uuid;

use super::samples;
use crate::cabinet::Marketplace;
use crate::catalog::{ENTRIES, ProductEvent};
use crate::codec::decode;
use crate::ids::{CabinetId, SyncId};
use crate::product::{
    Details, Fulfilment, InWay, MarketplaceTurnover, OrderLine, OrdersObserved, Price, ProductDelisted,
    ProductDetailsChanged, ProductListed, ProductRelisted, ProductSize, SizeUnits, StockLevel, StockObserved,
};
use crate::{DecodeError, Decoded, Event};

#[test]
fn a_type_that_is_not_in_the_catalog_is_unknown_whatever_it_holds() {
    for payload in ["{}", "not even json", ""] {
        let decoded = decode("product", "product_polished", 1, payload);
        assert!(matches!(decoded, Ok(Decoded::Unknown)), "{decoded:?}");
    }
}

#[test]
fn a_stream_that_is_not_in_the_catalog_is_unknown() {
    let decoded = decode("warehouse", "stock_observed", 1, "{}");
    assert!(matches!(decoded, Ok(Decoded::Unknown)), "{decoded:?}");
}

#[test]
fn a_type_in_a_stream_where_it_does_not_belong_is_unknown() {
    for sample in samples::all() {
        let payload = sample.to_json().unwrap();
        for stream in crate::StreamType::ALL {
            let decoded = decode(
                stream.as_str(),
                sample.event_type(),
                sample.event_version(),
                &payload,
            )
            .unwrap();
            let expected = if stream == sample.stream_type() {
                Decoded::Known(sample.clone())
            } else {
                Decoded::Unknown
            };
            assert_eq!(decoded, expected);
        }
    }
}

#[test]
fn a_version_that_is_newer_than_the_catalog_is_unknown() {
    for entry in ENTRIES {
        for version in [0, entry.version + 1, u16::MAX] {
            let decoded = decode(entry.stream.as_str(), entry.event_type, version, "{}");
            assert!(matches!(decoded, Ok(Decoded::Unknown)), "{decoded:?}");
        }
    }
}

#[test]
fn a_broken_payload_of_a_known_type_is_an_error_that_names_the_type() {
    for entry in ENTRIES {
        for version in 1..=entry.version {
            for payload in ["", "nothing", "5", "[1]", "{\"type\":", "\"text\""] {
                let decoded = decode(entry.stream.as_str(), entry.event_type, version, payload);
                let Err(error) = decoded else {
                    // A payload without fields may be an empty list, but never more than that.
                    panic!("{} {payload}: {decoded:?}", entry.event_type)
                };
                assert!(
                    matches!(error, DecodeError::Payload { event_type, .. } if event_type == entry.event_type)
                );
                assert!(
                    error.to_string().contains(&format!("`{}`", entry.event_type)),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_payload_that_lacks_a_field_is_an_error_whose_cause_names_the_field() {
    let error = decode(
        "product",
        "product_delisted",
        1,
        "{\"type\":\"product_delisted\"}",
    )
    .unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("sync_id"), "{cause}");
}

#[test]
fn a_field_that_this_program_does_not_know_is_passed_over() {
    for sample in samples::all() {
        let payload = sample
            .to_json()
            .unwrap()
            .replacen('{', "{\"of_tomorrow\":[1],", 1);
        let decoded = decode(
            sample.stream_type().as_str(),
            sample.event_type(),
            sample.event_version(),
            &payload,
        )
        .unwrap();
        assert_eq!(decoded, Decoded::Known(sample));
    }
}

#[test]
fn every_version_below_the_current_one_has_a_step() {
    for entry in ENTRIES {
        for version in 1..entry.version {
            let lifted = crate::upcast::step(entry.event_type, version, serde_json::json!({}));
            assert!(lifted.is_some(), "{} version {version}", entry.event_type);
        }
        let beyond = crate::upcast::step(entry.event_type, entry.version, serde_json::json!({}));
        assert_eq!(beyond, None, "{}", entry.event_type);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[А-Яа-яё0-9 \"«»-]{0,20}",
        Just("\u{0}\\\"\u{1f9e6}".to_owned())
    ]
}

/// What is stored keeps nanoseconds, more than any source tells.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000_i64, 0..1_000_000_000_i64).prop_map(|(seconds, nanos)| {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds) + TimeDelta::nanoseconds(nanos)
    })
}

fn sync_id() -> impl Strategy<Value = SyncId> {
    any::<u128>().prop_map(|id| SyncId(Uuid::from_u128(id)))
}

fn size() -> impl Strategy<Value = ProductSize> {
    (any::<i64>(), text(), collection::vec(text(), 0..3)).prop_map(|(size_id, name, barcodes)| ProductSize {
        size_id,
        name,
        barcodes,
    })
}

fn price() -> impl Strategy<Value = Price> {
    (count(), option::of(count()), text()).prop_map(|(price_minor, discounted_minor, currency)| Price {
        price_minor,
        discounted_minor,
        currency,
    })
}

fn details() -> impl Strategy<Value = Details> {
    (
        (text(), text(), text(), text()),
        collection::vec(text(), 0..4),
        collection::vec(size(), 0..3),
        option::of(price()),
    )
        .prop_map(
            |((vendor_code, brand, subject, title), barcodes, sizes, price)| Details {
                vendor_code,
                brand,
                subject,
                title,
                barcodes,
                sizes,
                price,
            },
        )
}

fn fulfilment() -> impl Strategy<Value = Fulfilment> {
    prop_oneof![Just(Fulfilment::Fbo), Just(Fulfilment::Fbs)]
}

fn count() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0), 3 => 0..10_000_i64, 1 => any::<i64>()]
}

fn level() -> impl Strategy<Value = StockLevel> {
    let units = (any::<i64>(), text(), count()).prop_map(|(size_id, name, available)| SizeUnits {
        size_id,
        name,
        available,
    });
    (
        (text(), text(), fulfilment()),
        (count(), count(), count()),
        collection::btree_map(text(), count(), 0..3),
        option::of(text()),
        collection::vec(units, 0..3),
    )
        .prop_map(
            |(
                (warehouse, name, fulfilment),
                (available, in_way_to_client, in_way_from_client),
                buckets,
                cluster,
                sizes,
            )| StockLevel {
                warehouse,
                name,
                fulfilment,
                available,
                in_way_to_client,
                in_way_from_client,
                buckets,
                cluster,
                sizes,
            },
        )
}

fn turnover() -> impl Strategy<Value = MarketplaceTurnover> {
    let number = || option::of(any::<u32>());
    (
        option::of(text()),
        number(),
        number(),
        number(),
        option::of(text()),
    )
        .prop_map(
            |(cluster, daily_sales_milli, days_of_stock_milli, days_without_sales, grade)| {
                MarketplaceTurnover {
                    cluster,
                    daily_sales_milli,
                    days_of_stock_milli,
                    days_without_sales,
                    grade,
                }
            },
        )
}

fn order() -> impl Strategy<Value = OrderLine> {
    (
        (text(), time(), time(), text(), text(), fulfilment()),
        (
            count(),
            text(),
            any::<bool>(),
            option::of(count()),
            option::of(text()),
            option::of(any::<i64>()),
            option::of(text()),
        ),
    )
        .prop_map(
            |(
                (order_id, ordered_at, changed_at, warehouse, warehouse_name, fulfilment),
                (quantity, status, cancelled, price_minor, currency, size_id, cluster),
            )| OrderLine {
                order_id,
                ordered_at,
                changed_at,
                warehouse,
                warehouse_name,
                fulfilment,
                quantity,
                status,
                cancelled,
                price_minor,
                currency,
                size_id,
                cluster,
            },
        )
}

fn product_event() -> impl Strategy<Value = ProductEvent> {
    let marketplace = prop_oneof![Just(Marketplace::Wildberries), Just(Marketplace::Ozon)];
    let in_way = (count(), count()).prop_map(|(to_client, from_client)| InWay {
        to_client,
        from_client,
    });
    prop_oneof![
        (any::<u128>(), marketplace, any::<i64>(), details(), sync_id()).prop_map(
            |(cabinet, marketplace, nm_id, details, sync_id)| ProductListed {
                cabinet_id: CabinetId(Uuid::from_u128(cabinet)),
                marketplace,
                nm_id,
                details,
                sync_id,
            }
            .into()
        ),
        (details(), sync_id())
            .prop_map(|(details, sync_id)| ProductDetailsChanged { details, sync_id }.into()),
        sync_id().prop_map(|sync_id| ProductDelisted { sync_id }.into()),
        sync_id().prop_map(|sync_id| ProductRelisted { sync_id }.into()),
        (
            sync_id(),
            text(),
            time(),
            collection::vec(level(), 0..5),
            collection::vec(text(), 0..3),
            option::of(in_way),
            option::of(collection::vec(turnover(), 0..3))
        )
            .prop_map(
                |(sync_id, source, as_of, levels, regrouped, unassigned_in_way, turnover)| {
                    StockObserved {
                        sync_id,
                        source,
                        as_of,
                        levels,
                        regrouped,
                        unassigned_in_way,
                        turnover,
                    }
                    .into()
                }
            ),
        (sync_id(), text(), time(), collection::vec(order(), 0..4)).prop_map(
            |(sync_id, source, as_of, orders)| OrdersObserved {
                sync_id,
                source,
                as_of,
                orders,
            }
            .into()
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(event in product_event()) {
        let event = Event::from(event);
        let payload = event.to_json().unwrap();
        let decoded = decode("product", event.event_type(), event.event_version(), &payload).unwrap();
        prop_assert_eq!(decoded, Decoded::Known(event));
    }

    /// What `postgres-es` reads: the tagged enum, not the decoder's short way.
    #[test]
    fn what_is_encoded_is_the_tagged_enum_too(event in product_event()) {
        let payload = Event::from(event.clone()).to_json().unwrap();
        prop_assert_eq!(serde_json::from_str::<ProductEvent>(&payload).unwrap(), event);
    }
}
