//! Whatever happens in whatever order, facts, a seller's hands in the sheet, answers that never come, events
//! told twice: when it is quiet again, the managed cells are the read model and the seller's cells are the
//! seller's. Real log, read model, role and Google over HTTP; the layout's own properties cover far more
//! cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use events::catalog::ProductEvent;
use events::ids::{ProductId, SyncId};
use events::product::ProductRelisted;
use events::{Event, StreamType};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use simulators::{Effect, Fault};

use crate::world::{PRODUCTS, Seller, World, lines};

/// Histories tried; each starts a database and a Google of its own.
const CASES: u32 = 16;
const WAREHOUSES: [&str; 4] = ["Казань", "Тула", "Пермь", "Алексин"];
const ARTICLE: &str = "Артикул товара (nmid)";
const IDENTITY: &str = "Основная информация";

#[derive(Debug, Clone)]
enum Step {
    List(u8),
    Delist(u8),
    Rename(u8),
    Stock(u8, Vec<u8>),
    Orders(u8, u8),
    /// The role's round, with the read model before or after the marks.
    Round {
        late_model: bool,
    },
    /// The n-th call from now on ends like this.
    Cut {
        nth: u64,
        done: bool,
    },
    /// Events from here on are told again.
    Again(Index),
    Edit(Edit),
}

#[derive(Debug, Clone)]
enum Edit {
    InsertColumn(Index),
    InsertRow(Index),
    DeleteColumn(Index),
    DeleteRow(Index),
    MoveColumn(Index, Index),
    MoveRow(Index, Index),
    Hide {
        rows: bool,
        at: Index,
    },
    /// Over a managed cell, also in the header; a formula or a text.
    Overwrite(Index, Index, bool),
    Filter,
    Rename,
    MoveWorksheet,
    DeleteWorksheet,
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        3 => place().prop_map(Edit::InsertColumn),
        3 => place().prop_map(Edit::InsertRow),
        1 => place().prop_map(Edit::DeleteColumn),
        1 => place().prop_map(Edit::DeleteRow),
        2 => (place(), place()).prop_map(|(from, to)| Edit::MoveColumn(from, to)),
        2 => (place(), place()).prop_map(|(from, to)| Edit::MoveRow(from, to)),
        1 => (any::<bool>(), place()).prop_map(|(rows, at)| Edit::Hide { rows, at }),
        3 => (place(), place(), any::<bool>()).prop_map(|(row, column, formula)| {
            Edit::Overwrite(row, column, formula)
        }),
        1 => Just(Edit::Filter),
        1 => Just(Edit::Rename),
        1 => Just(Edit::MoveWorksheet),
        1 => Just(Edit::DeleteWorksheet),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let article = 0_u8..5;
    prop_oneof![
        3 => article.clone().prop_map(Step::List),
        1 => article.clone().prop_map(Step::Delist),
        1 => article.clone().prop_map(Step::Rename),
        4 => (article.clone(), prop::collection::vec(0_u8..6, 0..4))
            .prop_map(|(article, units)| Step::Stock(article, units)),
        2 => (article, 0_u8..5).prop_map(|(article, place)| Step::Orders(article, place)),
        5 => any::<bool>().prop_map(|late_model| Step::Round { late_model }),
        2 => (0_u64..6, any::<bool>()).prop_map(|(nth, done)| Step::Cut { nth, done }),
        1 => any::<Index>().prop_map(Step::Again),
        8 => edit().prop_map(Step::Edit),
    ]
}

/// The seller's side: what stands in the sheet of theirs, and under which title.
struct Hands {
    spreadsheet: String,
    title: String,
    own: BTreeSet<String>,
    made: usize,
    listed: BTreeSet<u8>,
    known: BTreeSet<u8>,
}

fn nm_id(article: u8) -> i64 {
    i64::from(article) + 500
}

