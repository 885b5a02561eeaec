//! The table itself: formats, merges, borders, frozen parts and notes of a sheet as HTML.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use crate::google::a1::column_letters;
use crate::google::formula::{Shown, effective};
use crate::google::model::{Cell, DEFAULT_HEIGHT, DEFAULT_WIDTH, Rect, Sheet, Spreadsheet};
use crate::google::ranges::GridRange;
use crate::google::render::formatted;
use crate::text::escape;

/// Pixels of the column with row numbers and of the row with letters.
const SIDE: u32 = 46;
const HEAD: u32 = 24;
/// Wider sheets are cut here.
const COLUMNS: usize = 600;
/// Rows drawn above the first one that is looked at, so that scrolling up shows something at once.
const MARGIN: usize = 40;

/// Where the look falls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// Pixels of rows that are scrolled away under the frozen ones.
    Pixels(u32),
    /// A row, counted from 0.
    Row(usize),
}

/// The drawn part of a sheet. Rows that are not drawn leave a gap of their height, so that the scroll bar is
/// that of the whole sheet.
pub(super) struct Part {
    pub(super) html: String,
    /// Rows below the frozen ones that are drawn, counted from 0; their number in all.
    pub(super) rows: (usize, usize),
    pub(super) all: usize,
    /// Pixels below the frozen rows: where the look falls, where the drawn part begins and ends, all.
    pub(super) pixels: [u32; 4],
}

struct View<'a> {
    book: &'a Spreadsheet,
    at: usize,
    sheet: &'a Sheet,
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// Every style once; cells name theirs by number.
    styles: RefCell<HashMap<String, usize>>,
    /// Distance of every frozen row from the top, of every frozen column from the left.
    tops: Vec<u32>,
    lefts: Vec<u32>,
    rules: Vec<Rule<'a>>,
}

struct Rule<'a> {
    areas: Vec<Rect>,
    kind: &'a str,
    values: Vec<&'a str>,
    format: &'a Value,
}

/// At most `count` of the sheet's rows, and the frozen ones, as a table.
pub(super) fn table(book: &Spreadsheet, at: usize, start: Start, count: usize) -> Part {
    let Some(sheet) = book.sheets.get(at) else {
        return Part {
            html: String::new(),
            rows: (0, 0),
            all: 0,
            pixels: [0; 4],
        };
    };
    let mut view = View::new(book, at, sheet);
    let body: Vec<usize> = (view.rows.iter().copied())
        .filter(|row| *row >= sheet.frozen_rows)
        .collect();
    let height = |rows: &[usize]| -> u32 { rows.iter().map(|row| view.height(*row)).sum() };
    let seen = match start {
        Start::Row(row) => body.partition_point(|drawn| *drawn < row),
        Start::Pixels(pixels) => {
            let mut above = 0;
            let reached = body.iter().position(|row| {
                above += view.height(*row);
                above > pixels
            });
            reached.unwrap_or(body.len())
        }
    };
    let from = seen.saturating_sub(MARGIN).min(body.len().saturating_sub(count));
    let to = (from + count).min(body.len());
    let top = height(&body[..from]);
    let bottom = top + height(&body[from..to]);
    let pixels = [height(&body[..seen]), top, bottom, height(&body)];
    view.rows
        .retain(|row| *row < sheet.frozen_rows || body[from..to].contains(row));
    Part {
        html: drawn(&view, [top, pixels[3] - bottom]),
        rows: (
            body.get(from).copied().unwrap_or_default(),
            body[from..to].last().map_or(0, |row| row + 1),
        ),
        all: sheet.row_count,
        pixels,
    }
}

/// The table with gaps of so many pixels above and below the rows that scroll.
fn drawn(view: &View<'_>, gaps: [u32; 2]) -> String {
    let gap = |out: &mut String, pixels: u32| {
        if pixels > 0 {
            out.push_str(&format!("<tr class=\"gap\" style=\"height:{pixels}px\"></tr>"));
        }
    };
    let mut out = String::from("<table><colgroup>");
    out.push_str(&format!("<col style=\"width:{SIDE}px\">"));
    for &column in &view.columns {
        out.push_str(&format!("<col style=\"width:{}px\">", view.width(column)));
    }
    let width: u32 = SIDE + view.columns.iter().map(|&column| view.width(column)).sum::<u32>();
    out = out.replacen("<table>", &format!("<table style=\"width:{width}px\">"), 1);
    out.push_str("</colgroup><thead><tr><th></th>");
    for &column in &view.columns {
        let frozen = view
            .lefts
            .get(column)
            .map(|left| format!(" style=\"left:{left}px;z-index:5\""));
        out.push_str(&format!(
            "<th{}>{}</th>",
            frozen.unwrap_or_default(),
            column_letters(column)
        ));
    }
    out.push_str("</tr></thead><tbody>");
    let frozen = view.rows.partition_point(|row| *row < view.sheet.frozen_rows);
    for &row in &view.rows[..frozen] {
        view.row(&mut out, row);
    }
    gap(&mut out, gaps[0]);
    for &row in &view.rows[frozen..] {
        view.row(&mut out, row);
    }
    gap(&mut out, gaps[1]);
    out.push_str("</tbody></table>");
    let mut styles = String::from("<style>");
    for (style, number) in view.styles.borrow().iter() {
        styles.push_str(&format!(".s{number}{{{style}}}"));
    }
    styles.push_str("</style>");
    styles + &out
}

