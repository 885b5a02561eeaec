//! Rust text with its parts told apart: rules about code must not trip over a comment or a string that only
//! talks about the thing, and rules about comments must not read code. A small scanner is enough; a parser
//! would cost more to build than everything else here.

/// The same text twice, in each with blanks for what the other shows. Lines and columns stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Code; comments and the insides of literals are blank.
    pub code: String,
    /// Comments only.
    pub comments: String,
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// Tells the parts of a source apart.
#[must_use]
pub fn parts(source: &str) -> Parts {
    let chars: Vec<char> = source.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut state = State::Code;
    let mut at = 0;
    while let Some(&here) = chars.get(at) {
        let rest = chars.get(at..).unwrap_or_default();
        let (next, length) = step(state, rest, chars.get(..at).unwrap_or_default());
        for &c in rest.iter().take(length) {
            let blank = if c == '\n' { '\n' } else { ' ' };
            let (in_code, in_comment) = match (state, next) {
                (State::LineComment | State::BlockComment(_), _)
                | (State::Code, State::LineComment | State::BlockComment(_)) => (blank, c),
                (State::Text | State::RawText(_), State::Text | State::RawText(_)) => (blank, blank),
                _ => (c, blank),
            };
            code.push(in_code);
            comments.push(in_comment);
        }
        debug_assert!(length > 0, "stuck at {here}");
        at += length.max(1);
        state = next;
    }
    Parts { code, comments }
}

/// From a state, with what follows and what came before, to the next one and how many characters that takes.
fn step(state: State, rest: &[char], before: &[char]) -> (State, usize) {
    match state {
        State::LineComment => match rest {
            ['\n', ..] => (State::Code, 1),
            _ => (State::LineComment, 1),
        },
        State::BlockComment(depth) => match rest {
            ['/', '*', ..] => (State::BlockComment(depth + 1), 2),
            ['*', '/', ..] if depth == 1 => (State::Code, 2),
            ['*', '/', ..] => (State::BlockComment(depth - 1), 2),
            _ => (State::BlockComment(depth), 1),
        },
        State::Text => match rest {
            ['\\', _, ..] => (State::Text, 2),
            ['"', ..] => (State::Code, 1),
            _ => (State::Text, 1),
        },
        State::RawText(hashes) => match rest {
            ['"', tail @ ..] if tail.len() >= hashes && tail.iter().take(hashes).all(|c| *c == '#') => {
                (State::Code, 1 + hashes)
            }
            _ => (State::RawText(hashes), 1),
        },
        State::Code => step_in_code(rest, before),
    }
}

fn step_in_code(rest: &[char], before: &[char]) -> (State, usize) {
    match rest {
        ['/', '/', ..] => (State::LineComment, 2),
        ['/', '*', ..] => (State::BlockComment(1), 2),
        ['"', ..] => (State::Text, 1),
        // A quote as a character literal, which would open a string otherwise.
        ['\'', '\\', _, '\'', ..] => (State::Code, 4),
        ['\'', _, '\'', ..] => (State::Code, 3),
        ['r', '#' | '"', ..] if !before.last().is_some_and(|c| is_word(*c) && *c != 'b') => {
            let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
            match rest.get(1 + hashes) {
                Some('"') => (State::RawText(hashes), 2 + hashes),
                _ => (State::Code, 1),
            }
        }
        _ => (State::Code, 1),
    }
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Byte offsets at which `word` stands in `text` as a whole word.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).filter_map(move |(at, found)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|text| text.chars().next());
        let whole = !before.is_some_and(is_word) && !after.is_some_and(is_word);
        whole.then_some(at)
    })
}

/// The line in which a byte offset lies, from 1.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The text from `open` to the bracket that closes it, brackets included; `open` is the offset of the first
/// one.
#[must_use]
pub fn bracketed(code: &str, open: usize) -> Option<&str> {
    let rest = code.get(open..)?;
    let mut depth = 0_u32;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return rest.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_insides_of_literals_are_no_code() {
        let parts =
            parts("let a = \"x // y\"; // why\n/* b /* c */ d */ e(r#\"f\"g\"#, '\"', \"h\\\"i\");\n");
        assert_eq!(
            parts.code,
            "let a = \"      \";       \n                  e(r#\"   \"#, '\"', \"    \");\n"
        );
        assert!(parts.comments.contains("// why") && parts.comments.contains("b /* c */ d"));
        assert!(!parts.comments.contains('y') || !parts.comments.contains("x // y"));
    }

    #[test]
    fn a_lifetime_opens_no_literal() {
        assert_eq!(parts("fn f<'a>(x: &'a str) {}").code, "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn a_word_inside_another_one_is_not_found() {
        assert_eq!(
            words("tokio_util tokio::x atokio", "tokio").collect::<Vec<_>>(),
            [11]
        );
    }

    #[test]
    fn brackets_are_followed_to_their_end() {
        assert_eq!(bracketed("a(b[c](d)) e", 1), Some("(b[c](d))"));
        assert_eq!(bracketed("a(b", 1), None);
    }
}
