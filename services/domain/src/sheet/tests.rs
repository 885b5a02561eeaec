//! A sheet is linked once; linking it again changes nothing.

use cqrs_es::test::TestFramework;
use events::catalog::SheetEvent;
use events::sheet::{SheetLinked, SheetUnlinked};

use super::{Sheet, SheetCommand, SheetRefusal};
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