impl<'a> View<'a> {
    fn new(book: &'a Spreadsheet, at: usize, sheet: &'a Sheet) -> Self {
        let last = sheet.row_count.min((sheet.used_rows() + 20).max(40));
        let wide = sheet.column_count.min(COLUMNS);
        let visible = |sizes: &[crate::google::model::Dimension], count: usize| -> Vec<usize> {
            (0..count)
                .filter(|&index| !sizes.get(index).is_some_and(|size| size.hidden))
                .collect()
        };
        let mut view = Self {
            book,
            at,
            sheet,
            rows: visible(&sheet.row_sizes, last),
            columns: visible(&sheet.column_sizes, wide),
            styles: RefCell::default(),
            tops: Vec::new(),
            lefts: Vec::new(),
            rules: sheet
                .conditional
                .iter()
                .filter_map(|rule| read_rule(book, rule))
                .collect(),
        };
        let (mut top, mut left) = (HEAD, SIDE);
        for row in 0..sheet.frozen_rows {
            view.tops.push(top);
            top += if view.rows.contains(&row) {
                view.height(row)
            } else {
                0
            };
        }
        for column in 0..sheet.frozen_columns {
            view.lefts.push(left);
            left += if view.columns.contains(&column) {
                view.width(column)
            } else {
                0
            };
        }
        view
    }

    fn width(&self, column: usize) -> u32 {
        self.sheet
            .column_sizes
            .get(column)
            .and_then(|size| size.pixels)
            .unwrap_or(DEFAULT_WIDTH)
    }

    fn height(&self, row: usize) -> u32 {
        self.sheet
            .row_sizes
            .get(row)
            .and_then(|size| size.pixels)
            .unwrap_or(DEFAULT_HEIGHT)
    }

    fn format(&self, row: usize, column: usize) -> Option<&Value> {
        self.sheet
            .cell(row, column)
            .and_then(|cell| self.book.formats.get(cell.format))
    }

    fn row(&self, out: &mut String, row: usize) {
        let class = match self.tops.len() {
            frozen if row + 1 == frozen => " class=\"f last-frozen\"",
            frozen if row < frozen => " class=\"f\"",
            _ => "",
        };
        out.push_str(&format!("<tr{class} style=\"height:{}px\">", self.height(row)));
        let top = self.tops.get(row).map(|top| format!(" style=\"top:{top}px\""));
        out.push_str(&format!("<th{}>{}</th>", top.unwrap_or_default(), row + 1));
        let merges = self.sheet.merges.iter();
        let merges: Vec<&Rect> = merges
            .filter(|merge| (merge.top..merge.bottom).contains(&row))
            .collect();
        for &column in &self.columns {
            let merge = merges
                .iter()
                .find(|merge| (merge.left..merge.right).contains(&column));
            let area = match merge {
                // The first of its cells that is drawn stands for all of them.
                Some(merge) if self.first(merge) != (Some(row), Some(column)) => continue,
                Some(merge) => **merge,
                None => Rect {
                    top: row,
                    left: column,
                    bottom: row + 1,
                    right: column + 1,
                },
            };
            self.cell(out, area);
        }
        out.push_str("</tr>");
    }

    fn first(&self, merge: &Rect) -> (Option<usize>, Option<usize>) {
        let first = |drawn: &[usize], from: usize| {
            let at = drawn.partition_point(|index| *index < from);
            drawn.get(at).copied()
        };
        (first(&self.rows, merge.top), first(&self.columns, merge.left))
    }

