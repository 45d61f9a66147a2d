//! What a shop's campaigns say: prices in points and money, limits by day, week, month and life, tags and head starts.

use tidegate::programme::{Campaign, MemberLimit};

use super::*;

const SHOP: &str = "tags = [\"koc\", \"staff\"]\nstores = [\"sh-01\", \"sh-02\"]\n";

/// A campaign `c` of two tiers, with more keys, and an offer with these.
fn shop(campaign: &str, offer: &str) -> String {
    format!("{HEAD}{SHOP}{TWO_TIERS}[campaign.c]\n{WINDOW}{campaign}\n[[campaign.c.offer]]\nsku = \"S\"\n{offer}\n")
}

/// The same with a price of one point.
pub fn priced(campaign: &str, offer: &str) -> String {
    shop(campaign, &format!("price = {{ points = 1 }}\n{offer}"))
}

fn campaign(text: &str) -> Campaign {
    compiled(text).programme.campaigns.remove(0)
}

/// What a campaign's second sentence and those after it say, English and Chinese.
fn described(text: &str) -> Vec<[String; 2]> {
    let programme = compiled(text).programme;
    let about = |title: &tidegate::programme::Title| title.en.starts_with("c: ") || title.en.starts_with("c, ");
    programme.describe().into_iter().filter(about).map(|title| [title.en, title.zh]).collect()
}

fn price(points: i64, money_minor: i64) -> Price {
    Price { points, money_minor }
}

#[test]
fn a_price_is_points_or_money_or_both() {
    let prices = |text: &str| campaign(&shop("", &format!("price = {text}"))).offers.remove(0).prices;
    assert_eq!(prices("{ money = \"9.90\" }"), [Some(price(0, 990)); 2]);
    assert_eq!(prices("{ points = 500, money = \"9.90\" }"), [Some(price(500, 990)); 2]);
    assert_eq!(prices("{ points = 5, money = \"0\" }"), [Some(price(5, 0)); 2]);
    assert_eq!(
        prices("{ basic = { points = 1200 }, gold = { money = \"10995116277.75\" } }"),
        [Some(price(1200, 0)), Some(price(0, (1 << 40) - 1))]
    );
    assert_eq!(prices("{ gold = { money = \"5\" } }"), [None, Some(price(0, 500))]);
}

#[test]
fn who_has_a_tag_has_its_price_by_the_order_of_the_list() {
    let text = "price = { points = 900 }\nprice_for = [{ tag = \"staff\", money = \"1.00\" }, { tag = \"koc\", points = 500 }]";
    let compiled = compiled(&shop("", text));
    let [koc, staff] = [0, 1].map(|at: usize| compiled.programme.tags[at].number);
    let offer = &compiled.programme.campaigns[0].offers[0];
    assert_eq!(offer.prices_for, [(staff, price(0, 100)), (koc, price(500, 0))]);
}