async fn act(world: &World, seller: Seller, hands: &mut Hands, step: &Step) {
    match step {
        Step::List(article) if hands.known.insert(*article) => {
            hands.listed.insert(*article);
            world
                .list(seller, nm_id(*article), &format!("V-{article}"), "Платья")
                .await;
        }
        Step::List(article) if hands.listed.insert(*article) => relist(world, seller, nm_id(*article)).await,
        Step::Delist(article) if hands.listed.remove(article) => {
            world.delist(seller, nm_id(*article)).await;
        }
        Step::Rename(article) if hands.listed.contains(article) => {
            hands.made += 1;
            let code = format!("V-{article}-{}", hands.made);
            world.rename(seller, nm_id(*article), &code, "=Блузки").await;
        }
        Step::Stock(article, units) if hands.listed.contains(article) => {
            let levels = WAREHOUSES
                .iter()
                .copied()
                .zip(units.iter().map(|units| i64::from(*units)));
            let levels: Vec<(&str, i64)> = levels.collect();
            let way = units.first().map(|units| (i64::from(*units), 1));
            world.stock(seller, nm_id(*article), &levels, way).await;
        }
        Step::Orders(article, place) if hands.listed.contains(article) => {
            let name = WAREHOUSES.get(usize::from(*place)).copied().unwrap_or_default();
            world.orders(seller, nm_id(*article), &[(name, 2)]).await;
        }
        Step::Round { late_model } => {
            if *late_model {
                world.mark().await;
                // Long enough for whatever failed to be tried again.
                world.clock.advance(TimeDelta::seconds(400));
            }
            world.round().await;
        }
        Step::Cut { nth, done } => {
            let effect = if *done {
                Effect::DoneButFailed
            } else {
                Effect::Status {
                    status: 503,
                    body: String::new(),
                    content_type: None,
                }
            };
            world
                .google
                .script(Fault::on("/v4/", effect).after(*nth).times(1));
        }
        Step::Again(place) => {
            let head = world.recorded_after(0).await.len();
            let client = support::connect(secrecy::ExposeSecret::expose_secret(&world.url)).await;
            let from = i64::try_from(place.index(head + 1)).unwrap();
            client
                .execute(
                    "UPDATE core.sheet_position SET position = least(position, $1)",
                    &[&from],
                )
                .await
                .unwrap();
        }
        Step::Edit(edit) => by_hand(world, hands, edit),
        _ => {}
    }
}

/// Where the layout's cells are, as far as titles tell.
struct Places {
    groups: usize,
    fields: usize,
    /// Columns by group and title.
    columns: BTreeMap<(String, String), usize>,
    /// Rows by article.
    rows: Vec<(i64, usize)>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// None where a title by which they are found was overwritten.
fn places(grid: &[Vec<Value>]) -> Option<Places> {
    let holds = |title: &str| {
        grid.iter()
            .position(|row| row.iter().any(|cell| text(cell) == title))
    };
    let (groups, fields) = (holds(IDENTITY)?, holds(ARTICLE)?);
    let mut group = "";
    let mut columns = BTreeMap::new();
    for (column, title) in grid[fields].iter().enumerate() {
        let above = text(&grid[groups][column]);
        if !above.is_empty() {
            group = above;
        }
        let title = text(title);
        if !title.is_empty() && !title.starts_with("own") {
            columns.insert((group.to_owned(), title.to_owned()), column);
        }
    }
    let article = columns
        .iter()
        .find(|((_, title), _)| title == ARTICLE)
        .map(|(_, column)| *column)?;
    let rows = grid.iter().enumerate().skip(fields + 1);
    let rows = rows.filter_map(|(row, cells)| Some((cells[article].as_f64()? as i64, row)));
    Some(Places {
        groups,
        fields,
        rows: rows.collect(),
        columns,
    })
}

/// The worksheet as a person sees it.
struct Page {
    sheet_id: i64,
    grid: Vec<Vec<Value>>,
    places: Places,
}

impl Page {
    fn open(world: &World, hands: &Hands) -> Option<Self> {
        let grid = world.google.grid(&hands.spreadsheet, &hands.title)?;
        Some(Self {
            sheet_id: world.google.sheet_id(&hands.spreadsheet, &hands.title)?,
            places: places(&grid)?,
            grid,
        })
    }

