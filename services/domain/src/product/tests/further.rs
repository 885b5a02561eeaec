//! What is told beyond the units for sale: further kinds, regions, sizes, prices, the marketplace's own
//! figures. It is recorded like levels: when it differs, never from a source that failed.

use std::collections::BTreeMap;

use events::cabinet::Marketplace;
use events::product::{
    MarketplaceTurnover, Price, ProductDetailsChanged, ProductSize, SizeUnits, StockObserved,
};

use super::{
    Card, Details, Observation, Product, ProductCommand, ProductEvent, StockLevel, any_answer, fbo, level,
    order, seen, tell, with_stock,
};
use crate::Decider;
use crate::product::{DetailPart, StockSeen};
use proptest::prelude::*;

fn with(observed: StockSeen) -> Observation {
    Observation {
        stock: vec![observed],
        ..seen()
    }
}

fn only_stock(happened: &[ProductEvent]) -> &StockObserved {
    let [ProductEvent::StockObserved(observed)] = happened else {
        panic!("{happened:?}")
    };
    observed
}

fn only_details(happened: &[ProductEvent]) -> &ProductDetailsChanged {
    let [ProductEvent::ProductDetailsChanged(changed)] = happened else {
        panic!("{happened:?}")
    };
    changed
}

fn kinds(kinds: &[(&str, i64)]) -> BTreeMap<String, i64> {
    kinds
        .iter()
        .map(|(kind, units)| ((*kind).to_owned(), *units))
        .collect()
}

fn price(minor: i64) -> Price {
    Price {
        price_minor: minor,
        discounted_minor: Some(minor - 1),
        currency: "RUB".into(),
    }
}

fn size(size_id: i64, available: i64) -> SizeUnits {
    SizeUnits {
        size_id,
        name: format!("size {size_id}"),
        available,
    }
}

fn figures(cluster: Option<&str>, days_of_stock_milli: u32) -> MarketplaceTurnover {
    MarketplaceTurnover {
        cluster: cluster.map(Into::into),
        days_of_stock_milli: Some(days_of_stock_milli),
        ..MarketplaceTurnover::default()
    }
}

#[test]
fn a_change_of_units_of_a_further_kind_is_recorded_though_the_units_for_sale_stayed() {
    let told = |units| StockLevel {
        buckets: kinds(&[("in_check", units)]),
        ..level("fbo:1", 5)
    };
    let mut product = with_stock(vec![told(3)]);
    assert_eq!(tell(&mut product, with(fbo(vec![told(3)], true, &[]))), vec![]);
    let happened = tell(&mut product, with(fbo(vec![told(4)], true, &[])));
    assert_eq!(only_stock(&happened).levels, vec![told(4)]);
}

#[test]
fn a_warehouse_with_nothing_but_units_on_the_way_to_it_is_known_and_can_become_empty() {
    let coming = StockLevel {
        buckets: kinds(&[("supply_transit", 60)]),
        ..level("fbo:1", 0)
    };
    let mut product = with_stock(vec![coming]);
    assert!(product.levels.contains_key("fbo:1"));
    let happened = tell(&mut product, with(fbo(vec![], false, &[])));
    assert_eq!(happened, vec![], "an incomplete answer proves nothing");
    let happened = tell(&mut product, with(fbo(vec![], true, &[])));
    assert_eq!(only_stock(&happened).levels, vec![level("fbo:1", 0)]);
}

#[test]
fn an_answer_without_a_region_keeps_the_known_one() {
    let told = |available, cluster: Option<&str>| StockLevel {
        cluster: cluster.map(Into::into),
        ..level("fbo:1", available)
    };
    let mut product = with_stock(vec![told(5, Some("Урал"))]);
    assert_eq!(
        tell(&mut product, with(fbo(vec![told(5, None)], true, &[]))),
        vec![]
    );
    let happened = tell(&mut product, with(fbo(vec![told(6, None)], true, &[])));
    assert_eq!(only_stock(&happened).levels, vec![told(6, Some("Урал"))]);
    let happened = tell(&mut product, with(fbo(vec![told(6, Some("Юг"))], true, &[])));
    assert_eq!(only_stock(&happened).levels, vec![told(6, Some("Юг"))]);
}

#[test]
fn units_that_moved_from_one_size_to_another_are_recorded() {
    let told = |small, large| StockLevel {
        sizes: vec![size(1, small), size(2, large)],
        ..level("fbo:1", small + large)
    };
    let mut product = with_stock(vec![told(3, 2)]);
    let happened = tell(&mut product, with(fbo(vec![told(2, 3)], true, &[])));
    assert_eq!(only_stock(&happened).levels, vec![told(2, 3)]);
}

