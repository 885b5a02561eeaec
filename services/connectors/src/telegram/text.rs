//! Texts in Telegram's HTML parse mode: escaping what people wrote, measuring, and cutting what is too long
//! into messages that each stand alone. Pure.
//!
//! A length counts as Telegram counts it: UTF-16 code units of the text that is left after tags and entities
//! (core.telegram.org/bots/api#sendmessage: 1 to 4096 characters after entities parsing).

/// Longest text of a message, in UTF-16 code units after entities parsing.
pub const TEXT: usize = 4096;
/// Longest caption of a document or photo.
pub const CAPTION: usize = 1024;
/// Longest text of the notice that answers a pressed button, in UTF-16 code units; it has no markup.
pub const NOTICE: usize = 200;
/// Longest data of a button, in bytes.
pub const BUTTON_DATA: usize = 64;

/// The text with everything harmless that HTML gives a meaning to; also for the value of an attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// What a reader sees of a text: without tags, and with entities as the characters they stand for.
#[must_use]
pub fn plain(html: &str) -> String {
    pieces(html)
        .filter_map(|piece| match piece {
            Piece::Char { shown, .. } => Some(shown),
            Piece::Open { .. } | Piece::Close { .. } => None,
        })
        .collect()
}

/// Length of a text as Telegram counts it.
#[must_use]
pub fn units(html: &str) -> usize {
    plain(html).encode_utf16().count()
}

/// Cuts plain text to so many UTF-16 code units; the last one is `…` where something is missing.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let mut kept: String = text
        .chars()
        .take_while(|c| match left.checked_sub(c.len_utf16()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .collect();
    if most > 0 {
        kept.push('…');
    }
    kept
}

/// Cuts a text into messages of at most `most` UTF-16 code units each, at the border of a line where there
/// is one, else at a blank, else between two characters. Tags that are open at a cut are closed before it
/// and opened again after it. Messages with nothing to read are left out, so that an empty text gives none.
///
/// `most` below 2 counts as 2, so that every character fits.
#[must_use]
pub fn cut(html: &str, most: usize) -> Vec<String> {
    let most = most.max(2);
    let pieces: Vec<Piece<'_>> = pieces(html).collect();
    let mut messages = Vec::new();
    let mut open: Vec<Tag<'_>> = Vec::new();
    let mut rest = pieces.as_slice();
    while !rest.is_empty() {
        let (taken, left) = rest.split_at(length_of_first(rest, most));
        let (message, still_open) = write(&open, taken);
        if !plain(&message).trim().is_empty() {
            messages.push(message);
        }
        open = still_open;
        // The line break at the border is what the cut stands for.
        rest = match left.split_first() {
            Some((Piece::Char { shown: '\n', .. }, after)) => after,
            _ => left,
        };
    }
    messages
}

/// A start tag: its name and how it was written.
#[derive(Debug, Clone, Copy)]
struct Tag<'a> {
    name: &'a str,
    source: &'a str,
}

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    /// One character, or an entity that stands for it.
    Char { shown: char, source: &'a str },
    /// A start tag.
    Open(Tag<'a>),
    /// An end tag of this name.
    Close { name: &'a str },
}

/// Splits a text. Every text has pieces: a `<` that begins no tag is itself, and so is a `&` that begins no
/// entity.
fn pieces(html: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (piece, length) = first_piece(rest)?;
        rest = rest.get(length..).unwrap_or_default();
        Some(piece)
    })
}

fn first_piece(text: &str) -> Option<(Piece<'_>, usize)> {
    let first = text.chars().next()?;
    let special = match first {
        '<' => tag(text),
        '&' => entity(text),
        _ => None,
    };
    Some(special.unwrap_or_else(|| {
        let length = first.len_utf8();
        let source = match first {
            '<' => "&lt;",
            '&' => "&amp;",
            _ => text.get(..length).unwrap_or_default(),
        };
        let piece = Piece::Char { shown: first, source };
        (piece, length)
    }))
}

/// The tag at the beginning of a text, with its length in bytes.
fn tag(text: &str) -> Option<(Piece<'_>, usize)> {
    let length = tag_length(text)?;
    let source = text.get(..length)?;
    let inside = source.get(1..length - 1)?;
    let piece = match inside.strip_prefix('/') {
        Some(name) => Piece::Close { name: name.trim() },
        None => Piece::Open(Tag {
            name: inside
                .split(char::is_whitespace)
                .next()
                .filter(|name| is_name(name))?,
            source,
        }),
    };
    Some((piece, length))
}

/// A `>` inside the value of an attribute ends no tag.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The entity at the beginning of a text. Telegram knows four names and all numbers.
fn entity(text: &str) -> Option<(Piece<'_>, usize)> {
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let shown = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?).filter(|c| *c != '\0')?
        }
    };
    let source = text.get(..=end)?;
    Some((Piece::Char { shown, source }, end + 1))
}

/// How many pieces the first message takes; at least one.
fn length_of_first(pieces: &[Piece<'_>], most: usize) -> usize {
    let mut units = 0;
    let mut line = None;
    let mut blank = None;
    let mut between = None;
    let mut before: Option<char> = None;
    for (at, piece) in pieces.iter().enumerate() {
        let Piece::Char { shown, .. } = piece else {
            continue;
        };
        match shown {
            '\n' => line = Some(at),
            // The blank itself stays with what is before it.
            _ if before == Some(' ') => blank = Some(at),
            _ => {}
        }
        if before.is_some_and(|before| may_part(before, *shown)) {
            between = Some(at);
        }
        units += shown.len_utf16();
        if units > most {
            let border = line.filter(|at| *at > 0).or(blank).or(between);
            return border.unwrap_or(at).max(1);
        }
        before = Some(*shown);
    }
    pieces.len()
}

/// Whether a cut between two characters leaves both readable: marks stay with their letter, and the parts of
/// a composed emoji together.
fn may_part(before: char, after: char) -> bool {
    const JOINER: char = '\u{200d}';
    let is_flag = |c: char| ('\u{1f1e6}'..='\u{1f1ff}').contains(&c);
    let clings = matches!(after,
        '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{1f3fb}'..='\u{1f3ff}');
    !(clings || before == JOINER || after == JOINER || is_flag(before) && is_flag(after))
}

/// A message of these pieces, with `open` opened before and what is open in the end closed; also what that
/// is.
fn write<'a>(open: &[Tag<'a>], pieces: &[Piece<'a>]) -> (String, Vec<Tag<'a>>) {
    let mut out = String::new();
    let mut open = open.to_vec();
    for tag in &open {
        out.push_str(tag.source);
    }
    for piece in pieces {
        match piece {
            Piece::Char { source, .. } => out.push_str(source),
            Piece::Open(tag) => {
                out.push_str(tag.source);
                open.push(*tag);
            }
            // An end tag that closes nothing is left out: Telegram would refuse the message.
            Piece::Close { name } => {
                let closes = |tag: &Tag<'_>| name.is_empty() || tag.name.eq_ignore_ascii_case(name);
                if let Some(tag) = open.pop_if(|tag| closes(tag)) {
                    close(&mut out, tag);
                }
            }
        }
    }
    for tag in open.iter().rev() {
        close(&mut out, *tag);
    }
    (out, open)
}

fn close(out: &mut String, tag: Tag<'_>) {
    out.push_str("</");
    out.push_str(tag.name);
    out.push('>');
}

#[cfg(test)]
mod tests;
