//! What Google's refusals of a batch mean. A 400 has one status and one reason for everything, so only its
//! words tell; those that are known are in the test below, with where they were seen.

use sheet_layout::Decoration;

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// The border of frozen rows or columns.
    Frozen,
    /// A Table, whose columns have types and whose titles are unique.
    Table,
    /// A range or worksheet that is protected from us.
    Protected,
    /// Merged cells.
    Merged,
    /// A filter.
    Filter,
    /// Alternating colours.
    Banding,
    /// A rule for what may be in a cell.
    Validation,
    /// The room for names of columns.
    Metadata,
    /// The room for cells.
    Cells,
    /// The owner's storage.
    Storage,
    /// Something else.
    Other,
}

/// Words by which a refusal is known, in the order in which they are looked for: a text about merging frozen
/// columns is about frozen columns.
const WORDS: [(Refusal, &[&str]); 11] = [
    (
        Refusal::Protected,
        &["protected cell", "protected range", "protected sheet"],
    ),
    (
        Refusal::Cells,
        &["above the limit of", "number of cells in the workbook"],
    ),
    (Refusal::Storage, &["storage quota"]),
    (Refusal::Metadata, &["developer metadata", "developermetadata"]),
    (Refusal::Merged, &["part of a merged"]),
    (Refusal::Frozen, &["frozen", "freeze"]),
    (Refusal::Table, &["typed column", "table"]),
    (Refusal::Validation, &["data validation"]),
    (
        Refusal::Banding,
        &["alternating background", "alternating color", "banding", "banded"],
    ),
    (Refusal::Filter, &["filter"]),
    (Refusal::Merged, &["merge"]),
];

impl Refusal {
    /// By Google's words.
    pub(crate) fn of(detail: &str) -> Self {
        // `Invalid requests[3].mergeCells: …`: the request's own name says nothing about the reason.
        let reason = method(detail)
            .and_then(|method| detail.split_once(method))
            .map_or(detail, |(_, reason)| reason)
            .to_lowercase();
        let known = WORDS
            .iter()
            .find(|(_, words)| words.iter().any(|word| reason.contains(word)));
        match (known, method(detail)) {
            (Some((refusal, _)), _) => *refusal,
            (None, Some("createDeveloperMetadata" | "updateDeveloperMetadata")) => Self::Metadata,
            (None, _) => Self::Other,
        }
    }

    /// In one word, for the state and for metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Table => "table",
            Self::Protected => "protected",
            Self::Merged => "merged",
            Self::Filter => "filter",
            Self::Banding => "banding",
            Self::Validation => "validation",
            Self::Metadata => "metadata_full",
            Self::Cells => "too_large",
            Self::Storage => "storage_full",
            Self::Other => "refused",
        }
    }

    /// What is in the way and what to do, in Russian and English. `detail` are Google's words, `email` is the
    /// account that writes.
    pub(crate) fn advice(self, detail: &str, email: &str) -> (String, String) {
        let both = |russian: &str, english: &str| (russian.to_owned(), english.to_owned());
        match self {
            Self::Frozen => both(
                "закреплённые строки или столбцы: Вид → Закрепить → уменьшите число закреплённых или снимите \
                 закрепление",
                "frozen rows or columns: View → Freeze → freeze fewer of them or none",
            ),
            Self::Table => both(
                "таблица Google с типами столбцов: откройте меню таблицы → Преобразовать в диапазон, или снимите \
                 типы у её столбцов",
                "a Google table with typed columns: open the table's menu → Convert to unformatted data, or remove the \
                 types of its columns",
            ),
            Self::Protected => protected("", email),
            Self::Merged => both(
                "объединённые ячейки: Формат → Объединить ячейки → Отменить объединение",
                "merged cells: Format → Merge cells → Unmerge",
            ),
            Self::Filter => both(
                "фильтр: Данные → Удалить фильтр; личный фильтр (представление) не мешает",
                "a filter: Data → Remove filter; a filter view of your own is not in the way",
            ),
            Self::Banding => both(
                "чередование цветов: Формат → Чередование цветов → Отменить чередование цветов",
                "alternating colours: Format → Alternating colours → Remove alternating colours",
            ),
            Self::Validation => both(
                "проверка данных: Данные → Проверка данных → удалите правила для столбцов сервиса",
                "data validation: Data → Data validation → remove the rules on the service's columns",
            ),
            Self::Metadata => both(
                "у листа кончилось место для меток столбцов (30 000 знаков): удалите столбцы складов, которых больше \
                 нет, или выберите меньше кабинетов",
                "the worksheet has no room left for the names of columns (30,000 characters); delete columns of \
                 warehouses that are gone or choose fewer cabinets",
            ),
            Self::Cells => both(
                "в таблице больше 10 млн ячеек: удалите лишние листы или выберите меньше кабинетов",
                "the spreadsheet would have more than 10 million cells; delete other worksheets or choose fewer \
                 cabinets",
            ),
            Self::Storage => (
                format!(
                    "для таблицы нет места: у сервисных аккаунтов нет своего диска. Освободите место владельца \
                     таблицы или создайте таблицу сами и откройте к ней доступ {email} как редактору"
                ),
                format!(
                    "there is no storage for the spreadsheet: service accounts own none. Free some of its owner's, or \
                     make a spreadsheet yourself and share it with {email} as Editor"
                ),
            ),
            Self::Other => (
                format!("Google отклонил изменение: «{detail}»"),
                format!("Google refused the change: “{detail}”"),
            ),
        }
    }
}

