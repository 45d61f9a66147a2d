//! From a bundle to a programme: the file's top level, tiers, check-in, earning and orders.

use std::collections::HashMap;

use toml::de::DeTable;

use super::bundle::MAIN_FILE;
use super::campaigns::{self, Scope};
use super::money::{Earning, Rate, Rounded, Rounding};
use super::reader::{Fields, MAX_POINTS, Source, Value};
use super::rules::ByNumber;
use super::{
    Bundle, Channel, CheckIn, Currency, Finding, LotTerms, Numbering, OrderRules, PointRules, Programme, Report, Tier,
    Title, Zone,
};
use super::{grammar, multipliers, punctuation, terms};

const TOP_KEYS: [&str; 13] = [
    "programme",
    "title",
    "zone",
    "currency",
    "brands",
    "channels",
    "tier",
    "points",
    "check-in",
    "earning",
    "multipliers",
    "orders",
    "campaign",
];
const MAX_TIERS: usize = 16;
const DAYS_MS: i64 = 86_400_000;
const DEFAULT_ORDERS: OrderRules = OrderRules { remember_ms: 180 * DAYS_MS, ahead_ms: 10 * 60_000 };

/// A programme and what came with it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The rules.
    pub programme: Programme,
    /// The numbers given so far, the new ones included.
    pub numbering: Numbering,
    /// What is likely not meant.
    pub warnings: Vec<Finding>,
}

/// Compiles a bundle with the numbers given so far. Pure: the same bundle and numbering give the same programme
/// everywhere.
pub fn compile(bundle: &Bundle, numbering: &Numbering) -> Result<Compiled, Report> {
    let mut numbering = numbering.clone();
    let source = Source::new(MAIN_FILE, bundle.main_text());
    let programme = {
        let document = parse(&source);
        let programme = document.as_ref().and_then(|table| programme(&source, table, &mut numbering));
        programme.filter(|_| !source.failed())
    };
    let failed = source.failed();
    let findings = source.into_findings();
    match programme {
        Some(mut programme) => {
            programme.bundle_hash = bundle.hash();
            Ok(Compiled { programme, numbering, warnings: findings })
        }
        None => {
            assert!(failed, "a programme is only withheld with an error that says why");
            Err(Report { findings })
        }
    }
}

/// The programme's slug alone.
pub(super) fn slug(bundle: &Bundle) -> Result<String, Report> {
    let source = Source::new(MAIN_FILE, bundle.main_text());
    let slug = {
        let document = parse(&source);
        let slug = document.as_ref().and_then(|table| own_slug(&Fields::document(&source, table, &TOP_KEYS)));
        slug.map(str::to_owned)
    };
    match slug {
        Some(slug) => Ok(slug),
        None => Err(Report { findings: source.into_findings() }),
    }
}

fn own_slug<'v>(top: &Fields<'v>) -> Option<&'v str> {
    top.need("programme", "programme = \"my-club\"")?.slug()
}

/// The TOML, or its mistakes: full-width punctuation by itself, as what follows from it would only distract.
fn parse<'v>(source: &'v Source<'v>) -> Option<DeTable<'v>> {
    let (document, mistakes) = DeTable::parse_recoverable(source.text);
    if mistakes.is_empty() {
        return Some(document.into_inner());
    }
    if punctuation::report_full_width(source) == 0 {
        for mistake in mistakes {
            let place = mistake.span().unwrap_or(0..0);
            source.error(&place, format!("this is not TOML: {}", mistake.message()), "correct it here or just before");
        }
    }
    None
}

