//! Reading a TOML table key by key, with a finding at its line and column for whatever is not as it should be.
//!
//! Readers return `None` after having reported, so that one pass reports as many mistakes as there are. A text is only
//! compiled if none was an error.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Finding, Severity, Title};

/// Findings beyond this many are left out: nobody reads them, and memory stays bounded.
const MAX_FINDINGS: usize = 200;

/// Names opaque to us (SKU, channel, brand) are at most this many bytes.
const MAX_NAME: usize = 64;

/// Points beyond this are a mistake; sums of them stay far below an i64.
pub(super) const MAX_POINTS: i64 = 1_000_000_000_000;

/// A place in the text, as bytes.
pub(super) type Place = Range<usize>;

/// One file's text and what was found in it.
pub(super) struct Source<'t> {
    name: &'t str,
    pub(super) text: &'t str,
    line_starts: Vec<usize>,
    findings: RefCell<Vec<Finding>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Source<'t> {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Source { name, text, line_starts, findings: RefCell::default() }
    }

    pub(super) fn error(&self, place: &Place, sentence: impl Into<String>, right: impl Into<String>) {
        self.add(Severity::Error, place, sentence.into(), right.into());
    }

    pub(super) fn warn(&self, place: &Place, sentence: impl Into<String>, right: impl Into<String>) {
        self.add(Severity::Warning, place, sentence.into(), right.into());
    }

    fn add(&self, severity: Severity, place: &Place, sentence: String, right: String) {
        // The first error is always kept: without one, nothing would say why the text is refused.
        let kept = !self.is_full() || severity == Severity::Error && !self.failed();
        let mut findings = self.findings.borrow_mut();
        if kept {
            let (line, column) = self.position(place.start);
            findings.push(Finding { file: self.name.to_owned(), line, column, severity, sentence, right });
        }
    }

    /// Line and column, both from 1, the column in characters.
    fn position(&self, offset: usize) -> (u32, u32) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let before = &self.text[self.line_starts[line - 1]..offset];
        (line as u32, before.chars().count() as u32 + 1)
    }

    /// Whether no more findings are kept.
    fn is_full(&self) -> bool {
        self.findings.borrow().len() >= MAX_FINDINGS
    }

    pub(super) fn failed(&self) -> bool {
        has_error(&self.findings.borrow())
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        findings.sort_by_key(|finding| (finding.line, finding.column));
        findings
    }
}

fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// A value with its place and its name for messages (`campaign.monthly.window`).
#[derive(Clone)]
pub(super) struct Value<'v> {
    source: &'v Source<'v>,
    value: &'v DeValue<'v>,
    key: Place,
    place: Place,
    pub(super) name: String,
}

