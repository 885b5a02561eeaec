//! Cell formats and borders in the API's shape, and the few looks the layout uses (the original's colours and
//! sizes).

use serde::Serialize;

use crate::view::Level;

/// `Color`, components from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct Rgb {
    pub red: f64,
    pub green: f64,
    pub blue: f64,
}

impl Rgb {
    pub(crate) const HEADER: Self = Self {
        red: 0.4,
        green: 0.49,
        blue: 0.92,
    };
    const WHITE: Self = Self::grey(1.0);
    const RED: Self = Self {
        red: 1.0,
        green: 0.8,
        blue: 0.8,
    };
    const YELLOW: Self = Self {
        red: 1.0,
        green: 0.95,
        blue: 0.7,
    };

    /// The background of a level; none for one that is not coloured.
    pub(crate) const fn of_level(level: Level) -> Option<Self> {
        match level {
            Level::Enough => None,
            Level::Low => Some(Self::YELLOW),
            Level::Out => Some(Self::RED),
        }
    }

    pub(crate) const fn grey(level: f64) -> Self {
        Self {
            red: level,
            green: level,
            blue: level,
        }
    }
}

/// `ColorStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct ColorStyle {
    pub rgb_color: Rgb,
}

/// `TextFormat`; an absent member is cleared or left, as the request's `fields` says.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct TextFormat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground_color_style: Option<ColorStyle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bold: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strikethrough: Option<bool>,
}

/// `NumberFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct NumberFormat {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub pattern: &'static str,
}

impl NumberFormat {
    pub(crate) const fn number(pattern: &'static str) -> Self {
        Self {
            kind: "NUMBER",
            pattern,
        }
    }
}

/// `CellFormat`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct CellFormat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_format: Option<NumberFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_color_style: Option<ColorStyle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizontal_alignment: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical_alignment: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrap_strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_format: Option<TextFormat>,
}

impl CellFormat {
    /// Header cells: white bold text of size 10 on blue, centred both ways, wrapped.
    #[must_use]
    pub fn header() -> Self {
        Self {
            number_format: None,
            background_color_style: Some(ColorStyle {
                rgb_color: Rgb::HEADER,
            }),
            horizontal_alignment: Some("CENTER"),
            vertical_alignment: Some("MIDDLE"),
            wrap_strategy: Some("WRAP"),
            text_format: Some(TextFormat {
                foreground_color_style: Some(ColorStyle {
                    rgb_color: Rgb::WHITE,
                }),
                font_size: Some(10),
                bold: Some(true),
                strikethrough: None,
            }),
        }
    }

    /// Product cells: identity at the left, numbers centred.
    #[must_use]
    pub fn data(identity: bool) -> Self {
        Self {
            horizontal_alignment: Some(if identity { "LEFT" } else { "CENTER" }),
            vertical_alignment: Some("MIDDLE"),
            ..Self::default()
        }
    }

    /// The background of a level.
    #[must_use]
    pub fn level(level: Level) -> Self {
        Self {
            background_color_style: Rgb::of_level(level).map(|rgb_color| ColorStyle { rgb_color }),
            ..Self::default()
        }
    }

    /// The mark of a delisted product.
    #[must_use]
    pub fn struck(struck: bool) -> Self {
        let text_format = TextFormat {
            strikethrough: Some(struck),
            ..TextFormat::default()
        };
        Self {
            text_format: Some(text_format),
            ..Self::default()
        }
    }
}

/// `Border`. The API derives the width from the style (1 and 3 pixels).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "field names and meanings are the API's own")]
pub struct Border {
    pub style: BorderStyle,
    pub color_style: ColorStyle,
}

/// `Style` of a border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BorderStyle {
    /// One pixel.
    Solid,
    /// Three pixels.
    SolidThick,
}

impl Border {
    /// The grid between all cells.
    pub const THIN: Self = Self {
        style: BorderStyle::Solid,
        color_style: ColorStyle {
            rgb_color: Rgb::grey(0.8),
        },
    };
    /// The lines under the header and between groups.
    pub const THICK: Self = Self {
        style: BorderStyle::SolidThick,
        color_style: ColorStyle {
            rgb_color: Rgb::grey(0.2),
        },
    };
}