    fn cell(&self, out: &mut String, area: Rect) {
        let (row, column) = (area.top, area.left);
        let cell = self.sheet.cell(row, column);
        let shown = effective(self.book, self.at, row, column);
        let text = cell.map_or_else(String::new, |cell: &Cell| formatted(self.book, cell, &shown));
        let (mut style, mut class) = (self.style(area, &shown), Vec::new());
        let (top, left) = (self.tops.get(row), self.lefts.get(column));
        if let Some(top) = top {
            style.push_str(&format!("top:{top}px;"));
        }
        if let Some(left) = left {
            style.push_str(&format!("left:{left}px;"));
        }
        match (top, left) {
            (Some(_), Some(_)) => class.push("zz"),
            (None, None) => {}
            _ => class.push("z"),
        }
        let wrap = self
            .format(row, column)
            .and_then(|format| format.get("wrapStrategy"))
            .and_then(Value::as_str);
        if wrap == Some("WRAP") {
            class.push("w");
        }
        if area.right == self.lefts.len() {
            class.push("fc");
        }
        let note = cell.and_then(|cell| cell.note.as_deref());
        out.push_str("<td");
        if note.is_some() {
            class.push("n");
        }
        let named = (!style.is_empty()).then(|| {
            let mut styles = self.styles.borrow_mut();
            let next = styles.len();
            format!("s{}", styles.entry(style).or_insert(next))
        });
        class.extend(named.as_deref());
        if !class.is_empty() {
            out.push_str(&format!(" class=\"{}\"", class.join(" ")));
        }
        if area.cells() > 1 {
            let count = |drawn: &[usize], from: usize, to: usize| {
                drawn.partition_point(|index| *index < to) - drawn.partition_point(|index| *index < from)
            };
            let columns = count(&self.columns, area.left, area.right);
            let rows = count(&self.rows, area.top, area.bottom);
            for (name, count) in [("colspan", columns), ("rowspan", rows)] {
                if count > 1 {
                    out.push_str(&format!(" {name}=\"{count}\""));
                }
            }
        }
        if let Some(note) = note {
            out.push_str(&format!(" title=\"{}\"", escape(note)));
        }
        let tall: u32 = (area.top..area.bottom).map(|row| self.height(row)).sum();
        match (text.is_empty(), tall) {
            (true, _) => out.push_str("></td>"),
            (false, DEFAULT_HEIGHT) => out.push_str(&format!("><div>{}</div></td>", escape(&text))),
            (false, _) => out.push_str(&format!(
                "><div style=\"max-height:{tall}px\">{}</div></td>",
                escape(&text)
            )),
        }
    }

    fn style(&self, area: Rect, shown: &Shown) -> String {
        let (row, column) = (area.top, area.left);
        let mut style = String::new();
        let own = self.format(row, column);
        let ruled = self
            .rules
            .iter()
            .find(|rule| rule.hits(row, column, shown))
            .map(|rule| rule.format);
        let field = |name: &str| {
            ruled
                .and_then(|f| f.get(name))
                .or_else(|| own.and_then(|f| f.get(name)))
        };
        if let Some(colour) = colour(ruled, "backgroundColor").or_else(|| colour(own, "backgroundColor")) {
            // More telling than the rule for all cells.
            style.push_str(&format!("background:{colour}!important;"));
        }
        let own_text = own.and_then(|format| format.get("textFormat"));
        let text = field("textFormat");
        if let Some(colour) = colour(text, "foregroundColor").or_else(|| colour(own_text, "foregroundColor"))
        {
            style.push_str(&format!("color:{colour};"));
        }
        let flag = |name: &str| text.and_then(|text| text.get(name)).and_then(Value::as_bool) == Some(true);
        for (name, css) in [
            ("bold", "font-weight:700;"),
            ("italic", "font-style:italic;"),
            ("underline", "text-decoration:underline;"),
            ("strikethrough", "text-decoration:line-through;"),
        ] {
            if flag(name) {
                style.push_str(css);
            }
        }
        if let Some(size) = own_text
            .and_then(|text| text.get("fontSize"))
            .and_then(Value::as_f64)
        {
            style.push_str(&format!("font-size:{size}pt;"));
        }
        let aligned = own
            .and_then(|format| format.get("horizontalAlignment"))
            .and_then(Value::as_str);
        match (aligned, shown) {
            (Some("CENTER"), _) | (None, Shown::Bool(_) | Shown::Error(_)) => {
                style.push_str("text-align:center;");
            }
            (Some("RIGHT"), _) | (None, Shown::Number(_)) => style.push_str("text-align:right;"),
            _ => {}
        }
        match own
            .and_then(|format| format.get("verticalAlignment"))
            .and_then(Value::as_str)
        {
            Some("TOP") => style.push_str("vertical-align:top;"),
            Some("MIDDLE") => style.push_str("vertical-align:middle;"),
            _ => {}
        }
        // A line between two cells belongs to both; it is drawn once, by the upper or left one.
        let right = self
            .border(row, area.right - 1, "right")
            .or_else(|| self.border(row, area.right, "left"));
        let bottom = self
            .border(area.bottom - 1, column, "bottom")
            .or_else(|| self.border(area.bottom, column, "top"));
        for (side, border) in [("right", right), ("bottom", bottom)] {
            if let Some(border) = border {
                style.push_str(&format!("border-{side}:{border};"));
            }
        }
        style
    }

