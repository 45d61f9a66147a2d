//! From a bundle to a programme: the file's top level, and one section after the other, those first that others refer to.

use std::collections::HashMap;

use toml::de::DeTable;

use super::bundle::MAIN_FILE;
use super::campaigns::{self, Scope};
use super::reader::{Fields, Source, Value};
use super::rules::ByNumber;
use super::{Bundle, Currency, Finding, Ladder, Measure, Numbering, OrderRules, Programme, Report, Zone};
use super::{
    activities, awards, benefits, birthday, check_in, claims, earning, grammar, holds, ladder, multipliers, names,
    punctuation, quizzes, referral, rights, tender, terms, tiers,
};

const TOP_KEYS: [&str; 25] = [
    "programme",
    "title",
    "zone",
    "currency",
    "brands",
    "channels",
    "tags",
    "stores",
    "tiers",
    "tier",
    "right",
    "benefit",
    "activity",
    "quiz",
    "referral",
    "birthday",
    "points",
    "check-in",
    "earning",
    "claim",
    "multipliers",
    "orders",
    "holds",
    "tender",
    "campaign",
];
const DAYS_MS: i64 = 86_400_000;
/// Caps of a programme at a time, over all rules: as many as an answer tells.
const CAPS_MOST: usize = 256;
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
    let brands = names::brands(&top);
    let channels = names::channels(&top, numbering);
    let tags = names::tags(&top, numbering);
    let stores = names::stores(&top, numbering);
    let (zone, slug) = (zone?, slug?);
    let ladder = ladder::read(top.get("tiers"), &zone)?;
    let tier_list = top.get("tier");
    let mut tiers = tiers::read(tier_list.as_ref(), &ladder, currency.as_ref(), numbering)?;
    let counts = ["check-in", "earning", "activity", "benefit", "quiz"];
    if tiers.len() > 1 && counts.iter().all(|key| top.get(key).is_none()) {
        source.warn(
            &(0..0),
            "no tier above the first can be reached",
            "add [earning] or [check-in], or leave out [[tier]]",
        );
    }
    let no_campaigns = terms::Scope { zone: &zone, tiers: &tiers, campaigns: &[] };
    let rights = rights::read(top.get("right"), &no_campaigns, numbering);
    let known_rights = rights.as_deref().unwrap_or_default();
    let campaigns = match top.get("campaign") {
        Some(value) => {
            let (tags, stores) = (tags.as_deref().unwrap_or_default(), stores.as_deref().unwrap_or_default());
            let currency = currency.as_ref();
            let scope =
                &mut Scope { zone: &zone, currency, tiers: &tiers, rights: known_rights, tags, stores, numbering };
            campaigns::read(&value, scope)
        }
        None => Some(Vec::new()),
    };
    // What is wrong with a campaign does not hide what else is: terms that name it wait for it.
    let bare = tiers.clone();
    let scope = terms::Scope { zone: &zone, tiers: &bare, campaigns: campaigns.as_deref().unwrap_or_default() };
    let points = terms::points(top.get("points"), &scope);
    let lives = terms::Lives { scope, points: points.as_ref() };
    let check_in = top.get("check-in").map(|value| {
        let scope = &mut check_in::Scope { lives: &lives, rights: known_rights, zone: &zone, numbering };
        check_in::read(&value, scope)
    });
    let earning = match (top.get("earning"), &currency, &channels, &brands) {
        (Some(value), Some(currency), Some(channels), Some(brands)) => {
            Some(earning::read(&value, &earning::Named { currency, channels, brands }, &lives))
        }
        _ => None,
    };
    let orders = top.get("orders").map_or(Some(DEFAULT_ORDERS), |value| orders(&value));
    let claims = top.get("claim").map(|value| {
        let (channels, orders) = (channels.as_deref().unwrap_or_default(), orders.unwrap_or(DEFAULT_ORDERS));
        let has_orders = top.get("earning").is_some();
        let earning_caps = earning.iter().flatten().any(|rule| !rule.giving.caps.is_empty());
        claims::read(&value, &claims::Scope { channels, orders, has_orders, earning_caps, lives: &lives })
    });
    let activities = activities::read(top.get("activity"), &lives, numbering);
    let quizzes = quizzes::read(top.get("quiz"), &lives, numbering);
    let awards = awards::Scope { lives: &lives, rights: known_rights };
    let referral = top.get("referral").map(|value| {
        let activities = activities.as_deref().unwrap_or_default();
        let has_orders = top.get("earning").is_some();
        let (currency, tags) = (currency.as_ref(), tags.as_deref().unwrap_or_default());
        let awards = awards::Scope { lives: &lives, rights: known_rights };
        referral::read(&value, &referral::Scope { currency, tiers: &bare, tags, activities, has_orders, awards })
    });
    let entries = tiers::awards(tier_list.as_ref(), &mut tiers, &awards);
    let benefits =
        benefits::read(top.get("benefit"), &mut benefits::Scope { zone: &zone, tiers: &bare, awards, numbering });
    let rules = check_in.iter().flatten().map(|rule| &rule.giving);
    let rules = rules.chain(earning.iter().flatten().map(|rule| &rule.giving));
    let rules = rules.chain(claims.iter().flatten().map(|rule| &rule.giving));
    let rules = rules.chain(activities.iter().flatten().map(|rule| &rule.giving));
    let rules = rules.chain(quizzes.iter().flatten().map(|rule| &rule.giving));
    let caps: usize = rules.map(|giving| giving.caps.len()).sum();
    if caps > CAPS_MOST {
        let right = format!("a programme has at most {CAPS_MOST}, over all its rules");
        source.error(&(0..0), format!("there are {caps} caps"), right);
    }
    let growth = check_in.iter().flatten().any(|rule| rule.growth > 0)
        || earning.iter().flatten().any(|rule| rule.growth.is_some())
        || activities.iter().flatten().any(|rule| rule.growth > 0);
    feeds(source, &ladder, tiers.len() > 1, growth, top.get("earning").is_some());
    let holds = holds::read(top.get("holds"));
    let tender = top.get("tender").map(|value| tender::read(&value, currency.as_ref()));
    let birthday = top.get("birthday").map(|value| birthday::read(&value));
    let known = channels.as_deref().unwrap_or_default();
    let multipliers = multipliers::Scope { zone: &zone, tiers: &bare, channels: known, birthdays: birthday.is_some() };
    let multipliers = multipliers::read(top.get("multipliers"), &multipliers);
    let (campaigns, points, channels, activities) = (campaigns?, points?, channels?, activities?);
    entries?;
    Some(Programme {
        slug: slug.to_owned(),
        title: title?,
        zone,
        currency: currency?,
        brands: brands?,
        points,
        check_in: wanted(check_in)?,
        earning: wanted(earning)?,
        claims: wanted(claims)?,
        multipliers: multipliers?,
        birthday: wanted(birthday)?,
        ladder,
        tier_index: ByNumber::new(tiers.iter().map(|tier| u32::from(tier.number))),
        tiers,
        rights: rights?,
        tags: tags?,
        quizzes: quizzes?,
        referral: wanted(referral)?,
        stores: stores?,
        holds: holds?,
        tender: wanted(tender)?,
        benefits: benefits?,
        orders: orders?,
        bundle_hash: [0; 32],
        campaign_index: ByNumber::new(campaigns.iter().map(|campaign| campaign.number)),
        channel_index: by_slug(channels.iter().map(|channel| &channel.slug)),
        activity_index: by_slug(activities.iter().map(|activity| &activity.slug)),
        campaigns,
        channels,
        activities,
    })
}