impl<'v> Value<'v> {
    /// The same, placed at its key, for what is said about the key.
    pub(super) fn at_key(&self) -> Value<'v> {
        Value { place: self.key.clone(), ..self.clone() }
    }

    /// Whether the key it stands under is an id.
    pub(super) fn key_is_slug(&self, key: &str) -> bool {
        check_slug(self.source, &self.key, key)
    }

    /// Whether the key it stands under can be a name.
    pub(super) fn key_is_opaque(&self, key: &str) -> bool {
        check_opaque(self.source, &self.key, key)
    }

    pub(super) fn error(&self, sentence: impl Into<String>, right: impl Into<String>) {
        self.source.error(&self.place, sentence, right);
    }

    pub(super) fn warn(&self, sentence: impl Into<String>, right: impl Into<String>) {
        self.source.warn(&self.place, sentence, right);
    }

    fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a bare date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(format!("`{}` is {found}", self.name), format!("write {wanted}"));
        None
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The text, if it is one; nothing is said if it is not.
    pub(super) fn if_text(&self) -> Option<&'v str> {
        if let DeValue::String(text) = self.value { Some(text) } else { None }
    }

    pub(super) fn text(&self, example: &str) -> Option<&'v str> {
        match self.value {
            DeValue::String(text) => Some(text),
            // A bare 2026-11-20 or 10:00 needs its quotes only.
            DeValue::Datetime(_) => {
                let bare = self.source.text.get(self.place.clone()).unwrap_or_default().replace('T', " ");
                self.error(format!("`{}` is a bare date or time", self.name), format!("put it in quotes: \"{bare}\""));
                None
            }
            _ => self.wrong_type(&format!("a text in quotes, such as \"{example}\"")),
        }
    }

    /// A whole number within a range.
    pub(super) fn integer(&self, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let bounds = format!("a whole number from {} to {}", range.start(), range.end());
        match self.value {
            DeValue::Integer(digits) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|n| range.contains(n));
                if number.is_none() {
                    self.error(format!("`{}` is {digits}", self.name), format!("write {bounds}"));
                }
                number
            }
            DeValue::String(text) if text.parse::<i64>().is_ok() => {
                self.error(format!("`{}` is a text", self.name), format!("write {text} without quotes"));
                None
            }
            _ => self.wrong_type(&bounds),
        }
    }

    /// True or false.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type("true or false, without quotes"),
        }
    }

    /// An amount of money, as the text of it; a float is refused with the fix shown.
    pub(super) fn amount_text(&self, example: &str) -> Option<&'v str> {
        let bare = match self.value {
            DeValue::Float(digits) => digits.as_str().to_owned(),
            DeValue::Integer(digits) => digits.to_string(),
            _ => return self.text(example),
        };
        let sentence = format!("`{}` is the bare number {bare}; an amount is never a binary fraction", self.name);
        self.error(sentence, format!("put it in quotes: \"{bare}\""));
        None
    }

    pub(super) fn table(&self, known: &[&str]) -> Option<Fields<'v>> {
        let DeValue::Table(table) = self.value else {
            return self.wrong_type(&format!("a table, such as {{ {} = … }}", known[0]));
        };
        let fields = Fields { source: self.source, table, place: self.place.clone(), name: self.name.clone() };
        fields.refuse_unknown(known);
        Some(fields)
    }

    /// The same of a table that was read before: nothing is said of it again.
    pub(super) fn fields(&self) -> Option<Fields<'v>> {
        let DeValue::Table(table) = self.value else { return None };
        Some(Fields { source: self.source, table, place: self.place.clone(), name: self.name.clone() })
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(super) fn entries(&self) -> Option<Vec<(&'v str, Value<'v>)>> {
        let DeValue::Table(table) = self.value else { return self.wrong_type("a table, such as { … }") };
        let fields = Fields { source: self.source, table, place: self.place.clone(), name: self.name.clone() };
        Some(fields.entries())
    }

    pub(super) fn list(&self) -> Option<Vec<Value<'v>>> {
        let DeValue::Array(items) = self.value else { return self.wrong_type("a list, such as [ … ]") };
        let item = |(index, item): (usize, &'v Spanned<DeValue<'v>>)| Value {
            source: self.source,
            value: item.get_ref(),
            key: item.span(),
            place: item.span(),
            name: format!("{}[{}]", self.name, index + 1),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list, or what stands by itself as the only one.
    pub(super) fn one_or_list(&self) -> Option<Vec<Value<'v>>> {
        if self.value.is_array() { self.list() } else { Some(vec![self.clone()]) }
    }

    /// An id: lower-case letters, digits and hyphens, a letter first.
    pub(super) fn slug(&self) -> Option<&'v str> {
        let text = self.text("monthly-gift")?;
        check_slug(self.source, &self.place, text).then_some(text)
    }

    /// A name opaque to us, compared byte by byte.
    pub(super) fn opaque(&self) -> Option<&'v str> {
        let text = self.text("shop-1")?;
        check_opaque(self.source, &self.place, text).then_some(text)
    }

    /// A list of opaque names, each once.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        let mut seen = HashSet::new();
        let mut names = Vec::new();
        for item in self.list()? {
            let Some(name) = item.opaque() else { continue };
            if seen.insert(name) {
                names.push(name.to_owned());
            } else {
                item.error(format!("\"{name}\" is listed twice"), "list it once");
            }
        }
        Some(names)
    }
}