fn programme<'v>(source: &'v Source<'v>, table: &'v DeTable<'v>, numbering: &mut Numbering) -> Option<Programme> {
    let top = Fields::document(source, table, &TOP_KEYS);
    let slug = own_slug(&top);
    let title = top.title(slug.unwrap_or_default());
    let zone = zone(&top);
    let currency = currency(&top);
    let brands = brands(&top);
    let channels = channels(&top, numbering);
    let tiers = tiers(&top, numbering);
    let (zone, tiers, slug) = (zone?, tiers?, slug?);
    if tiers.len() > 1 && top.get("check-in").is_none() && top.get("earning").is_none() {
        source.warn(
            &(0..0),
            "no tier above the first can be reached",
            "add [earning] or [check-in], or leave out [[tier]]",
        );
    }
    let campaigns = match top.get("campaign") {
        Some(value) => campaigns::read(&value, &mut Scope { zone: &zone, tiers: &tiers, numbering }),
        None => Some(Vec::new()),
    };
    // What is wrong with a campaign does not hide what else is: terms that name it wait for it.
    let scope = terms::Scope { zone: &zone, tiers: &tiers, campaigns: campaigns.as_deref().unwrap_or_default() };
    let points = terms::points(top.get("points"), &scope);
    let lives = Lives { scope, points: points.as_ref() };
    let check_in = top.get("check-in").map(|value| check_in(&value, &lives));
    let earning = match (top.get("earning"), currency, &channels) {
        (Some(value), Some(currency), Some(channels)) => Some(earning(&value, &currency, channels, &lives)),
        _ => None,
    };
    let known = channels.as_deref().unwrap_or_default();
    let multipliers = multipliers::Scope { zone: &zone, tiers: &tiers, channels: known };
    let multipliers = multipliers::read(top.get("multipliers"), &multipliers);
    let orders = top.get("orders").map_or(Some(DEFAULT_ORDERS), |value| orders(&value));
    let (campaigns, points) = (campaigns?, points?);
    let (channels, check_in, earning) = (channels?, flatten(check_in)?, flatten(earning)?);
    Some(Programme {
        slug: slug.to_owned(),
        title: title?,
        zone,
        currency: currency?,
        brands: brands?,
        points,
        check_in,
        earning,
        multipliers: multipliers?,
        tiers,
        orders: orders?,
        bundle_hash: [0; 32],
        campaign_index: ByNumber::new(campaigns.iter().map(|campaign| campaign.number)),
        channel_index: channels
            .iter()
            .enumerate()
            .map(|(at, channel)| (channel.slug.clone(), at))
            .collect::<HashMap<_, _>>(),
        campaigns,
        channels,
    })
}

/// What is absent is fine; what is there but wrong is not.
fn flatten<T>(section: Option<Option<T>>) -> Option<Option<T>> {
    match section {
        None => Some(None),
        Some(Some(section)) => Some(Some(section)),
        Some(None) => None,
    }
}

fn zone(top: &Fields) -> Option<Zone> {
    let value = top.need("zone", "zone = \"Asia/Shanghai\"")?;
    let name = value.text("Asia/Shanghai")?;
    let zone = Zone::new(name);
    if zone.is_err() {
        let right = "write an IANA name, such as \"Asia/Shanghai\" or \"America/New_York\"";
        value.error(format!("there is no time zone \"{name}\""), right);
    }
    zone.ok()
}

fn currency(top: &Fields) -> Option<Currency> {
    let value = top.need("currency", "currency = \"CNY\"")?;
    let code = value.text("CNY")?;
    let currency = Currency::new(code);
    if currency.is_none() {
        value.error(
            format!("there is no currency \"{code}\" in use"),
            "write the three capitals of ISO 4217, such as \"CNY\"",
        );
    }
    currency
}

fn brands(top: &Fields) -> Option<Vec<String>> {
    let value = top.need("brands", "brands = [\"my-brand\"]")?;
    let brands = value.names()?;
    if brands.is_empty() {
        value.error("`brands` is empty", "name at least one brand");
    }
    Some(brands)
}

fn channels(top: &Fields, numbering: &mut Numbering) -> Option<Vec<Channel>> {
    let Some(value) = top.get("channels") else {
        if top.get("earning").is_some() {
            top.need(
                "channels",
                "channels = [\"store\", \"tmall\"], as [earning] counts orders that come through them",
            );
            return None;
        }
        return Some(Vec::new());
    };
    let mut channels = Vec::new();
    for slug in value.names()? {
        match numbering.channel(&slug) {
            Ok(number) => channels.push(Channel { number, slug }),
            Err(_) => {
                value
                    .error("there are no numbers left for new channels", "a programme has at most 65535 over its life");
                return None;
            }
        }
    }
    Some(channels)
}

