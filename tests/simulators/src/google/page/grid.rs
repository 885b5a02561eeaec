//! The table itself: formats, merges, borders, frozen parts and notes of a sheet as HTML.

use serde_json::Value;

use super::escape;
use crate::google::a1::column_letters;
use crate::google::formula::{Shown, effective};
use crate::google::model::{Cell, DEFAULT_HEIGHT, DEFAULT_WIDTH, Rect, Sheet, Spreadsheet};
use crate::google::ranges::GridRange;
use crate::google::render::formatted;

/// Pixels of the column with row numbers and of the row with letters.
const SIDE: u32 = 46;
const HEAD: u32 = 24;
/// Wider sheets are cut here.
const COLUMNS: usize = 600;

struct View<'a> {
    book: &'a Spreadsheet,
    at: usize,
    sheet: &'a Sheet,
    rows: Vec<usize>,
    columns: Vec<usize>,
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

/// The sheet's first `limit` rows as a table.
pub(super) fn table(book: &Spreadsheet, at: usize, limit: usize) -> String {
    let Some(sheet) = book.sheets.get(at) else {
        return String::new();
    };
    let view = View::new(book, at, sheet, limit);
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
    for &row in &view.rows {
        view.row(&mut out, row);
    }
    out.push_str("</tbody></table>");
    out
}

impl<'a> View<'a> {
    fn new(book: &'a Spreadsheet, at: usize, sheet: &'a Sheet, limit: usize) -> Self {
        let last = sheet.row_count.min(limit).min((sheet.used_rows() + 20).max(40));
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
        for &column in &self.columns {
            let merge = self.sheet.merges.iter().find(|merge| {
                (merge.top..merge.bottom).contains(&row) && (merge.left..merge.right).contains(&column)
            });
            let area = match merge {
                Some(merge) if (merge.top, merge.left) != (row, column) => continue,
                Some(merge) => *merge,
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
        if !class.is_empty() {
            out.push_str(&format!(" class=\"{}\"", class.join(" ")));
        }
        let columns = self
            .columns
            .iter()
            .filter(|&&at| (area.left..area.right).contains(&at))
            .count();
        let rows = self
            .rows
            .iter()
            .filter(|&&at| (area.top..area.bottom).contains(&at))
            .count();
        for (name, count) in [("colspan", columns), ("rowspan", rows)] {
            if count > 1 {
                out.push_str(&format!(" {name}=\"{count}\""));
            }
        }
        if let Some(note) = note {
            out.push_str(&format!(" title=\"{}\"", escape(note)));
        }
        if !style.is_empty() {
            out.push_str(&format!(" style=\"{style}\""));
        }
        let tall: u32 = (area.top..area.bottom).map(|row| self.height(row)).sum();
        if text.is_empty() {
            out.push_str("></td>");
        } else {
            out.push_str(&format!(
                "><div style=\"max-height:{tall}px\">{}</div></td>",
                escape(&text)
            ));
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
            style.push_str(&format!("background:{colour};"));
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
