//! Programme files: what they mean, what is said about their mistakes, and that numbers and calendars hold what they
//! promise.

#![allow(clippy::unwrap_used)]

#[path = "programme/campaigns.rs"]
mod campaigns;
#[path = "programme/quotas.rs"]
mod quotas;
#[path = "programme/tender.rs"]
mod tender;

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use tidegate::programme::{
    Bundle, BundleFile, Compiled, Each, Earning, ForStore, LimitOver, Numbering, Price, Quota, Report, Severity, Sold,
    compile,
};

const HEAD: &str = "programme = \"p\"\nzone = \"Asia/Shanghai\"\ncurrency = \"CNY\"\nbrands = [\"b\"]\n";
const WINDOW: &str = "window = { every = \"month\", from = \"20 10:00\", until = \"last 24:00\" }\n";
const OFFER: &str = "[[campaign.c.offer]]\nsku = \"S\"\nprice = { points = 1 }\n";
const TWO_TIERS: &str =
    "[[tier]]\nslug = \"basic\"\nfrom = 0\n[[tier]]\nslug = \"gold\"\nfrom = 10\n[check-in]\npoints = 1\n";

fn bundle(text: &str) -> Bundle {
    let file = BundleFile { name: "programme.toml".to_owned(), text: text.to_owned() };
    Bundle::from_files(vec![file]).unwrap()
}

fn try_compile(text: &str) -> Result<Compiled, Report> {
    compile(&bundle(text), &Numbering::default())
}

fn compiled(text: &str) -> Compiled {
    try_compile(text).unwrap_or_else(|report| panic!("{report}"))
}

/// The findings of a text, one a line, without the file's name.
fn said_about(text: &str) -> Vec<String> {
    let findings = match try_compile(text) {
        Ok(compiled) => compiled.warnings,
        Err(report) => report.findings,
    };
    findings.iter().map(|finding| finding.to_string().replacen("programme.toml:", "", 1)).collect()
}

#[track_caller]
fn says(text: &str, expected: &[&str]) {
    assert_eq!(said_about(text), expected, "{text}");
}

fn shipped(name: &str) -> Compiled {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes").join(name);
    compile(&Bundle::read(&dir).unwrap(), &Numbering::default()).unwrap_or_else(|report| panic!("{report}"))
}

/// The so-manieth example of the reference page.
fn on_the_page(nth: usize) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/programmes.md")).unwrap();
    page.split("```toml\n").nth(nth).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

/// The points for an amount through a channel.
fn earned(earning: &Earning, channel: &str, amount_minor: i64) -> i64 {
    earning.points([Sold { category: "", store: "", channel, brand: "house", amount_minor }])
}

/// A quota for each window, of no store.
fn quota(tier: Option<u8>, total: u64) -> Quota {
    Quota { tier, store: ForStore::All, each: Each::Window, total, carried: false }
}

/// A price in points alone.
fn points(points: i64) -> Option<Price> {
    Some(Price { points, money_minor: 0 })
}

#[test]
fn shipped_bundles_compile_without_a_warning() {
    for name in ["monthly-exchange", "flash-sale", "check-in"] {
        let compiled = shipped(name);
        assert_eq!(compiled.warnings, [], "{name}");
        assert_eq!(compiled.programme.slug, name);
        assert!(compiled.programme.describe().iter().all(|title| title.en.ends_with('.') && title.zh.ends_with('。')));
    }
}