#[test]
fn a_size_is_recorded_under_its_cards_id_and_name_whichever_the_source_tells() {
    let card = |sizes: &[(i64, &str)]| {
        Card::Seen(Details {
            sizes: sizes
                .iter()
                .map(|(size_id, name)| ProductSize {
                    size_id: *size_id,
                    name: (*name).into(),
                    barcodes: vec![],
                })
                .collect(),
            ..Details::default()
        })
    };
    let told = |size_id, name: &str| StockLevel {
        sizes: vec![SizeUnits {
            size_id,
            name: name.into(),
            available: 3,
        }],
        ..level("fbo:1", 3)
    };
    let tell_it = |card: Card, told: StockLevel| {
        let mut product = Product::default();
        let observation = Observation {
            card,
            ..with(fbo(vec![told], true, &[]))
        };
        tell(&mut product, observation);
        product.levels["fbo:1"]
            .sizes
            .iter()
            .map(|size| (size.size_id, size.name.clone(), size.available))
            .collect::<Vec<_>>()
    };
    let two = [(7, "42"), (8, "44")];
    assert_eq!(tell_it(card(&two), told(8, "")), [(8, "44".to_owned(), 3)]);
    assert_eq!(tell_it(card(&two), told(0, "42")), [(7, "42".to_owned(), 3)]);
    assert_eq!(tell_it(card(&two), told(0, "46")), [], "no size of the card");
    assert_eq!(tell_it(card(&two[..1]), told(7, "")), [], "there is but one");
}

#[test]
fn sizes_keep_their_names_when_the_card_is_not_told_again() {
    let mut product = Product::default();
    let sizes = [(1, "42"), (2, "44")].map(|(size_id, name)| ProductSize {
        size_id,
        name: name.into(),
        barcodes: vec![],
    });
    let card = Card::Seen(Details {
        sizes: sizes.into(),
        ..Details::default()
    });
    let told = |units| StockLevel {
        sizes: vec![SizeUnits {
            name: String::new(),
            ..size(2, units)
        }],
        ..level("fbo:1", units)
    };
    tell(
        &mut product,
        Observation {
            card,
            ..with(fbo(vec![told(3)], true, &[]))
        },
    );
    let failed = |units| Observation {
        card: Card::Unknown,
        ..with(fbo(vec![told(units)], true, &[]))
    };
    assert_eq!(
        tell(&mut product, failed(3)),
        vec![],
        "the catalogue failed, the stock is the same"
    );
    let happened = tell(&mut product, failed(4));
    let sizes = &only_stock(&happened).levels[0].sizes;
    assert_eq!(
        (sizes[0].size_id, sizes[0].name.as_str(), sizes[0].available),
        (2, "44", 4)
    );
}

#[test]
fn the_marketplaces_own_figures_are_recorded_whole_when_one_of_them_changed() {
    let mut product = with_stock(vec![level("fbo:1", 5)]);
    let told = |days, complete| StockSeen {
        turnover: Some(vec![figures(None, days), figures(Some("Урал"), 7_000)]),
        ..fbo(vec![level("fbo:1", 5)], complete, &[])
    };
    let happened = tell(&mut product, with(told(9_000, true)));
    let observed = only_stock(&happened);
    assert_eq!(observed.levels, vec![], "no stock changed");
    assert_eq!(observed.turnover, told(9_000, true).turnover);
    assert_eq!(tell(&mut product, with(told(9_000, true))), vec![]);
    assert_eq!(tell(&mut product, with(told(1, false))), vec![], "incomplete");
    let silent = fbo(vec![level("fbo:1", 5)], true, &[]);
    assert_eq!(
        tell(&mut product, with(silent)),
        vec![],
        "a source that tells none"
    );
    let happened = tell(&mut product, with(told(8_000, true)));
    assert_eq!(only_stock(&happened).turnover, told(8_000, true).turnover);
}

#[test]
fn a_price_is_part_of_the_details_and_a_failed_source_keeps_it() {
    let mut product = Product::default();
    let told = |minor| Observation {
        price: Some(price(minor)),
        ..seen()
    };
    let happened = tell(&mut product, told(100));
    assert!(matches!(happened.as_slice(), [ProductEvent::ProductListed(_)]));
    assert_eq!(
        product.details.as_ref().and_then(|known| known.price.clone()),
        Some(price(100))
    );
    assert_eq!(tell(&mut product, seen()), vec![], "the source of prices failed");
    let happened = tell(&mut product, told(200));
    assert_eq!(only_details(&happened).details.price, Some(price(200)));
}