    fn border(&self, row: usize, column: usize, side: &str) -> Option<String> {
        let border = self.format(row, column)?.get("borders")?.get(side)?;
        let line = match border.get("style")?.as_str()? {
            "SOLID" => "1px solid",
            "SOLID_MEDIUM" => "2px solid",
            "SOLID_THICK" => "3px solid",
            "DASHED" => "1px dashed",
            "DOTTED" => "1px dotted",
            "DOUBLE" => "3px double",
            _ => return None,
        };
        Some(format!(
            "{line} {}",
            colour(Some(border), "color").unwrap_or_else(|| "#000".to_owned())
        ))
    }
}

/// A colour under its new or its old name, as `rgb(…)`.
fn colour(format: Option<&Value>, name: &str) -> Option<String> {
    let format = format?;
    let style = format
        .get(format!("{name}Style"))
        .and_then(|style| style.get("rgbColor"));
    let rgb = style.or_else(|| format.get(name))?;
    let part = |name: &str| (rgb.get(name).and_then(Value::as_f64).unwrap_or(0.0) * 255.0).round() as u8;
    Some(format!("rgb({},{},{})", part("red"), part("green"), part("blue")))
}

fn read_rule<'a>(book: &Spreadsheet, rule: &'a Value) -> Option<Rule<'a>> {
    use serde::Deserialize;
    let condition = rule.get("booleanRule")?.get("condition")?;
    let areas = rule
        .get("ranges")?
        .as_array()?
        .iter()
        .filter_map(|range| {
            GridRange::deserialize(range)
                .ok()?
                .resolve(book)
                .ok()
                .map(|(_, rect)| rect)
        })
        .collect();
    let values = condition
        .get("values")
        .and_then(Value::as_array)
        .map(|values| {
            values
                .iter()
                .filter_map(|value| value.get("userEnteredValue")?.as_str())
                .collect()
        })
        .unwrap_or_default();
    let format = rule.get("booleanRule")?.get("format")?;
    Some(Rule {
        areas,
        kind: condition.get("type")?.as_str()?,
        values,
        format,
    })
}

impl Rule<'_> {
    fn hits(&self, row: usize, column: usize, shown: &Shown) -> bool {
        let here = Rect {
            top: row,
            left: column,
            bottom: row + 1,
            right: column + 1,
        };
        self.areas.iter().any(|area| area.contains(&here)) && self.holds(shown)
    }

    fn holds(&self, shown: &Shown) -> bool {
        let bound = |at: usize| self.values.get(at).and_then(|text| text.parse::<f64>().ok());
        let (first, second) = (bound(0), bound(1));
        match (self.kind, shown) {
            ("BLANK", shown) => *shown == Shown::Blank,
            ("NOT_BLANK", shown) => *shown != Shown::Blank,
            ("TEXT_CONTAINS", Shown::Text(text)) => {
                self.values.first().is_some_and(|part| text.contains(part))
            }
            ("TEXT_EQ", Shown::Text(text)) => self.values.first() == Some(&text.as_str()),
            ("NUMBER_LESS", Shown::Number(value)) => first.is_some_and(|bound| *value < bound),
            ("NUMBER_LESS_THAN_EQ", Shown::Number(value)) => first.is_some_and(|bound| *value <= bound),
            ("NUMBER_GREATER", Shown::Number(value)) => first.is_some_and(|bound| *value > bound),
            ("NUMBER_GREATER_THAN_EQ", Shown::Number(value)) => first.is_some_and(|bound| *value >= bound),
            ("NUMBER_EQ", Shown::Number(value)) => first == Some(*value),
            ("NUMBER_BETWEEN", Shown::Number(value)) => first
                .zip(second)
                .is_some_and(|(low, high)| (low..=high).contains(value)),
            _ => false,
        }
    }
}