#[test]
fn monthly_exchange_says_what_its_file_says() {
    let programme = shipped("monthly-exchange").programme;
    let campaign = programme.campaign_by_slug("monthly-gift").unwrap();
    assert_eq!(programme.campaign(campaign.number).unwrap().slug, "monthly-gift");
    assert!(
        programme.campaign(0).is_none() && programme.campaign(2).is_none() && programme.campaign(u32::MAX).is_none()
    );
    assert_eq!(campaign.limits[0].times, 1);
    assert_eq!(campaign.limits[0].over, LimitOver::AllOffers);
    assert_eq!(campaign.quotas, [quota(None, 12_000), quota(Some(1), 8000)]);
    let serum = campaign.offer_by_sku("SET-SERUM-30").unwrap();
    assert_eq!(campaign.offer(serum.number), Some(serum));
    assert_eq!(serum.prices, [points(1200), points(1000), points(800)]);
    assert_eq!(campaign.offer_by_sku("SET-GOLD-1").unwrap().prices, [None, None, points(2000)]);
    assert_eq!(campaign.hold_answer_ms, 2000);
    assert_eq!([0, 1999, 2000, 9999, 10_000, i64::MAX].map(|earned| programme.tier_of(earned)), [0, 0, 1, 1, 2, 2]);
    assert!(programme.channel("mall").is_some());
    assert_eq!(earned(programme.earning.as_ref().unwrap(), "mall", 39_99), 39);
    assert!(programme.has_brand("house") && !programme.has_brand("House") && programme.channel("Mall").is_none());
}

#[test]
fn mistakes_in_keys_name_the_nearest_known_one() {
    says(&format!("{HEAD}chanels = [\"a\"]\n"), &["5:1: error: unknown key `chanels`; did you mean `channels`?"]);
    says(
        &format!("{HEAD}[orders]\nforget = \"1d\"\n"),
        &["6:1: error: unknown key `orders.forget`; known here: remember, ahead"],
    );
}

#[test]
fn full_width_punctuation_has_its_own_message() {
    says(
        "programme ＝ “p”\n# ， is fine here\ntitle = \"，\"\nzone = \"Asia/Shanghai\"，\n",
        &[
            "1:11: error: the full-width character `＝`; write the plain `=`",
            "1:13: error: the full-width character `“`; write the plain `\"`",
            "1:15: error: the full-width character `”`; write the plain `\"`",
            "4:23: error: the full-width character `，`; write the plain `,`",
        ],
    );
    let window = WINDOW.replace("20 10:00", "20 10：00");
    says(
        &format!("{HEAD}[campaign.c]\n{window}{OFFER}"),
        &["6:36: error: `campaign.c.window.from` is \"20 10：00\"; write it with plain characters: \"20 10:00\""],
    );
}

#[test]
fn what_is_not_toml_is_placed() {
    says(
        &format!("{HEAD}[campaign.c\n"),
        &["5:12: error: this is not TOML: unclosed table, expected `]`; correct it here or just before"],
    );
    says(
        &format!("{HEAD}zone = \"Asia/Shanghai\"\n"),
        &["5:1: error: this is not TOML: duplicate key; correct it here or just before"],
    );
}

#[test]
fn several_mistakes_are_reported_at_once() {
    says(
        "programme = \"P 1\"\nzone = \"Asia/Shanghia\"\ncurrency = \"RMB\"\n",
        &[
            "1:1: error: `brands` is missing; add it: brands = [\"my-brand\"]",
            "1:13: error: \"P 1\" is no id; use lower-case letters, digits and hyphens, a letter first, at most 64; names for people go into `title`",
            "2:8: error: there is no time zone \"Asia/Shanghia\"; write an IANA name, such as \"Asia/Shanghai\" or \"America/New_York\"",
            "3:12: error: there is no currency \"RMB\" in use; write the three capitals of ISO 4217, such as \"CNY\"",
        ],
    );
}

#[test]
fn amounts_are_text_and_the_fix_is_shown() {
    let earning =
        |per: &str| format!("{HEAD}channels = [\"a\"]\n[earning]\npoints = 1\nper = {per}\nrounding = \"down\"\n");
    let bare = |number: &str| {
        format!(
            "8:7: error: `earning.per` is the bare number {number}; an amount is never a binary fraction; put it in quotes: \"{number}\""
        )
    };
    says(&earning("39.80"), &[&bare("39.80")]);
    says(&earning("1"), &[&bare("1")]);
    for wrong in ["1.0", "0.00", "-1.00", "1,00", ".50", "1.000", "1e2", ""] {
        let expected = format!(
            "8:7: error: \"{wrong}\" is no amount in CNY; write it above zero, with 2 digits after the point, such as \"1.00\""
        );
        says(&earning(&format!("\"{wrong}\"")), &[&expected]);
    }
    says(
        &earning("\"１．００\""),
        &["8:7: error: \"１．００\" is no amount in CNY; write it with plain characters: \"1.00\""],
    );
    assert_eq!(earned(compiled(&earning("\"39.80\"")).programme.earning.as_ref().unwrap(), "a", 39_80), 1);
}