fn tiers(top: &Fields, numbering: &mut Numbering) -> Option<Vec<Tier>> {
    let Some(value) = top.get("tier") else {
        let title = Title { zh: "会员".to_owned(), en: "Member".to_owned() };
        let number = numbering.tier("member").ok()?;
        return Some(vec![Tier { number, slug: "member".to_owned(), title, from: 0 }]);
    };
    let items = value.list()?;
    if items.is_empty() || items.len() > MAX_TIERS {
        value.error(format!("there are {} tiers", items.len()), format!("write 1 to {MAX_TIERS} [[tier]] sections"));
        return None;
    }
    let mut tiers: Vec<(Tier, Value)> = Vec::new();
    let mut whole = true;
    for item in items {
        let Some(tier) = tier(&item, numbering) else {
            whole = false;
            continue;
        };
        if tiers.iter().any(|(earlier, _)| earlier.slug == tier.slug) {
            item.error(format!("the tier \"{}\" is there twice", tier.slug), "give each tier its own id");
            whole = false;
        }
        tiers.push((tier, item));
    }
    tiers.sort_by_key(|(tier, _)| tier.from);
    for pair in tiers.windows(2) {
        let [(lower, place), (upper, _)] = pair else { continue };
        if lower.from == upper.from {
            let sentence = format!(
                "the tier \"{}\" is never reached: \"{}\" also starts from {}",
                lower.slug, upper.slug, lower.from
            );
            place.warn(sentence, "give each tier its own `from`");
        }
    }
    if let Some((lowest, place)) = tiers.first()
        && whole
        && lowest.from != 0
    {
        place.error(
            format!("the lowest tier \"{}\" starts from {}", lowest.slug, lowest.from),
            "let it start from 0, for new members",
        );
        whole = false;
    }
    whole.then(|| tiers.into_iter().map(|(tier, _)| tier).collect())
}

fn tier(item: &Value, numbering: &mut Numbering) -> Option<Tier> {
    let fields = item.table(&["slug", "title", "from"])?;
    let slug = fields.need("slug", "slug = \"gold\"").and_then(|value| value.slug());
    let from = fields
        .need("from", "from = 5000, in points earned over a lifetime")
        .and_then(|value| value.integer(0..=MAX_POINTS));
    let title = fields.title(slug.unwrap_or_default());
    let (slug, from, title) = (slug?, from?, title?);
    if slug == "points" {
        item.error("a tier cannot be called \"points\"", "prices use that word; choose another id");
        return None;
    }
    match numbering.tier(slug) {
        Ok(number) => Some(Tier { number, slug: slug.to_owned(), title, from }),
        Err(_) => {
            item.error(
                "there are no numbers left for new tiers",
                "a programme has at most 255 over its life; take an old id again",
            );
            None
        }
    }
}

/// What a rule needs to know of how long points live.
struct Lives<'s> {
    scope: terms::Scope<'s>,
    /// `None` where `[points]` is wrong, which was said there.
    points: Option<&'s PointRules>,
}

impl Lives<'_> {
    fn terms(&self, fields: &Fields) -> Option<LotTerms> {
        terms::terms(fields, self.points?, &self.scope)
    }
}

fn check_in(value: &Value, lives: &Lives) -> Option<CheckIn> {
    let fields = value.table(&["points", "streak", "cycle", "expires", "pending"])?;
    let terms = lives.terms(&fields);
    let base = fields.need("points", "points = 1").and_then(|value| value.integer(0..=MAX_POINTS));
    let cycle = fields.get("cycle").map(|value| value.integer(1..=3660).map(|days| days as u32));
    let mut bonuses = Vec::new();
    let mut whole = true;
    for item in fields.get("streak").map_or(Some(Vec::new()), |value| value.list())? {
        let Some((day, bonus)) = streak_bonus(&item) else {
            whole = false;
            continue;
        };
        if bonuses.iter().any(|(earlier, _)| *earlier == day) {
            item.error(format!("day {day} of the streak is there twice"), "give each day one bonus");
            whole = false;
        }
        if let Some(Some(cycle)) = cycle
            && day > cycle
        {
            item.warn(
                format!("day {day} is never reached: the table starts again after {cycle} days"),
                "take a day within the cycle, or a longer cycle",
            );
        }
        bonuses.push((day, bonus));
    }
    bonuses.sort_unstable();
    whole.then_some(CheckIn { terms: terms?, base: base?, bonuses, cycle: flatten(cycle)? })
}

fn streak_bonus(item: &Value) -> Option<(u32, i64)> {
    let fields = item.table(&["day", "bonus"])?;
    let day = fields.need("day", "day = 7").and_then(|value| value.integer(1..=3660));
    let bonus = fields.need("bonus", "bonus = 10").and_then(|value| value.integer(0..=MAX_POINTS));
    Some((day? as u32, bonus?))
}

