//! A sheet, what was last written to it and the products it shows, driven through plan, apply and read-back.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::Value;
use sheet_layout::{
    Cell, ColumnKey, Decoration, Freshness, Grid, GridRow, HEADER_FIELDS, HEADER_GROUPS, IdentityCells, Kind,
    Options, Plan, ProductRow, Request, SheetInput, WarehouseColumn, plan, render_rows,
};

use crate::model::Model;

/// The sheet and our memory of it.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) model: Model,
    pub(crate) written: Grid,
    /// Every product ever shown, as a caller knows them.
    pub(crate) known: Vec<IdentityCells<Arc<str>>>,
    pub(crate) options: Options,
    /// What is in the sheet is not what we remember: a batch was cut, or somebody wants it read.
    pub(crate) doubtful: bool,
}

impl World {
    /// Plans without applying.
    pub(crate) fn plan(&self, input: &SheetInput) -> Plan {
        plan(
            &self.model.read(self.written.clone(), &self.known),
            input,
            &self.options,
        )
        .unwrap()
    }

    /// Plans, applies, and checks that there is nothing left to do, both by reading back and by the plan's
    /// own word.
    pub(crate) fn sync(&mut self, input: &SheetInput) -> Plan {
        self.know(input);
        if std::mem::take(&mut self.doubtful) {
            self.written = self.read_back(input);
        }
        let planned = self.plan(input);
        self.model.apply(&planned.to_json().unwrap());
        self.written = Grid::from_bytes(&planned.after.written.to_bytes()).unwrap();
        let again = self.plan(input);
        assert!(again.is_empty(), "a second plan wants {:?}", again.requests);
        let believed = sheet_layout::Current {
            sheet: Some(planned.after.clone()),
        };
        assert!(plan(&believed, input, &self.options).unwrap().is_empty());
        planned
    }

    /// The values of a plan come and some kinds of its decorations do not, as in a sheet that refuses them.
    pub(crate) fn sync_without(&mut self, input: &SheetInput, refused: &BTreeSet<Decoration>) -> Plan {
        self.know(input);
        if std::mem::take(&mut self.doubtful) {
            self.written = self.read_back(input);
        }
        let mut planned = self.plan(input);
        self.model.apply_all(planned.values());
        let taken = |request: &&Request| request.decoration().is_none_or(|kind| !refused.contains(&kind));
        let taken: Vec<Request> = planned.decorations().iter().filter(taken).cloned().collect();
        self.model.apply_all(&taken);
        if taken.len() < planned.decorations().len() {
            planned.owe(refused, false, self.options.structure.unwrap_or_default());
        }
        self.written = Grid::from_bytes(&planned.after.written.to_bytes()).unwrap();
        assert_eq!(self.written, planned.after.written);
        planned
    }

    fn know(&mut self, input: &SheetInput) {
        for identity in input.identities(&self.options.view).unwrap() {
            if !self.known.iter().any(|known| known.of == identity.of) {
                self.known.push(identity);
            }
        }
    }

    /// One plan of several; unlike after [`Self::sync`] something may be left to do.
    pub(crate) fn step(&mut self, input: &SheetInput) -> Plan {
        self.know(input);
        if std::mem::take(&mut self.doubtful) {
            self.written = self.read_back(input);
        }
        let planned = self.plan(input);
        self.model.apply(&planned.to_json().unwrap());
        self.written = Grid::from_bytes(&planned.after.written.to_bytes()).unwrap();
        planned
    }

    /// A plan that is or is not applied, of which nothing is remembered.
    pub(crate) fn crash(&mut self, input: &SheetInput, applied: bool) {
        self.know(input);
        if std::mem::replace(&mut self.doubtful, true) {
            self.written = self.read_back(input);
        }
        let planned = self.plan(input);
        if applied {
            self.model.apply(&planned.to_json().unwrap());
        }
    }