#[test]
fn earning_states_what_is_rounded_where_it_matters() {
    let text = format!(
        "{HEAD}channels = [\"a\", \"a\", \"\"]\n[earning]\npoints = 3\nper = \"1.00\"\nrounding = \"floor\"\n[earning.channel.b]\n"
    );
    says(
        &text,
        &[
            "5:18: error: \"a\" is listed twice; list it once",
            "5:23: error: \"\" cannot be a name; use 1 to 64 bytes of text without line breaks, and without spaces at its ends",
            "6:2: error: `earning.round` is missing; add it: round = \"steps\" (whole steps count, then times the points) or round = \"points\" (in proportion, then rounded)",
            "9:12: error: `earning.rounding` is \"floor\"; write \"down\" or \"up\" or \"half-up\" or \"half-even\"",
            "10:18: error: the channel \"b\" is not declared; add it to `channels`, or correct its name",
        ],
    );
}

#[test]
fn limits_quotas_and_prices_are_held_to_their_words() {
    let sections = "quota = { total = 5.5 }\nper_member = { times = \"1\", each = \"year\", over = \"all\" }\n";
    let offers =
        "[[campaign.c.offer]]\nsku = \"S\"\nprice = 1200\n[[campaign.c.offer]]\nsku = \"T\"\nprice = { points = -1 }\n";
    says(
        &format!("{HEAD}[campaign.c]\n{WINDOW}{sections}{offers}"),
        &[
            "7:9: error: `campaign.c.quota.each` is missing; add it: each = \"window\"",
            "7:19: error: `campaign.c.quota.total` is a number with a point; write a whole number from 0 to 1000000000000",
            "8:24: error: `campaign.c.per_member.times` is a text; write 1 without quotes",
            "8:36: error: `campaign.c.per_member.each` is \"year\"; write \"window\" or \"day\" or \"week\" or \"month\" or \"life\"",
            "8:51: error: `campaign.c.per_member.over` is \"all\"; write \"all offers\" or \"each offer\"",
            "11:9: error: `campaign.c.offer[1].price` is a whole number; write a table, such as { points = … }",
            "14:20: error: `campaign.c.offer[2].price.points` is -1; write a whole number from 0 to 1000000000000",
        ],
    );
}

#[test]
fn what_can_never_happen_is_warned_of() {
    let price = "price = { basic = { points = 5 }, gold = { points = 1 } }\nquota = { each = \"window\", total = 5, by_tier = { gold = 9, basic = 1 } }\n";
    let text = format!(
        "{HEAD}{TWO_TIERS}[campaign.c]\n{WINDOW}tiers = [\"gold\"]\n[[campaign.c.offer]]\nsku = \"S\"\n{price}"
    );
    says(
        &text,
        &[
            "18:11: warning: the price for \"basic\" is never asked: that tier is not admitted; add it to `tiers`, or leave its price out",
            "19:58: warning: the quota of 9 for \"gold\" is more than the total; it can never be used up; lower it, or raise the total",
            "19:61: warning: the tier \"basic\" is not admitted here; give it a price and add it to `tiers`, or leave its quota out",
        ],
    );
    assert_eq!(compiled(&text).programme.campaigns[0].offers[0].prices, [None, points(1)]);
    says(
        &format!("{HEAD}[check-in]\npoints = 1\nstreak = [{{ day = 40, bonus = 2 }}]\ncycle = 30\n"),
        &[
            "7:11: warning: day 40 is never reached: the table starts again after 30 days; take a day within the cycle, or a longer cycle",
        ],
    );
    says(
        &format!("{HEAD}{}", TWO_TIERS.replace("10", "0")),
        &[
            "5:1: warning: the tier \"basic\" is never reached: \"gold\" also starts from 0; give each tier its own `from`",
        ],
    );
}