fn earning(value: &Value, currency: &Currency, channels: &[Channel], lives: &Lives) -> Option<Earning> {
    let fields = value.table(&["points", "per", "rounding", "round", "channel", "expires", "pending"])?;
    let terms = lives.terms(&fields);
    let rate = rate(&fields, currency);
    let mut by_channel = Vec::new();
    let mut whole = true;
    for (name, value) in fields.get("channel").map_or(Some(Vec::new()), |value| value.entries())? {
        let Some(channel) = channels.iter().find(|channel| channel.slug == name) else {
            value
                .at_key()
                .error(format!("the channel \"{name}\" is not declared"), "add it to `channels`, or correct its name");
            whole = false;
            continue;
        };
        let other =
            value.table(&["points", "per", "rounding", "round"]).and_then(|fields| self::rate(&fields, currency));
        let number = usize::from(channel.number);
        if by_channel.len() <= number {
            by_channel.resize(number + 1, None);
        }
        by_channel[number] = other;
        whole &= other.is_some();
    }
    let rate = rate?;
    let terms = terms?;
    whole.then_some(Earning { terms, rate, by_channel })
}

fn rate(fields: &Fields, currency: &Currency) -> Option<Rate> {
    let example = currency.show(10_i64.pow(currency.minor_digits().into()));
    let points = fields.need("points", "points = 1").and_then(|value| value.integer(0..=MAX_POINTS));
    let per_minor =
        fields.need("per", &format!("per = \"{example}\"")).and_then(|value| amount(&value, currency, &example));
    let rounding = fields.need("rounding", "rounding = \"down\"").and_then(|value| choice(&value, &Rounding::WORDS));
    let rounded = match fields.get("round") {
        Some(value) => choice(&value, &[("steps", Rounded::Steps), ("points", Rounded::Points)]),
        None if points.is_none_or(|points| points <= 1) => Some(Rounded::Steps),
        None => {
            let example = "round = \"steps\" (whole steps count, then times the points) or round = \"points\" (in proportion, then rounded)";
            fields.need("round", example).and(None)
        }
    };
    Some(Rate { points: points?, per_minor: per_minor?, rounding: rounding?, rounded: rounded? })
}

/// An amount above zero in minor units.
fn amount(value: &Value, currency: &Currency, example: &str) -> Option<i64> {
    let text = value.amount_text(example)?;
    let amount = currency.parse(text).filter(|amount| *amount > 0);
    if amount.is_none() {
        let right = match punctuation::plainly(text) {
            Some(plain) => format!("write it with plain characters: \"{plain}\""),
            None => format!(
                "write it above zero, with {} digits after the point, such as \"{example}\"",
                currency.minor_digits()
            ),
        };
        value.error(format!("\"{text}\" is no amount in {currency}"), right);
    }
    amount
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &Value, words: &[(&str, T)]) -> Option<T> {
    let text = value.text(words[0].0)?;
    let chosen = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    if chosen.is_none() {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        value.error(format!("`{}` is \"{text}\"", value.name), format!("write {}", known.join(" or ")));
    }
    chosen
}

fn orders(value: &Value) -> Option<OrderRules> {
    let fields = value.table(&["remember", "ahead"])?;
    let read = |key, default, range| fields.get(key).map_or(Some(default), |value| duration(&value, range));
    let remember_ms = read("remember", DEFAULT_ORDERS.remember_ms, (DAYS_MS, 3660 * DAYS_MS, "1d to 3660d"));
    let ahead_ms = read("ahead", DEFAULT_ORDERS.ahead_ms, (0, DAYS_MS, "0s to 1d"));
    Some(OrderRules { remember_ms: remember_ms?, ahead_ms: ahead_ms? })
}

/// A duration within bounds, in ms.
pub(super) fn duration(value: &Value, (least, most, bounds): (i64, i64, &str)) -> Option<i64> {
    let text = value.text("180d")?;
    let length = grammar::duration(text).filter(|length| (least..=most).contains(length));
    if length.is_none() {
        let right = format!("write {bounds}: a whole number and one of ms, s, m, h, d, without a space");
        value.error(format!("`{}` is \"{text}\"", value.name), right);
    }
    length
}