#[test]
fn wrong_prices_are_placed() {
    let prices = |text: &str, expected: &[&str]| says(&shop("", text), expected);
    prices(
        "price = {}",
        &["20:9: error: no tier has a price; write { points = 1200 }, or a price for at least one tier admitted"],
    );
    prices(
        "price = { points = 1, mony = \"1\" }",
        &["20:23: error: unknown key `campaign.c.offer[1].price.mony`; did you mean `money`?"],
    );
    prices(
        "price = { money = 9.90 }",
        &[
            "20:19: error: `campaign.c.offer[1].price.money` is the bare number 9.90; an amount is never a binary fraction; put it in quotes: \"9.90\"",
        ],
    );
    prices(
        "price = { money = \"9.9\" }",
        &[
            "20:19: error: \"9.9\" is no amount in CNY; write it as digits, with 2 digits after the point, such as \"9.90\"",
        ],
    );
    prices(
        "price = { money = \"10995116277.76\" }",
        &[
            "20:19: error: `campaign.c.offer[1].price.money` is more than can be counted; write at most \"10995116277.75\"",
        ],
    );
    prices(
        "price = { gold = {} }",
        &[
            "20:18: error: `campaign.c.offer[1].price.gold.points` is missing; add it: points = 1200, or money = \"9.90\", or both",
        ],
    );
    prices(
        "price = { points = 1 }\nprice_for = [{ tag = \"kok\", points = 1 }, { tag = \"koc\" }, { points = 1 }]",
        &[
            "21:22: error: there is no tag \"kok\"; add it: tags = [\"kok\"]",
            "21:43: error: `campaign.c.offer[1].price_for[2].points` is missing; add it: points = 1200, or money = \"9.90\", or both",
            "21:60: error: `campaign.c.offer[1].price_for[3].tag` is missing; add it: tag = \"koc\"",
        ],
    );
    prices(
        "price = { points = 1 }\nprice_for = [{ tag = \"koc\", points = 1 }, { tag = \"koc\", points = 2 }]",
        &["21:43: error: this tag has a price already; keep one of them: only the first would ever be asked"],
    );
    // A tier may be called so, and have its own price.
    let text = format!(
        "{HEAD}{}[campaign.c]\n{WINDOW}[[campaign.c.offer]]\nsku = \"S\"\nprice = {{ money = {{ points = 5 }} }}\n",
        TWO_TIERS.replace("gold", "money")
    );
    assert_eq!(compiled(&text).programme.campaigns[0].offers[0].prices, [None, points(5)]);
    says(
        &shop("", "price = { money = \"9.90\" }").replace("CNY", "CNX"),
        &["3:12: error: there is no currency \"CNX\" in use; write the three capitals of ISO 4217, such as \"CNY\""],
    );
}

#[test]
fn tags_admit_who_has_one_of_them() {
    let compiled = compiled(&priced("tags = [\"staff\", \"koc\"]", ""));
    let [koc, staff] = [0, 1].map(|at: usize| compiled.programme.tags[at].number);
    assert_eq!(compiled.programme.campaigns[0].tags, [staff, koc]);
    says(
        &priced("tags = [\"koc\", \"vip\", \"koc\", 1]", ""),
        &[
            "17:16: error: there is no tag \"vip\"; add it: tags = [\"vip\"]",
            "17:23: error: this tag is listed twice; list it once",
            "17:30: error: `campaign.c.tags[4]` is a whole number; write a text in quotes, such as \"shop-1\"",
        ],
    );
    says(
        &priced("tags = []", ""),
        &["17:8: error: `tags` is empty; name the tags of which a member must have one, or leave it out"],
    );
}

#[test]
fn a_head_start_is_by_tier() {
    let earlier = |text: &str| campaign(&priced(&format!("head_start = {text}"), "")).head_start_ms;
    assert_eq!(earlier("{ gold = \"10m\" }"), [0, 600_000]);
    assert_eq!(earlier("{ gold = \"7d\" }"), [0, 7 * 86_400_000]);
    assert!(earlier("{}").is_empty());
    let says = |text: &str, expected: &[&str]| says(&priced(text, ""), expected);
    says(
        "head_start = { black = \"1h\", gold = \"8d\", basic = \"999ms\" }",
        &[
            "17:16: error: there is no tier \"black\"; the tiers are: basic, gold",
            "17:37: error: `campaign.c.head_start.gold` is \"8d\"; write 1s to 7d: a whole number and one of ms, s, m, h, d, without a space",
            "17:51: error: `campaign.c.head_start.basic` is \"999ms\"; write 1s to 7d: a whole number and one of ms, s, m, h, d, without a space",
        ],
    );
    says(
        "tiers = [\"gold\"]\nhead_start = { basic = \"1h\" }",
        &[
            "18:16: warning: the head start of \"basic\" is of no use: that tier is not admitted; add it to `tiers`, or leave its head start out",
        ],
    );
    says(
        "tiers = [\"gold\"]\nhead_start = { gold = \"1h\" }",
        &["18:14: warning: every tier has a head start; let the window itself open earlier"],
    );
    says(
        "head_start = { basic = \"1h\", gold = \"2h\" }",
        &["17:14: warning: every tier has a head start; let the window itself open earlier"],
    );
}