#[test]
fn tiers_start_from_zero_and_unknown_ones_are_named() {
    says(
        &format!("{HEAD}[check-in]\npoints = 1\n[[tier]]\nslug = \"a\"\nfrom = 5\n"),
        &["7:1: error: the lowest tier \"a\" starts from 5; let it start from 0, for new members"],
    );
    let price = OFFER.replace("{ points = 1 }", "{ glod = { points = 1 } }");
    says(
        &format!("{HEAD}{TWO_TIERS}[campaign.c]\n{WINDOW}{price}"),
        &["17:11: error: there is no tier \"glod\"; the tiers are: basic, gold"],
    );
}

#[test]
fn windows_are_refused_with_the_right_form_shown() {
    let with = |window: &str| format!("{HEAD}[campaign.c]\nwindow = {{ {window} }}\n{OFFER}");
    says(
        &with("every = \"fortnight\", from = \"20 10:00\", until = \"last 24:00\""),
        &[
            "6:20: error: `campaign.c.window.every` is \"fortnight\"; write \"day\" or \"week\" or \"month\" or \"year\"",
        ],
    );
    for (every, from, like) in [
        ("day", "25:00", "10:00"),
        ("day", "24:01", "10:00"),
        ("week", "someday 10:00", "friday 10:00"),
        ("month", "32 10:00", "20 10:00"),
        ("month", "0 10:00", "20 10:00"),
        ("year", "02-30 00:00", "12-01 00:00"),
        ("year", "13-01 00:00", "12-01 00:00"),
    ] {
        let until = like.replace("20", "21").replace("10:00", "11:00").replace("-01", "-02");
        let expected =
            format!("6:{}: error: `campaign.c.window.from` is \"{from}\"; write it like \"{like}\"", 31 + every.len());
        says(&with(&format!("every = \"{every}\", from = \"{from}\", until = \"{until}\"")), &[&expected]);
    }
    says(
        &with("from = \"2026-11-20 10:00\", until = \"2026-11-20 10:00\""),
        &["6:47: error: the window closes before it opens; let `until` be later than `from`"],
    );
    says(
        &with("from = 2026-11-20T10:00:00, until = \"2026-11-20 24:00\""),
        &["6:19: error: `campaign.c.window.from` is a bare date or time; put it in quotes: \"2026-11-20 10:00:00\""],
    );
}