/// Warns of a ladder that nothing feeds, and of growth that no ladder counts.
fn feeds(source: &Source, ladder: &Ladder, has_tiers: bool, growth: bool, orders: bool) {
    let counts = match ladder.measure {
        Measure::Growth if !growth => {
            Some(("growth, and no rule gives any", "add `growth` to [earning], [check-in] or an activity"))
        }
        Measure::Spend | Measure::Orders if !orders => {
            Some(("what orders come to, and none are recorded", "add [earning]"))
        }
        _ => None,
    };
    if let Some((what, right)) = counts.filter(|_| has_tiers) {
        source.warn(&(0..0), format!("[tiers] counts {what}: no tier above the first can be reached"), right);
    }
    if growth && ladder.measure != Measure::Growth {
        source.warn(
            &(0..0),
            "rules give growth, and [tiers] counts something else",
            "write by = \"growth\" in [tiers], or leave `growth` out",
        );
    }
}

fn by_slug<'s>(slugs: impl Iterator<Item = &'s String>) -> HashMap<String, usize> {
    slugs.enumerate().map(|(at, slug)| (slug.clone(), at)).collect()
}

/// What is absent is fine; what is there but wrong is not.
pub(super) fn wanted<T>(section: Option<Option<T>>) -> Option<Option<T>> {
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

/// An amount above zero in minor units.
pub(super) fn amount(value: &Value, currency: &Currency, example: &str) -> Option<i64> {
    amount_from(value, currency, example, 1)
}

/// An amount in minor units, which may be zero.
pub(super) fn amount_from_zero(value: &Value, currency: &Currency, example: &str) -> Option<i64> {
    amount_from(value, currency, example, 0)
}

fn amount_from(value: &Value, currency: &Currency, example: &str, least: i64) -> Option<i64> {
    let text = value.amount_text(example)?;
    let amount = currency.parse(text).filter(|amount| *amount >= least);
    if amount.is_none() {
        let right = match punctuation::plainly(text) {
            Some(plain) => format!("write it with plain characters: \"{plain}\""),
            None => format!(
                "write it {}, with {} digits after the point, such as \"{example}\"",
                if least > 0 { "above zero" } else { "as digits" },
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