#[test]
fn a_head_start_is_shorter_than_the_time_between_two_windows() {
    let daily = |text: &str| priced(&format!("head_start = {{ gold = \"{text}\" }}"), "").replace(WINDOW, DAILY);
    const DAILY: &str = "window = { every = \"day\", from = \"10:00\", until = \"22:00\" }\n";
    says(&daily("43199s"), &[]);
    says(
        &daily("12h"),
        &[
            "17:23: error: the head start is as long as the window is closed, or longer; write less than lies between two windows",
        ],
    );
    // A window that opens once has nothing before it.
    let once = "window = { from = \"2026-11-20 10:00\", until = \"2026-11-20 12:00\" }\n";
    says(&daily("7d").replace(DAILY, once), &[]);
}

#[test]
fn limits_are_by_window_day_week_month_and_life() {
    let limits = |text: &str| campaign(&priced(&format!("per_member = {text}"), "")).limits;
    let limit = |times, each, over| MemberLimit { times, each, over };
    let (all, each) = (LimitOver::AllOffers, LimitOver::EachOffer);
    assert_eq!(limits("{ times = 3, each = \"life\", over = \"each offer\" }"), [limit(3, Each::Life, each)]);
    assert_eq!(
        limits(
            "[{ times = 1, each = \"day\", over = \"all offers\" }, { times = 2, each = \"day\", over = \"each offer\" }, \
             { times = 3, each = \"week\", over = \"all offers\" }, { times = 4, each = \"month\", over = \"all offers\" }, \
             { times = 5, each = \"window\", over = \"all offers\" }]"
        ),
        [
            limit(1, Each::Day, all),
            limit(2, Each::Day, each),
            limit(3, Each::Week, all),
            limit(4, Each::Month, all),
            limit(5, Each::Window, all)
        ]
    );
    let one = |times| format!("{{ times = {times}, each = \"day\", over = \"all offers\" }}");
    says(
        &priced(&format!("per_member = [{}, {}]", one(1), one(2)), ""),
        &["17:65: error: this limit is there twice; keep one of them"],
    );
    says(
        &priced(&format!("per_member = [{}]", [one(1), one(2), one(3), one(4), one(5), one(6)].join(", ")), ""),
        &["17:14: error: there are 6 limits; a campaign has at most 5"],
    );
    says(
        &priced("per_member = [{ times = 0, each = \"year\" }, 3]", ""),
        &[
            "17:15: error: `campaign.c.per_member[1].over` is missing; add it: over = \"all offers\" or over = \"each offer\"",
            "17:25: error: `campaign.c.per_member[1].times` is 0; write a whole number from 1 to 1000000",
            "17:35: error: `campaign.c.per_member[1].each` is \"year\"; write \"window\" or \"day\" or \"week\" or \"month\" or \"life\"",
            "17:45: error: `campaign.c.per_member[2]` is a whole number; write a table, such as { times = … }",
        ],
    );
}

#[test]
fn limits_but_by_window_count_offers_of_small_numbers() {
    let offers: String = (1..=8_192).map(|number| format!("\"S{number}\":{number},")).collect();
    let numbering = |last: &str| {
        let offers = format!("{{{}}}", offers.replacen("\"S8192\"", last, 1).trim_end_matches(','));
        let text = format!(
            "{{\"version\":1,\"campaigns\":{{\"c\":{{\"number\":1,\"offers\":{offers}}}}},\"tiers\":{{}},\"channels\":{{}}}}"
        );
        Numbering::from_text(&text).unwrap()
    };
    let limited = |each: &str| {
        bundle(&format!(
            "{HEAD}[campaign.c]\n{WINDOW}per_member = {{ times = 1, each = \"{each}\", over = \"each offer\" }}\n{OFFER}"
        ))
    };
    let compile = |each, last| compile(&limited(each), &numbering(last)).map_err(|report| report.to_string());
    assert_eq!(compile("window", "\"S\"").unwrap().programme.campaigns[0].offers[0].number, 8_192);
    let refused = "programme.toml:5:11: error: the offer \"S\" has the number 8192; limits for each day, week, month or life count offers up to 8191; \
        write it in another campaign, or limit by window alone";
    assert_eq!(compile("life", "\"S\"").unwrap_err(), refused);
}