#[test]
fn a_price_changes_though_the_catalogue_failed_and_takes_no_detail_away() {
    let mut product = with_stock(vec![]);
    let happened = tell(
        &mut product,
        Observation {
            card: Card::Unknown,
            price: Some(price(100)),
            ..seen()
        },
    );
    let details = &only_details(&happened).details;
    assert_eq!(
        (details.vendor_code.as_str(), details.price.clone()),
        ("A-1", Some(price(100)))
    );
}

#[test]
fn a_size_that_was_added_to_the_card_changes_its_details() {
    let mut product = with_stock(vec![]);
    let sizes = vec![ProductSize {
        size_id: 1,
        name: "M".into(),
        barcodes: vec!["4600000000017".into()],
    }];
    let card = Card::Seen(Details {
        vendor_code: "A-1".into(),
        sizes: sizes.clone(),
        ..Details::default()
    });
    let happened = tell(&mut product, Observation { card, ..seen() });
    assert_eq!(only_details(&happened).details.sizes, sizes);
}

#[test]
fn an_order_that_is_told_with_more_than_before_is_recorded_again() {
    let mut product = Product::default();
    let told = |size_id| Observation {
        orders: vec![events::product::OrderLine {
            size_id,
            ..order("x", 0, "created")
        }],
        ..seen()
    };
    tell(&mut product, told(None));
    let happened = tell(&mut product, told(Some(7)));
    assert!(
        matches!(happened.as_slice(), [ProductEvent::OrdersObserved(_)]),
        "{happened:?}"
    );
    assert_eq!(tell(&mut product, told(Some(7))), vec![]);
}

#[test]
fn a_source_that_tells_less_of_an_order_takes_nothing_back() {
    let line = |changed, status: &str, size_id| events::product::OrderLine {
        size_id,
        ..order("x", changed, status)
    };
    let told = |line: &events::product::OrderLine, marketplace| Observation {
        orders: vec![line.clone()],
        marketplace,
        ..seen()
    };
    let wildberries = Marketplace::Wildberries;
    let mut product = Product::default();
    let coarse = line(9, "created", None);
    for fuller in [line(1, "created", Some(7)), line(5, "buyout", Some(7))] {
        assert_eq!(
            tell(&mut product, told(&fuller, wildberries)).len(),
            1 + usize::from(fuller.status == "created")
        );
        assert_eq!(
            tell(&mut product, told(&coarse, wildberries)),
            vec![],
            "{fuller:?}"
        );
    }
    // That it was cancelled it does know.
    let cancelled = line(10, "cancel", None);
    let happened = tell(&mut product, told(&cancelled, wildberries));
    assert!(
        matches!(happened.as_slice(), [ProductEvent::OrdersObserved(_)]),
        "{happened:?}"
    );

    // Elsewhere one source tells everything, and what it says last holds.
    let mut product = Product::default();
    tell(
        &mut product,
        told(&line(1, "delivering", None), Marketplace::Ozon),
    );
    assert_eq!(tell(&mut product, told(&coarse, Marketplace::Ozon)).len(), 1);
}

/// Levels with kinds, regions and sizes, under few keys so that they meet.
fn any_rich_answer() -> impl Strategy<Value = StockSeen> {
    let further = (
        prop::collection::btree_map("[ab]", 1_i64..3, 0..2),
        prop::option::of("[XY]"),
        prop::collection::vec(0_i64..3, 0..3),
        prop::option::of(prop::collection::vec(0_u32..3, 0..3)),
    );
    (any_answer(), further).prop_map(|(answer, (buckets, cluster, sizes, turnover))| {
        let levels = answer.levels.into_iter().map(|level| StockLevel {
            buckets: buckets.clone(),
            cluster: cluster.clone(),
            sizes: (1..).zip(&sizes).map(|(id, units)| size(id, *units)).collect(),
            ..level
        });
        StockSeen {
            levels: levels.collect(),
            turnover: turnover.map(|days| days.into_iter().map(|days| figures(None, days)).collect()),
            ..answer
        }
    })
}

const NO_SIZES: Vec<SizeUnits> = Vec::new();