    fn height(&self) -> usize {
        self.grid.len()
    }

    fn width(&self) -> usize {
        self.grid[0].len()
    }

    fn range(&self, dimension: &str, at: usize) -> Value {
        json!({"sheetId": self.sheet_id, "dimension": dimension, "startIndex": at, "endIndex": at + 1})
    }

    fn cell(&self, row: usize, column: usize, content: &Value, fields: &str) -> Value {
        json!({"updateCells": {"start": {"sheetId": self.sheet_id, "rowIndex": row, "columnIndex": column},
            "rows": [{"values": [content]}], "fields": fields}})
    }

    /// A new row or column with a text and a note in it.
    fn insertion(&self, dimension: &str, at: usize, cell: (usize, usize), name: &str) -> Value {
        let own = json!({"userEnteredValue": {"stringValue": name}, "note": name});
        let range = self.range(dimension, at);
        json!([
            {"insertDimension": {"range": range, "inheritFromBefore": false}},
            self.cell(cell.0, cell.1, &own, "userEnteredValue,note"),
        ])
    }

    /// Below the header: a row that is moved above it is no row of a product any more.
    fn below(&self, at: &Index) -> usize {
        self.places.fields + 1 + at.index(self.height() - self.places.fields - 1)
    }

    /// Over a managed cell, also one of the header.
    fn overwriting(&self, row: &Index, column: &Index, formula: bool) -> Value {
        let mut rows: Vec<usize> = self.places.rows.iter().map(|(_, row)| *row).collect();
        rows.extend([self.places.groups, self.places.fields]);
        let columns: Vec<usize> = self.places.columns.values().copied().collect();
        let value = if formula {
            json!({"formulaValue": "=1+1"})
        } else {
            json!({"stringValue": "typed"})
        };
        let content = json!({"userEnteredValue": value});
        json!([self.cell(
            *row.get(&rows),
            *column.get(&columns),
            &content,
            "userEnteredValue"
        )])
    }

