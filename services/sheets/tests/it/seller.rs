//! What a seller does with the sheet besides linking it.

use events::catalog::SheetEvent;
use events::sheet::{SheetLayoutChanged, SheetUnlinked};
use events::{Event, StreamType};
use serde_json::Value;

use crate::world::{Seller, World};

impl World {
    /// The seller chooses how the table looks.
    pub(crate) async fn choose(&self, seller: Seller, layout: SheetLayoutChanged) -> i64 {
        let event = Event::Sheet(SheetEvent::SheetLayoutChanged(layout));
        self.append(
            seller.tenant,
            StreamType::Sheet,
            seller.tenant.uuid(),
            vec![event],
        )
        .await
    }

    /// The seller edits the managed worksheet by hand.
    pub(crate) fn edit(&self, spreadsheet: &str, requests: &Value) {
        self.google
            .edit(spreadsheet, requests)
            .expect("the seller's edit");
    }

    /// The managed worksheet as its owner reads it.
    pub(crate) fn worksheet(&self, spreadsheet: &str, sheet_id: i32, fields: &str) -> Value {
        let fields = format!("sheets(properties(sheetId),{fields})");
        let read = self.google.spreadsheet(spreadsheet, &fields).unwrap();
        let sheets = read["sheets"].as_array().unwrap();
        let mut found = sheets
            .iter()
            .filter(|sheet| sheet["properties"]["sheetId"] == sheet_id);
        found.next().cloned().unwrap_or_default()
    }

    pub(crate) async fn unlink(&self, seller: Seller) -> i64 {
        let event = Event::Sheet(SheetEvent::SheetUnlinked(SheetUnlinked {}));
        self.append(
            seller.tenant,
            StreamType::Sheet,
            seller.tenant.uuid(),
            vec![event],
        )
        .await
    }
}
