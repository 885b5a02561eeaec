//! A sheet is linked once; linking it again changes nothing.

use cqrs_es::test::TestFramework;
use events::cabinet::Marketplace;
use events::catalog::SheetEvent;
use events::sheet::{ExtraColumn, LowStock, SheetLayoutChanged, SheetLinked, SheetUnlinked};

use super::{MOST_CABINETS, Sheet, SheetCommand, SheetRefusal};
use crate::Fact;

fn linked(id: &str) -> Fact<SheetEvent> {
    Fact(
        SheetLinked {
            spreadsheet_id: id.into(),
            worksheet: "Products".into(),
            credential_id: None,
        }
        .into(),
    )
}

fn link(id: &str) -> SheetCommand {
    SheetCommand::Link {
        spreadsheet_id: id.into(),
        worksheet: "Products".into(),
        credential_id: None,
    }
}

#[test]
fn linking_the_same_spreadsheet_again_changes_nothing() {
    TestFramework::<Sheet>::with(())
        .given(vec![linked("a")])
        .when(link("a"))
        .then_expect_events(vec![]);
    TestFramework::<Sheet>::with(())
        .given(vec![linked("a")])
        .when(link("b"))
        .then_expect_events(vec![linked("b")]);
}

#[test]
fn what_is_not_linked_cannot_be_unlinked() {
    TestFramework::<Sheet>::with(())
        .given(vec![linked("a"), Fact(SheetUnlinked {}.into())])
        .when(SheetCommand::Unlink)
        .then_expect_error(SheetRefusal::NotLinked);
}

fn english() -> SheetLayoutChanged {
    SheetLayoutChanged {
        language: "en".into(),
        ..Default::default()
    }
}

fn change(layout: SheetLayoutChanged) -> SheetCommand {
    SheetCommand::ChangeLayout(Box::new(layout))
}

#[test]
fn a_layout_can_be_chosen_before_anything_is_linked_and_the_same_again_changes_nothing() {
    TestFramework::<Sheet>::with(())
        .given_no_previous_events()
        .when(change(english()))
        .then_expect_events(vec![Fact(english().into())]);
    TestFramework::<Sheet>::with(())
        .given(vec![Fact(english().into())])
        .when(change(english()))
        .then_expect_events(vec![]);
}

#[test]
fn a_choice_has_one_form_whatever_the_order_in_which_it_was_made() {
    let wanted = SheetLayoutChanged {
        marketplaces: vec![Marketplace::Ozon, Marketplace::Wildberries, Marketplace::Ozon],
        extra_columns: vec![ExtraColumn::StockOutOn, ExtraColumn::Orders14],
        ..english()
    };
    let kept = SheetLayoutChanged {
        marketplaces: vec![Marketplace::Wildberries, Marketplace::Ozon],
        extra_columns: vec![ExtraColumn::Orders14, ExtraColumn::StockOutOn],
        ..english()
    };
    TestFramework::<Sheet>::with(())
        .given_no_previous_events()
        .when(change(wanted))
        .then_expect_events(vec![Fact(kept.into())]);
}

#[test]
fn a_choice_that_means_nothing_is_refused() {
    let low = |below_units, below_days| SheetLayoutChanged {
        low_stock: Some(LowStock {
            below_units,
            below_days,
        }),
        ..english()
    };
    let many = (0..=MOST_CABINETS as u128).map(|n| events::ids::CabinetId(uuid::Uuid::from_u128(n)));
    let german = SheetLayoutChanged {
        language: "de".into(),
        ..Default::default()
    };
    for (layout, refusal) in [
        (german, SheetRefusal::UnknownLanguage),
        (low(Some(0), None), SheetRefusal::Threshold),
        (low(None, Some(4_000)), SheetRefusal::Threshold),
        (
            SheetLayoutChanged {
                cabinets: many.collect(),
                ..english()
            },
            SheetRefusal::TooManyCabinets,
        ),
    ] {
        TestFramework::<Sheet>::with(())
            .given_no_previous_events()
            .when(change(layout))
            .then_expect_error(refusal);
    }
}