proptest! {
    /// After a complete answer the product knows what that answer says, kind by kind and size by size.
    #[test]
    fn after_a_complete_answer_kinds_sizes_and_figures_are_the_answers(
        answers in prop::collection::vec(any_rich_answer(), 1..10)
    ) {
        let mut product = Product::default();
        for answer in answers {
            let again = with(answer.clone());
            tell(&mut product, again.clone());
            prop_assert_eq!(tell(&mut product, again), vec![], "told twice");
            for told in &answer.levels {
                let Some(known) = product.levels.get(&told.warehouse) else {
                    prop_assert_eq!(told.available, 0);
                    prop_assert!(told.buckets.is_empty());
                    continue;
                };
                // What is not whole leaves a level as it was where it lacks one of its sizes.
                let is_told = |size: &SizeUnits| {
                    let mut told = told.sizes.iter();
                    told.any(|told| told.size_id == size.size_id && told.available > 0)
                };
                let lacks = |size: &SizeUnits| !is_told(size);
                if !answer.complete && known.sizes.iter().any(lacks) {
                    continue;
                }
                prop_assert_eq!(&known.buckets, &told.buckets);
                // One size says nothing that the level does not, and nothing is no size.
                let told: Vec<_> = told.sizes.iter().filter(|size| size.available > 0).cloned().collect();
                let several = answer.levels[0].sizes.len() > 1;
                prop_assert_eq!(&known.sizes, if several { &told } else { &NO_SIZES });
            }
            if answer.complete {
                for (key, known) in &product.levels {
                    if !answer.levels.iter().any(|told| &told.warehouse == key) {
                        prop_assert!(known.is_empty(), "{} {:?}", key, known);
                    }
                }
                if let Some(turnover) = answer.turnover {
                    prop_assert_eq!(&product.turnover, &turnover);
                }
            }
        }
    }

    /// A kept state is as good as the fold.
    #[test]
    fn a_kept_state_of_everything_survives_being_written_and_read(
        answers in prop::collection::vec(any_rich_answer(), 0..6)
    ) {
        let mut product = Product::default();
        for answer in answers {
            tell(&mut product, Observation { price: Some(price(5)), ..with(answer) });
        }
        let text = serde_json::to_string(&product).unwrap();
        prop_assert_eq!(serde_json::from_str::<Product>(&text).unwrap(), product);
    }
}

#[test]
fn a_part_that_was_not_reported_keeps_what_was_known_and_an_empty_one_does_not() {
    let details = Details {
        vendor_code: "A-1".into(),
        brand: "Зубр".into(),
        subject: "Отвёртка".into(),
        title: "Отвёртка, 5 мм".into(),
        ..Details::default()
    };
    let mut product = Product::default();
    let tell = |product: &mut Product, card: Card| {
        let seen = Observation { card, ..seen() };
        let happened = product.decide(ProductCommand::Observe(Box::new(seen))).unwrap();
        happened.iter().for_each(|event| product.evolve(event));
        happened.len()
    };
    assert_eq!(tell(&mut product, Card::Seen(details.clone())), 1);
    let all = [
        DetailPart::VendorCode,
        DetailPart::Brand,
        DetailPart::Subject,
        DetailPart::Title,
    ];
    let nothing = Card::SeenInPart {
        details: Details::default(),
        unreported: all.to_vec(),
    };
    assert_eq!(tell(&mut product, nothing), 0, "nothing new was reported");
    assert_eq!(product.details.as_ref(), Some(&details));
    let brand = Card::SeenInPart {
        details: Details {
            title: "Отвёртка, 6 мм".into(),
            ..Details::default()
        },
        unreported: all[..3].to_vec(),
    };
    assert_eq!(tell(&mut product, brand), 1);
    let now = product.details.clone().unwrap();
    assert_eq!(
        (now.brand.as_str(), now.title.as_str()),
        ("Зубр", "Отвёртка, 6 мм")
    );
    let reported = Details {
        brand: String::new(),
        ..now
    };
    assert_eq!(tell(&mut product, Card::Seen(reported)), 1);
    assert_eq!(product.details.unwrap().brand, "");
}

#[test]
fn an_article_whose_parts_were_never_reported_is_listed_without_them() {
    let card = Card::SeenInPart {
        details: Details {
            vendor_code: "A-1".into(),
            ..Details::default()
        },
        unreported: vec![DetailPart::Brand],
    };
    let happened = Product::default()
        .decide(ProductCommand::Observe(Box::new(Observation { card, ..seen() })))
        .unwrap();
    let [ProductEvent::ProductListed(listed)] = happened.as_slice() else {
        panic!("{happened:?}")
    };
    assert_eq!(
        (listed.details.vendor_code.as_str(), listed.details.brand.as_str()),
        ("A-1", "")
    );
}