#[test]
fn campaigns_are_said_back() {
    let text = priced(
        "tags = [\"koc\", \"staff\"]\nhead_start = { gold = \"90m\" }\n\
         per_member = [{ times = 1, each = \"day\", over = \"each offer\" }, { times = 9, each = \"life\", over = \"all offers\" }]\n\
         quota = [{ each = \"window\", total = 50, unsold = \"carried\" }, { each = \"day\", total = 9, by_tier = { gold = 5 } }]",
        "quota = [{ each = \"life\", total = 4, per = \"store\" }, { each = \"life\", by_store = { sh-01 = 3 } }, { each = \"week\", total = 2 }]",
    );
    let [campaign, offer] = &described(&text)[..] else { panic!("a campaign and its offer") };
    assert_eq!(
        campaign[0],
        "c: open every month from the 20th at 10:00 until the last day at 24:00; for gold 90 minutes earlier; for members with the tag koc or staff; \
         a member may redeem at most once a day of each offer; a member may redeem at most 9 times in all over all offers; \
         at most 50 in all, with what is left of earlier windows on top, in each window over all offers; \
         at most 9 in all and 5 for gold on each day over all offers."
    );
    assert_eq!(
        campaign[1],
        "“c”：每月 20 日 10:00 至最后一天 24:00 开放，gold提前 90 分钟开放；仅限标签为 koc 或 staff 的会员；每位会员每天每件商品最多兑换 1 次；\
         每位会员累计全部商品合计最多兑换 9 次；每期全部商品限量共 50 件（往期剩余顺延）；每天全部商品限量共 9 件，其中gold 5 件。"
    );
    assert_eq!(
        *offer,
        [
            "c, S (S): 1 point for every tier; at most 2 in all in each week; at most 4 at every store and 3 at the store sh-01 over all windows.",
            "“c”中的“S”（S）：所有等级 1 积分；每周限量共 2 件；活动累计限量每家门店各 4 件、门店 sh-01 3 件。"
        ]
    );
}

#[test]
fn prices_are_said_back() {
    let said = |offer: &str| described(&shop("", offer)).remove(1);
    assert_eq!(
        said("price = { points = 500, money = \"9.90\" }"),
        [
            "c, S (S): 500 points and 9.90 CNY for every tier; without a quota; what costs money is held until it is paid.",
            "“c”中的“S”（S）：所有等级 500 积分 + 9.90 CNY；不限量；含现金的兑换先预留，付款后生效。"
        ]
    );
    assert_eq!(
        said(
            "price = { gold = { points = 5 } }\nprice_for = [{ tag = \"koc\", points = 1 }, { tag = \"staff\", money = \"1.00\" }]"
        ),
        [
            "c, S (S): 5 points for gold only; with the tag koc 1 point, or else with the tag staff 1.00 CNY; without a quota; what costs money is held until it is paid.",
            "“c”中的“S”（S）：仅限gold 5 积分；标签为 koc 的会员 1 积分，否则标签为 staff 的会员 1.00 CNY；不限量；含现金的兑换先预留，付款后生效。"
        ]
    );
    assert_eq!(
        said("price = { basic = { points = 9 }, gold = { points = 0 } }"),
        [
            "c, S (S): 9 points for basic, 0 points for gold; without a quota.",
            "“c”中的“S”（S）：basic 9 积分、gold 0 积分；不限量。"
        ]
    );
}
