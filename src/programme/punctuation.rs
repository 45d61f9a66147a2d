//! Full-width punctuation, which Chinese input methods write and TOML does not know: its own message instead of a
//! parser's.

use super::reader::Source;

/// What was likely meant by a full-width character, if it is one.
fn plain(character: char) -> Option<char> {
    Some(match character {
        '“' | '”' | '„' | '＂' | '「' | '」' => '"',
        '‘' | '’' | '＇' => '\'',
        '，' | '、' => ',',
        '。' => '.',
        '【' => '[',
        '】' => ']',
        '\u{3000}' => ' ',
        '—' | '–' | '−' => '-',
        '！'..='～' => char::from_u32(u32::from(character) - 0xFEE0)?,
        _ => return None,
    })
}

/// The text with plain characters in place of full-width ones, if it has any.
pub(super) fn plainly(text: &str) -> Option<String> {
    let plained: String = text.chars().map(|character| plain(character).unwrap_or(character)).collect();
    (plained != text).then_some(plained)
}

/// Reports each full-width character outside texts and comments; the number of them.
pub(super) fn report_full_width(source: &Source) -> usize {
    let mut found = 0;
    let mut rest = source.text;
    while let Some(character) = rest.chars().next() {
        let at = source.text.len() - rest.len();
        let skip = match character {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => quoted(rest, character),
            _ => {
                if let Some(meant) = plain(character) {
                    found += 1;
                    let right = format!(
                        "write the plain `{}`",
                        if meant == ' ' { "space".to_owned() } else { meant.to_string() }
                    );
                    source.error(&(at..at), format!("the full-width character `{character}`"), right);
                }
                character.len_utf8()
            }
        };
        rest = &rest[skip..];
    }
    found
}

/// How many bytes a text in quotes takes, from its opening quote on; one left open ends with its line.
fn quoted(text: &str, quote: char) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let (mark, lines) = if text.starts_with(&triple) { (triple.as_str(), true) } else { (&triple[..1], false) };
    let mut at = mark.len();
    while let Some(character) = text[at..].chars().next() {
        if text[at..].starts_with(mark) {
            return at + mark.len();
        }
        if character == '\n' && !lines {
            return at;
        }
        at += character.len_utf8();
        if character == '\\' && quote == '"' {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_may_hold_full_width_characters() {
        let found = |text| report_full_width(&Source::new("f", text));
        assert_eq!(found("a = \"，\" # ：\nb = '“' \nc = \"\"\"\n＝\"\" \"\"\"\nd = '''\n＝'''"), 0);
        assert_eq!(found("a = \"\\\"，\"，\nb = '\\'，"), 2);
        assert_eq!(found("a = \"open\n，"), 1);
        assert_eq!(plainly("２０　１０：００"), Some("20 10:00".to_owned()));
        assert_eq!(plainly("20 10:00"), None);
    }
}