/// Protected ranges, in Russian and English; `ranges` are their names, where they are known.
pub(crate) fn protected(ranges: &str, email: &str) -> (String, String) {
    let named = if ranges.is_empty() {
        String::new()
    } else {
        format!(": {ranges}")
    };
    (
        format!(
            "защищённые диапазоны мешают записи{named}. Данные → Защищённые листы и диапазоны → выберите диапазон → \
             Изменить разрешения → добавьте {email}"
        ),
        format!(
            "protected ranges are in the way{named}. Data → Protect sheets and ranges → choose the range → Change \
             permissions → add {email}"
        ),
    )
}

/// Which request Google names: `Invalid requests[3].mergeCells: …`.
fn method(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once("requests[")?;
    let (_, rest) = rest.split_once("].")?;
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    rest.get(..end).filter(|method| !method.is_empty())
}

/// The decorations that a refused batch may have failed by: the named one, or all where none is named. Empty
/// where it certainly failed by something else.
pub(crate) fn decorations(detail: &str) -> Vec<Decoration> {
    match (method(detail), Refusal::of(detail)) {
        (_, Refusal::Cells | Refusal::Storage | Refusal::Metadata) => Vec::new(),
        (None, _) => Decoration::ALL.to_vec(),
        (Some("mergeCells"), _) => vec![Decoration::Merge],
        (Some("updateSheetProperties"), _) => vec![Decoration::Freeze],
        (Some("repeatCell"), _) => vec![Decoration::Format],
        (Some("updateBorders"), _) => vec![Decoration::Border],
        (Some("updateDimensionProperties"), _) => vec![Decoration::Size],
        // Notes, or values: then the values fail again without them.
        (Some("updateCells"), _) => vec![Decoration::Note],
        (Some(_), _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Refusal, decorations};
    use sheet_layout::Decoration;

    #[test]
    fn every_known_text_of_google_is_recognised() {
        for (detail, refusal) in [
            // Quoted by several public projects from live use, of mergeCells; the other two likewise for rows
            // and of insertions beside a wide frozen area (google-api-javascript-client #155).
            (
                "Invalid requests[4].mergeCells: You can't merge frozen and non-frozen columns.",
                Refusal::Frozen,
            ),
            (
                "Invalid requests[0].mergeCells: You can't merge frozen and non-frozen rows.",
                Refusal::Frozen,
            ),
            (
                "Invalid requests[1].insertDimension: You can't insert a column here right now. Try dragging the \
                 freeze bar to the left, then insert the column.",
                Refusal::Frozen,
            ),
            // node-google-spreadsheet #528 and #186.
            ("You can't freeze all visible rows on the sheet.", Refusal::Frozen),
            (
                "Invalid requests[0].deleteDimension: Sorry, it is not possible to delete all non-frozen rows.",
                Refusal::Frozen,
            ),
            // Quoted by many public projects, of setDataValidation and of formats.
            (
                "Invalid requests[7].repeatCell: This operation is not allowed on cells in typed columns.",
                Refusal::Table,
            ),
            // Google's words for titles and merges in a Table are not known; a simulator's are recognised.
            (
                "Invalid requests[3].updateCells: Column names in a table must be unique.",
                Refusal::Table,
            ),
            (
                "Invalid requests[2].mergeCells: You can't merge cells in a table.",
                Refusal::Table,
            ),
            // gspread and pygsheets issues, of a range closed to the account.
            (
                "Invalid requests[0].updateCells: You are trying to edit a protected cell or object. Please contact \
                 the spreadsheet owner to remove protection if you need to edit.",
                Refusal::Protected,
            ),
            // Quoted in public issues of libraries, of mergeCells and unmergeCells over a part of a merge.
            (
                "Invalid requests[0].unmergeCells: You must select all cells in a merged range to merge or unmerge \
                 them.",
                Refusal::Merged,
            ),
            ("You can't move part of a merged range.", Refusal::Merged),
            // What the interface says when rows are frozen through a merge.
            (
                "Invalid requests[1].updateSheetProperties: You can't freeze columns or rows which contain only part \
                 of a merged cell.",
                Refusal::Merged,
            ),
            // No public quotation was found; the word is what every text about it would have.
            (
                "Invalid requests[5].mergeCells: This operation is not allowed on a filtered range.",
                Refusal::Filter,
            ),
            // Quoted by many public projects, of addBanding.
            (
                "Invalid requests[9].addBanding: You cannot add alternating background colors to a range that \
                 already has alternating background colors.",
                Refusal::Banding,
            ),
            // What the interface shows and scripts throw.
            (
                "The data you entered in cell B2 violates the data validation rules set on this cell.",
                Refusal::Validation,
            ),
            // Google documents the limit and not the words.
            (
                "Invalid requests[40].createDeveloperMetadata: Developer metadata exceeds the limit of 30000 \
                 characters.",
                Refusal::Metadata,
            ),
            (
                "Invalid requests[40].createDeveloperMetadata: Quota exceeded.",
                Refusal::Metadata,
            ),
            // pygsheets #589, gspread #950.
            (
                "Invalid requests[0].insertDimension: This action would increase the number of cells in the workbook \
                 above the limit of 10000000 cells.",
                Refusal::Cells,
            ),
            // apache/opendal #4071.
            (
                "The user's Drive storage quota has been exceeded.",
                Refusal::Storage,
            ),
            (
                "Invalid requests[2].repeatCell: Internal surprise.",
                Refusal::Other,
            ),
            ("Request contains an invalid argument.", Refusal::Other),
        ] {
            assert_eq!(Refusal::of(detail), refusal, "{detail}");
        }
    }

    #[test]
    fn an_unknown_text_is_quoted_and_known_ones_say_what_to_do() {
        let (russian, english) = Refusal::Other.advice("Internal surprise.", "robot@x");
        assert_eq!(russian, "Google отклонил изменение: «Internal surprise.»");
        assert_eq!(english, "Google refused the change: “Internal surprise.”");
        let (russian, english) = Refusal::Frozen.advice("…", "robot@x");
        assert!(russian.contains("Вид → Закрепить") && english.contains("View → Freeze"));
        assert!(!russian.contains("robot@x"));
    }

    #[test]
    fn the_named_request_tells_which_decoration_failed() {
        let of = |detail| decorations(detail);
        assert_eq!(
            of("Invalid requests[3].mergeCells: You can't merge frozen and non-frozen columns."),
            [Decoration::Merge]
        );
        assert_eq!(
            of("Invalid requests[3].repeatCell: This operation is not allowed on cells in typed columns."),
            [Decoration::Format]
        );
        assert_eq!(of("Request contains an invalid argument."), Decoration::ALL);
        for values in [
            "Invalid requests[0].insertDimension: You can't insert a column here right now. Try dragging the freeze \
             bar to the left, then insert the column.",
            "This action would increase the number of cells in the workbook above the limit of 10000000 cells.",
            "Invalid requests[40].createDeveloperMetadata: Quota exceeded.",
        ] {
            assert_eq!(of(values), [], "{values}");
        }
    }
}