#[test]
fn a_later_numbering_keeps_what_was_given_and_reuses_nothing() {
    let file = |tiers: &[&str], channels: &[&str], campaigns: &[(&str, &[&str])]| {
        let mut text = format!("{HEAD}channels = {channels:?}\n[check-in]\npoints = 1\n");
        for (index, tier) in tiers.iter().enumerate() {
            text += &format!("[[tier]]\nslug = \"{tier}\"\nfrom = {}\n", index * 10);
        }
        for (campaign, skus) in campaigns {
            text += &format!("[campaign.{campaign}]\n{WINDOW}");
            for sku in *skus {
                text += &format!("[[campaign.{campaign}.offer]]\nsku = \"{sku}\"\nprice = {{ points = 1 }}\n");
            }
        }
        bundle(&text)
    };
    let first =
        compile(&file(&["z", "a"], &["y", "b"], &[("m", &["T", "S"]), ("c", &["S"])]), &Numbering::default()).unwrap();
    let numbers = |compiled: &Compiled| {
        let campaigns = compiled.programme.campaigns.iter();
        campaigns
            .map(|campaign| (campaign.number, campaign.offers.iter().map(|offer| offer.number).collect()))
            .collect::<Vec<(u32, Vec<u32>)>>()
    };
    assert_eq!(numbers(&first), [(1, vec![1, 2]), (2, vec![1])]);
    let second = compile(&file(&["n"], &["n"], &[("n", &["S"]), ("c", &["U", "S"])]), &first.numbering).unwrap();
    assert_eq!(numbers(&second), [(3, vec![1]), (2, vec![2, 1])]);
    assert_eq!((second.programme.tiers[0].number, second.programme.channels[0].number), (3, 3));
    let text = second.numbering.to_text();
    let read = Numbering::from_text(&text).unwrap();
    assert_eq!((&read, read.to_text()), (&second.numbering, text));
    let third =
        compile(&file(&["a", "z", "n"], &["b", "y"], &[("c", &["S"]), ("m", &["S", "V", "T"])]), &read).unwrap();
    assert_eq!(numbers(&third), [(2, vec![1]), (1, vec![2, 3, 1])]);
    assert_eq!(third.programme.tiers.iter().map(|tier| tier.number).collect::<Vec<_>>(), [2, 1, 3]);
    assert_eq!(third.programme.channels.iter().map(|channel| channel.number).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_numbering_that_is_not_ours_is_refused() {
    let text = |version, tiers: &str| {
        format!("{{\"version\":{version},\"campaigns\":{{}},\"tiers\":{tiers},\"channels\":{{}}}}")
    };
    assert_eq!(Numbering::default().to_text(), text(1, "{}"));
    for (wrong, message) in [
        (text(3, "{}"), "the numbering has version 3, this program knows versions 1 and 2"),
        (
            text(1, "{\"a\":1,\"b\":1}"),
            "the numbering gives tier \"b\" the number 1, which is given twice or leaves a hole",
        ),
        (text(1, "{\"a\":2}"), "the numbering gives tier \"a\" the number 2, which is given twice or leaves a hole"),
        (text(1, "{\"a\":0}"), "the numbering gives tier \"a\" the number 0, which is given twice or leaves a hole"),
    ] {
        assert_eq!(Numbering::from_text(&wrong).unwrap_err().to_string(), message);
    }
    assert!(Numbering::from_text("").is_err());
}

#[test]
fn no_two_tiers_share_a_number_however_often_files_change() {
    let mut numbering = Numbering::default();
    let mut seen = BTreeSet::new();
    for round in 0..255 {
        let text = format!("{HEAD}[[tier]]\nslug = \"t{round}\"\nfrom = 0\n");
        let next = compile(&bundle(&text), &numbering).unwrap();
        assert!(seen.insert(next.programme.tiers[0].number));
        numbering = next.numbering;
    }
    let report = compile(&bundle(&format!("{HEAD}[[tier]]\nslug = \"one-more\"\nfrom = 0\n")), &numbering).unwrap_err();
    assert!(report.to_string().contains("there are no numbers left for new tiers"), "{report}");
}

#[test]
fn the_streak_table_starts_again_after_its_cycle() {
    let check_in = |more: &str| {
        let text = format!(
            "{HEAD}[check-in]\npoints = 2\nstreak = [{{ day = 7, bonus = 50 }}, {{ day = 3, bonus = 5 }}]\n{more}"
        );
        compiled(&text).programme.check_in.unwrap()
    };
    let once = check_in("");
    let again = check_in("cycle = 7\n");
    for streak in 0..100 {
        let on = |day| match (streak, day) {
            (0, _) => 0,
            (_, 3) => 5,
            (_, 7) => 50,
            _ => 0,
        };
        assert_eq!(once.bonus(streak), on(streak), "{streak}");
        assert_eq!(again.bonus(streak), on(if streak % 7 == 0 { 7 } else { streak % 7 }), "{streak}");
    }
    assert_eq!((once.bonus(u32::MAX), again.bonus(u32::MAX)), (0, if u32::MAX % 7 == 3 { 5 } else { 0 }));
}

#[test]
fn how_far_a_day_can_be_reached_is_held_to_its_words() {
    let text = format!(
        "{HEAD}tags = [\"koc\", \"koc\"]\n[check-in]\npoints = 2\nlate = \"32d\"\n\
         make_up = {{ within = \"0d\", card = \"card\", earns = \"yes\" }}\nzones = [\"Mars/Base\", \"Asia/Shanghai\"]\n"
    );
    says(
        &text,
        &[
            "5:16: error: \"koc\" is listed twice; list it once",
            "8:8: error: `check-in.late` is \"32d\"; write 0s to 31d: a whole number and one of ms, s, m, h, d, without a space",
            "9:22: error: `check-in.make_up.within` is no number of days; write \"1d\" to \"31d\"",
            "9:35: error: there is no right \"card\"; add [right.card]",
            "9:51: error: `check-in.make_up.earns` is a text; write true or false, without quotes",
            "10:10: error: there is no time zone \"Mars/Base\"; write an IANA name, such as \"Asia/Shanghai\" or \"America/New_York\"",
            "10:23: error: \"Asia/Shanghai\" is there already; list each once; the programme's own is always allowed",
        ],
    );
}

#[test]
fn a_bundle_is_bounded_and_its_hash_tells_names_from_texts() {
    let file = |name: &str, text: &str| BundleFile { name: name.to_owned(), text: text.to_owned() };
    let main = || file("programme.toml", HEAD);
    let of = |files| Bundle::from_files(files).map_err(|error| error.to_string());
    assert_eq!(
        of(vec![file("a.csv", "")]).unwrap_err(),
        "the bundle has no programme.toml; give the directory that holds it"
    );
    assert!(of(vec![main(), main()]).unwrap_err().contains("programme.toml"));
    assert!(of(vec![main(), file("../a.csv", "")]).is_err());
    assert!(of(vec![main(), file("a.csv", &"x".repeat(1 << 20))]).unwrap_err().contains("larger than 1048576 bytes"));
    let many = (0..64).map(|index| file(&format!("{index}.csv"), "")).chain([main()]).collect();
    assert!(of(many).unwrap_err().contains("more than 64 files"));
    let hash = |files| of(files).unwrap().hash();
    let one = hash(vec![main(), file("a.csv", "bc")]);
    assert_eq!(one, hash(vec![file("a.csv", "bc"), main()]));
    assert_ne!(one, hash(vec![main(), file("a.csvb", "c")]));
    assert_ne!(one, hash(vec![main(), file("a.csv", "bd")]));
    assert_eq!(bundle(HEAD).slug().unwrap(), "p");
    assert_eq!(bundle("x = 1").slug().unwrap_err().findings.len(), 2);
}

#[test]
fn compiling_is_repeatable() {
    let text = format!("{HEAD}{TWO_TIERS}[campaign.c]\n{WINDOW}{OFFER}");
    let (one, other) = (compiled(&text), compiled(&text));
    assert_eq!(format!("{:?}", one.programme.campaigns), format!("{:?}", other.programme.campaigns));
    assert_eq!(one.numbering.to_text(), other.numbering.to_text());
    assert_eq!(one.programme.bundle_hash, bundle(&text).hash());
}

proptest! {
    /// Points by each rounding mode against the definition in whole numbers, over all amounts.
    #[test]
    fn rounding_is_exact(amount in prop_oneof![0..100_000_i64, any::<i64>()], points in 0..1000_i64, per in 1..100_000_i64, mode in 0..4_usize, steps in any::<bool>()) {
        let rounding = ["down", "up", "half-up", "half-even"][mode];
        let round = if steps { "steps" } else { "points" };
        let text = format!("{HEAD}channels = [\"a\"]\n[earning]\npoints = {points}\nper = \"{}.{:02}\"\nrounding = \"{rounding}\"\nround = \"{round}\"\n", per / 100, per % 100);
        let earned = earned(compiled(&text).programme.earning.as_ref().unwrap(), "a", amount);
        let (amount, points, per) = (i128::from(amount.max(0)), i128::from(points), i128::from(per));
        let exact = if steps { amount } else { amount * points };
        // The only whole number that the mode's definition admits.
        let admitted = |whole: i128| {
            let twice_off = 2 * (exact - whole * per);
            match mode {
                0 => twice_off >= 0 && twice_off < 2 * per,
                1 => twice_off <= 0 && twice_off > -2 * per,
                2 => twice_off >= -per && twice_off < per,
                _ => twice_off.abs() < per || (twice_off.abs() == per && whole % 2 == 0),
            }
        };
        let near = exact / per;
        let whole = (near - 1..=near + 1).find(|whole| admitted(*whole)).unwrap();
        let expected = if steps { whole * points } else { whole };
        prop_assert_eq!(i128::from(earned), expected.min(i128::from(i64::MAX)));
    }

    /// No text makes the compiler panic, and what is refused is refused with an error inside the text.
    #[test]
    fn any_text_compiles_or_is_refused_with_an_error(cut in 0..3000_usize, insert in ".{0,6}", name in 0..4_usize) {
        let path = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("programmes").join(name).join("programme.toml");
        let mut text = match ["monthly-exchange", "flash-sale", "check-in"].get(name) {
            Some(name) => std::fs::read_to_string(path(name)).unwrap(),
            None => on_the_page(2),
        };
        let at = text.floor_char_boundary(cut.min(text.len()));
        text.insert_str(at, &insert);
        if let Err(report) = try_compile(&text) {
            prop_assert!(report.findings.iter().any(|finding| finding.severity == Severity::Error));
            let lines = text.split('\n').count() as u32;
            prop_assert!(report.findings.iter().all(|finding| (1..=lines).contains(&finding.line) && finding.column >= 1));
        }
    }
}

#[test]
fn the_reference_page_example_compiles_and_says_what_the_page_says() {
    let compiled = compiled(&on_the_page(1));
    assert_eq!(compiled.warnings, []);
    let programme = compiled.programme;
    let earning = programme.earning.as_ref().unwrap();
    assert_eq!([earned(earning, "mall", 15_99), earned(earning, "counter", 15_00)], [15, 23]);
    let campaign = programme.campaign_by_slug("monthly-gift").unwrap();
    let offer = campaign.offer_by_sku("SET-0001").unwrap();
    let gold = programme.tiers[1].number;
    assert_eq!(campaign.quotas, [quota(None, 6000)]);
    assert_eq!(offer.quotas, [quota(None, 5000), quota(Some(gold), 500)]);
    let numbers = "{\"version\":1,\"campaigns\":{\"monthly-gift\":{\"number\":1,\"offers\":{\"SET-0001\":1}}},";
    assert!(compiled.numbering.to_text().starts_with(numbers));
}

#[test]
fn the_reference_page_shop_compiles_and_says_what_the_page_says() {
    let compiled = compiled(&on_the_page(2));
    assert_eq!(compiled.warnings, []);
    let campaign = compiled.programme.campaign_by_slug("shop").unwrap();
    let offer = |sku| campaign.offer_by_sku(sku).unwrap();
    assert_eq!(campaign.head_start_ms, [0, 30 * 60_000]);
    let thermos = |yuan: i64| Some(Price { points: 500, money_minor: yuan * 100 });
    assert_eq!(offer("THERMOS-BOX").prices, [thermos(49), thermos(39)]);
    assert_eq!(offer("POSTCARD").quotas, [Quota { carried: true, ..quota(None, 100) }]);
    let umbrellas = Quota { each: Each::Day, store: ForStore::Each, ..quota(None, 5) };
    assert_eq!(offer("UMBRELLA").quotas, [umbrellas]);
    assert!(compiled.programme.tender.is_some());
}

#[test]
fn findings_are_bounded_and_the_reason_is_among_them() {
    let warnings: String = (0..300).map(|day| format!("{{ day = {}, bonus = 1 }}, ", day + 31)).collect();
    let text = format!("{HEAD}[check-in]\npoints = 1\nstreak = [{warnings}]\ncycle = 30\n");
    assert_eq!(said_about(&text).len(), 200);
    let report = try_compile(&text.replace("day = 330", "day = 0")).unwrap_err();
    assert!(report.to_string().contains("day` is 0; write a whole number from 1 to 3660"), "{report}");
    let report = try_compile(&format!("{text}[orders]\nunknown = 1\n")).unwrap_err();
    assert_eq!(report.findings.len(), 201);
    let unknown: String = (0..1000).map(|index| format!("key{index} = 1\n")).collect();
    assert_eq!(said_about(&format!("{unknown}{HEAD}")).len(), 200);
}

#[test]
fn campaigns_at_a_time_are_bounded() {
    let campaigns = |count| {
        (0..count).map(|index| format!("[campaign.c{index}]\n{WINDOW}{}", OFFER.replace(".c.", &format!(".c{index}."))))
    };
    assert_eq!(compiled(&format!("{HEAD}{}", campaigns(256).collect::<String>())).programme.campaigns.len(), 256);
    let expected =
        "5:2: error: there are 257 campaigns; a programme has at most 256 at a time; leave out those that are over";
    says(&format!("{HEAD}{}", campaigns(257).collect::<String>()), &[expected]);
}