    /// The managed cells as a caller reads them who does not know whether his last batch was done.
    fn read_back(&self, input: &SheetInput) -> Grid {
        let Some(state) = self.model.read(Grid::default(), &self.known).sheet else {
            return Grid::default();
        };
        let mut columns = self.model.managed();
        let mut seen = HashSet::new();
        columns.retain(|(key, _)| seen.insert(key.clone()));
        let mut products: Vec<(&Arc<str>, u32)> = state
            .row_of_product
            .iter()
            .map(|(key, row)| (key, *row))
            .collect();
        products.sort_by_key(|(_, row)| *row);
        let listed: HashSet<&Arc<str>> = input.products.iter().map(|product| &product.key).collect();
        let rows = products.iter().map(|(key, _)| GridRow {
            key: Arc::clone(key),
            // Whatever it looks like, it is struck through or restored.
            listed: !listed.contains(*key),
        });
        let names = columns.iter().map(|(key, _)| key.to_string().into()).collect();
        let mut grid = Grid::new(names, rows.collect());
        let header = |value: &str| {
            let rows = state.header_rows.iter().filter(|row| &*row.value == value);
            rows.map(|row| row.index).min()
        };
        let rows = [header(HEADER_GROUPS), header(HEADER_FIELDS)].into_iter();
        let rows = rows.chain(products.iter().map(|(_, row)| Some(*row)));
        for (place, row) in rows.enumerate() {
            let Some(row) = row else { continue };
            for (number, (key, column)) in columns.iter().enumerate() {
                let days = key.kind() == Kind::Days && place > 1;
                let cell = match self.model.value(row as usize, *column) {
                    None => Cell::Empty,
                    Some(Value::String(text)) => Cell::Text(text.as_str().into()),
                    Some(value) if days => Cell::Tenths((value.as_f64().unwrap() * 10.0).round() as i64),
                    Some(value) => Cell::Int(value.as_i64().unwrap()),
                };
                grid.set(place, number, cell);
            }
        }
        grid.of_unknown_look(Some(&self.written))
    }

    /// The sheet shows exactly what the input renders to, for every listed product.
    pub(crate) fn assert_shows(&self, input: &SheetInput) {
        let managed = self.model.managed();
        let columns: Vec<ColumnKey> = managed.iter().map(|(key, _)| key.clone()).collect();
        let wanted = render_rows(input, &columns).unwrap();
        let rows = self
            .model
            .read(self.written.clone(), &self.known)
            .sheet
            .unwrap()
            .row_of_product;
        for (product, cells) in input.products.iter().zip(&wanted[2..]) {
            let row = rows[&product.key] as usize;
            let shown: Vec<Option<&Value>> = managed
                .iter()
                .map(|(_, column)| self.model.value(row, *column))
                .collect();
            let wanted: Vec<Option<Value>> = cells.iter().map(json).collect();
            assert_eq!(
                shown,
                wanted.iter().map(Option::as_ref).collect::<Vec<_>>(),
                "row of {}",
                product.key
            );
        }
    }
}

/// The value a cell must have in the sheet.
pub(crate) fn json(cell: &Cell) -> Option<Value> {
    match cell {
        Cell::Empty => None,
        Cell::Int(number) => Some(Value::from(*number)),
        Cell::Tenths(tenths) if tenths % 10 == 0 => Some(Value::from(tenths / 10)),
        Cell::Tenths(_) => Some(serde_json::from_str(&cell.to_string()).unwrap()),
        Cell::Text(text) => Some(Value::from(&**text)),
    }
}

pub(crate) fn warehouse(name: &str) -> WarehouseColumn {
    WarehouseColumn {
        key: format!("key of {name}").into(),
        name: name.into(),
        ..WarehouseColumn::default()
    }
}

pub(crate) fn product(nm_id: i64, cells: &[(usize, i64, i64)]) -> ProductRow {
    ProductRow {
        key: format!("p{nm_id}").into(),
        brand: "BrandA".into(),
        subject: "Витамины".into(),
        vendor_code: format!("V-{nm_id}").into(),
        nm_id,
        cells: cells.to_vec(),
        ..ProductRow::default()
    }
}

/// The worked example of the original layout.
pub(crate) fn worked_example() -> SheetInput {
    let warehouses = ["Электросталь", "Коледино", "Подольск", "Казань"]
        .map(warehouse)
        .to_vec();
    let first = ProductRow {
        subject: "Коллаген".into(),
        vendor_code: "COL-001".into(),
        in_way_to_client: 5,
        in_way_from_client: 2,
        ..product(111_111, &[(1, 40, 20), (2, 35, 18), (0, 25, 12)])
    };
    let second = ProductRow {
        vendor_code: "VIT-D3".into(),
        in_way_to_client: 10,
        in_way_from_client: 3,
        ..product(222_222, &[(1, 150, 78), (3, 0, 2)])
    };
    let freshness = Freshness {
        observed_at: "2026-11-20 09:00 UTC".to_owned(),
        sync_id: "0193".to_owned(),
        sources: vec!["Заказы: полный ответ".to_owned()],
    };
    SheetInput {
        products: vec![first, second],
        warehouses,
        freshness,
        ..SheetInput::default()
    }
}