    /// What the edit asks of Google; none where it makes no sense.
    fn requests(&self, edit: &Edit, name: &str) -> Option<Value> {
        let (height, width) = (self.height(), self.width());
        let properties = |properties: Value, fields: &str| json!([{"updateSheetProperties": {"properties": properties, "fields": fields}}]);
        Some(match edit {
            Edit::InsertColumn(at) => {
                let at = at.index(width);
                self.insertion("COLUMNS", at, (height - 1, at), name)
            }
            Edit::InsertRow(at) => {
                let at = at.index(height);
                self.insertion("ROWS", at, (at, 0), name)
            }
            Edit::DeleteColumn(at) => {
                json!([{"deleteDimension": {"range": self.range("COLUMNS", at.index(width))}}])
            }
            Edit::DeleteRow(at) => {
                json!([{"deleteDimension": {"range": self.range("ROWS", at.index(height))}}])
            }
            Edit::MoveColumn(from, to) => {
                let (source, to) = (self.range("COLUMNS", from.index(width)), to.index(width));
                json!([{"moveDimension": {"source": source, "destinationIndex": to}}])
            }
            Edit::MoveRow(from, to) if height > self.places.fields + 1 => {
                let source = self.range("ROWS", self.below(from));
                json!([{"moveDimension": {"source": source, "destinationIndex": self.below(to)}}])
            }
            Edit::MoveRow(..) => return None,
            Edit::Hide { rows, at } => {
                let (dimension, count) = if *rows {
                    ("ROWS", height)
                } else {
                    ("COLUMNS", width)
                };
                let range = self.range(dimension, at.index(count));
                json!([{"updateDimensionProperties": {"range": range, "fields": "hiddenByUser",
                    "properties": {"hiddenByUser": true}}}])
            }
            Edit::Overwrite(row, column, formula) => self.overwriting(row, column, *formula),
            Edit::Filter => {
                let range = json!({"sheetId": self.sheet_id, "startRowIndex": self.places.fields,
                    "endRowIndex": height, "startColumnIndex": 0, "endColumnIndex": width});
                json!([{"setBasicFilter": {"filter": {"range": range}}}])
            }
            Edit::Rename => properties(json!({"sheetId": self.sheet_id, "title": name}), "title"),
            Edit::MoveWorksheet => properties(json!({"sheetId": self.sheet_id, "index": 0}), "index"),
            Edit::DeleteWorksheet => json!([{"deleteSheet": {"sheetId": self.sheet_id}}]),
        })
    }
}

/// A product that had left the catalogue is in it again.
async fn relist(world: &World, seller: Seller, nm_id: i64) {
    let event = ProductEvent::ProductRelisted(ProductRelisted {
        sync_id: SyncId(uuid::Uuid::from_u128(78)),
    });
    let id = ProductId::of(seller.cabinet, nm_id).uuid();
    let events = vec![Event::Product(event)];
    world.append(seller.tenant, StreamType::Product, id, events).await;
}

/// What a person does in the page. What Google does not let them do, they leave.
fn by_hand(world: &World, hands: &mut Hands, edit: &Edit) {
    let Some(page) = Page::open(world, hands) else {
        return;
    };
    hands.made += 1;
    let name = format!("own {}", hands.made);
    let Some(requests) = page.requests(edit, &name) else {
        return;
    };
    if world.google.edit(&hands.spreadsheet, &requests).is_err() {
        return;
    }
    let gone: Vec<String> = match edit {
        Edit::InsertColumn(_) | Edit::InsertRow(_) => {
            hands.own.insert(name);
            return;
        }
        Edit::Rename => {
            hands.title = name;
            return;
        }
        Edit::DeleteColumn(at) => {
            let at = at.index(page.width());
            page.grid.iter().map(|row| text(&row[at]).to_owned()).collect()
        }
        Edit::DeleteRow(at) => {
            let row = &page.grid[at.index(page.height())];
            row.iter().map(|cell| text(cell).to_owned()).collect()
        }
        Edit::DeleteWorksheet => {
            PRODUCTS.clone_into(&mut hands.title);
            hands.own.iter().cloned().collect()
        }
        _ => return,
    };
    for text in gone {
        hands.own.remove(&text);
    }
}

/// Everything is quiet: what is due is written, and what people overwrote is read.
async fn settle(world: &World, seller: Seller) -> Result<(), TestCaseError> {
    world.google.clear_faults();
    let question = sheets::wire::Sync {
        tenant_id: seller.tenant,
    };
    let mut last = sheets::Round::default();
    for _ in 0..3 {
        world.clock.advance(TimeDelta::seconds(400));
        world.project().await;
        world.mark().await;
        world.sheets.sync(question.clone()).await.unwrap();
        last = world.round().await;
    }
    let error = world.error(seller).await;
    prop_assert_eq!(last.failed, 0, "{:?}", error);
    world.google.clear_calls();
    world.clock.advance(TimeDelta::seconds(400));
    let quiet = world.round().await;
    prop_assert_eq!((quiet.batches, quiet.failed), (0, 0), "it is never done");
    prop_assert_eq!(world.calls().1, 0);
    Ok(())
}

/// The managed cells are what a first write of the read model would show, and the seller's are there.
async fn check(world: &World, seller: Seller, hands: &Hands) -> Result<(), TestCaseError> {
    let grid = world
        .google
        .grid(&hands.spreadsheet, &hands.title)
        .expect("the worksheet");
    let shown = lines(&grid).join("\n");
    let own = grid
        .iter()
        .flatten()
        .map(text)
        .filter(|text| text.starts_with("own"));
    let own: Vec<&str> = own.collect();
    prop_assert_eq!(
        own.len(),
        hands.own.len(),
        "of the seller's: {:?} in\n{}",
        hands.own,
        shown
    );
    prop_assert!(own.iter().all(|text| hands.own.contains(*text)));
    let notes = world.google.notes(&hands.spreadsheet, &hands.title);
    let notes: BTreeSet<String> = notes.into_iter().filter(|note| note.starts_with("own")).collect();
    prop_assert_eq!(&notes, &hands.own, "notes");

    let struck = struck(world, hands);
    let expected = world.expected(seller).await;
    let (wanted, found) = (places(&expected).expect("titles"), places(&grid));
    let Some(found) = found else {
        return Err(TestCaseError::fail(format!("titles are missing in\n{shown}")));
    };
    let keys = |places: &Places| places.columns.keys().cloned().collect::<Vec<_>>();
    prop_assert_eq!(keys(&found), keys(&wanted), "{}", shown);
    for (article, from) in &wanted.rows {
        let rows: Vec<usize> = found
            .rows
            .iter()
            .filter(|(known, _)| known == article)
            .map(|(_, row)| *row)
            .collect();
        prop_assert_eq!(rows.len(), 1, "rows of {} in\n{}", article, shown);
        prop_assert!(!struck.contains(&rows[0]), "{} is listed in\n{}", article, shown);
        for (key, column) in &wanted.columns {
            let (is, should) = (&grid[rows[0]][found.columns[key]], &expected[*from][*column]);
            let same = is == should
                || is
                    .as_f64()
                    .zip(should.as_f64())
                    .is_some_and(|(is, should)| is == should);
            prop_assert!(
                same,
                "{} {:?} is {} instead of {} in\n{}",
                article,
                key,
                is,
                should,
                shown
            );
        }
    }
    Ok(())
}

/// Rows with a cell that is struck through.
fn struck(world: &World, hands: &Hands) -> BTreeSet<usize> {
    let book = world
        .google
        .everything(&hands.spreadsheet)
        .expect("the spreadsheet");
    let sheets = book["sheets"].as_array().expect("sheets");
    let sheet = sheets
        .iter()
        .find(|sheet| sheet["title"] == json!(hands.title))
        .expect("the worksheet");
    let is_struck = |cell: &Value| {
        // Formats are counted from 1; 0 is none.
        let format = cell["f"].as_u64().unwrap_or_default().checked_sub(1);
        format.is_some_and(|place| {
            let format = &book["formats"][usize::try_from(place).unwrap()];
            format["textFormat"]["strikethrough"] == json!(true)
        })
    };
    let rows = sheet["rows"].as_array().expect("rows").iter().enumerate();
    rows.filter(|(_, row)| row.as_array().expect("cells").iter().any(is_struck))
        .map(|(row, _)| row)
        .collect()
}

async fn history(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let world = World::new().await;
    let seller = world.seller();
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    let mut hands = Hands {
        spreadsheet,
        title: PRODUCTS.to_owned(),
        own: BTreeSet::new(),
        made: 0,
        listed: BTreeSet::new(),
        known: BTreeSet::new(),
    };
    act(&world, seller, &mut hands, &Step::List(0)).await;
    for step in &steps {
        act(&world, seller, &mut hands, step).await;
    }
    settle(&world, seller).await?;
    check(&world, seller, &hands).await
}

#[test]
fn whatever_happens_the_sheet_ends_as_the_read_model_and_the_seller_keeps_everything() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    });
    let steps = prop::collection::vec(step(), 5..40);
    if let Err(error) = runner.run(&steps, |steps| runtime.block_on(history(steps))) {
        panic!("{error}");
    }
}

#[tokio::test]
async fn a_row_that_was_struck_by_an_unrecorded_batch_is_restored_when_its_product_comes_back() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let hands = Hands {
        spreadsheet,
        title: PRODUCTS.to_owned(),
        own: BTreeSet::new(),
        made: 0,
        listed: BTreeSet::new(),
        known: BTreeSet::new(),
    };
    world.google.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .times(1),
    );
    world.delist(seller, 111_111).await;
    assert_eq!(world.round().await.failed, 1);
    assert_eq!(struck(&world, &hands), BTreeSet::from([2]));
    relist(&world, seller, 111_111).await;
    world.clock.advance(TimeDelta::seconds(300));
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(struck(&world, &hands), BTreeSet::new());
}