fn check_slug(source: &Source, place: &Place, text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good =
        text.len() <= MAX_NAME && text.bytes().all(allowed) && text.starts_with(|c: char| c.is_ascii_lowercase());
    if !good {
        let right =
            "use lower-case letters, digits and hyphens, a letter first, at most 64; names for people go into `title`";
        source.error(place, format!("\"{text}\" is no id"), right);
    }
    good
}

fn check_opaque(source: &Source, place: &Place, text: &str) -> bool {
    let good = !text.is_empty() && text.len() <= MAX_NAME && !text.contains(char::is_control) && text.trim() == text;
    if !good {
        let right = "use 1 to 64 bytes of text without line breaks, and without spaces at its ends";
        source.error(place, format!("\"{}\" cannot be a name", text.escape_debug()), right);
    }
    good
}

/// A table being read.
pub(super) struct Fields<'v> {
    pub(super) source: &'v Source<'v>,
    table: &'v DeTable<'v>,
    pub(super) place: Place,
    name: String,
}

impl<'v> Fields<'v> {
    pub(super) fn document(source: &'v Source<'v>, table: &'v DeTable<'v>, known: &[&str]) -> Fields<'v> {
        let fields = Fields { source, table, place: 0..0, name: String::new() };
        fields.refuse_unknown(known);
        fields
    }

    fn refuse_unknown(&self, known: &[&str]) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            if self.source.is_full() && self.source.failed() {
                return;
            }
            let near = known.iter().map(|known| (distance(name, known), known)).min();
            let right = match near {
                Some((distance, near)) if distance <= 1 + near.len() / 3 => format!("did you mean `{near}`?"),
                _ => format!("known here: {}", known.join(", ")),
            };
            self.source.error(&key.span(), format!("unknown key `{}`", self.path(name)), right);
        }
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn value(&self, key: &'v Spanned<std::borrow::Cow<'v, str>>, value: &'v Spanned<DeValue<'v>>) -> Value<'v> {
        // What has a header of its own is found best by its name there.
        let place = if value.get_ref().is_table() && !self.is_inline(value) { key.span() } else { value.span() };
        Value { source: self.source, value: value.get_ref(), key: key.span(), place, name: self.path(key.get_ref()) }
    }

    fn is_inline(&self, value: &Spanned<DeValue<'v>>) -> bool {
        self.source.text.get(value.span()).is_some_and(|text| text.starts_with('{'))
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'v>> {
        let (key, value) = self.table.iter().find(|(known, _)| known.get_ref() == key)?;
        Some(self.value(key, value))
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str, example: &str) -> Option<Value<'v>> {
        let found = self.get(key);
        if found.is_none() {
            self.source.error(&self.place, format!("`{}` is missing", self.path(key)), format!("add it: {example}"));
        }
        found
    }

    /// The entries in the order of the file.
    fn entries(&self) -> Vec<(&'v str, Value<'v>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'v Spanned<std::borrow::Cow<'v, str>>, &'v Spanned<DeValue<'v>>)| {
            (key.get_ref().as_ref(), self.value(key, value))
        };
        entries.into_iter().map(entry).collect()
    }

    /// `title = { zh = "…", en = "…" }`; without one, the id stands for it.
    pub(super) fn title(&self, id: &str) -> Option<Title> {
        let Some(value) = self.get("title") else { return Some(Title { zh: id.to_owned(), en: id.to_owned() }) };
        let fields = value.table(&["zh", "en"])?;
        let zh = fields.need("zh", "zh = \"每月兑换\"").and_then(|value| value.text("每月兑换"));
        let en = fields.need("en", "en = \"Monthly exchange\"").and_then(|value| value.text("Monthly exchange"));
        Some(Title { zh: zh?.to_owned(), en: en?.to_owned() })
    }
}

/// How many characters differ (Levenshtein), for "did you mean".
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // A key can be a mebibyte long, a known one never is.
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().take(MAX_NAME).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, known) in other.iter().enumerate() {
            let changed = diagonal + usize::from(*known != letter);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}
