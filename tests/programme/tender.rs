//! What is held, and points as a part of what an order is paid with.

use tidegate::programme::{HoldRules, Tender};

use super::*;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

fn holds(text: &str) -> HoldRules {
    compiled(&format!("{HEAD}{text}")).programme.holds
}

fn tender(more: &str) -> String {
    format!("{HEAD}[tender]\npoints = 100\npays = \"1.00\"\nshare = \"50%\"\n{more}\n")
}

fn read(text: &str) -> Tender {
    compiled(text).programme.tender.unwrap()
}

/// The sentences that say the sections back, English and Chinese.
fn described(text: &str) -> Vec<[String; 2]> {
    let about =
        |title: &tidegate::programme::Title| title.en.starts_with("Points pay") || title.en.starts_with("What is held");
    compiled(text).programme.describe().into_iter().filter(about).map(|title| [title.en, title.zh]).collect()
}

#[test]
fn what_is_held_is_held_for_a_quarter_of_an_hour_if_nothing_else_is_said() {
    let rules = |for_ms, most_ms, grace_ms| HoldRules { for_ms, most_ms, grace_ms };
    assert_eq!(holds(""), rules(15 * MINUTE_MS, 60 * MINUTE_MS, 0));
    assert_eq!(holds("[holds]\n"), holds(""));
    assert_eq!(holds("[holds]\nfor = \"2h\"\n"), rules(120 * MINUTE_MS, 120 * MINUTE_MS, 0));
    assert_eq!(holds("[holds]\nfor = \"30m\"\n"), rules(30 * MINUTE_MS, 60 * MINUTE_MS, 0));
    assert_eq!(
        holds("[holds]\nfor = \"1s\"\nmost = \"7d\"\ngrace = \"366d\"\n"),
        rules(1_000, 7 * DAY_MS, 366 * DAY_MS)
    );
    says(
        &format!("{HEAD}[holds]\nfor = \"2h\"\nmost = \"1h\"\n"),
        &["7:8: error: `most` is shorter than `for`; let it be at least as long as `for`, which is 15m if left out"],
    );
    says(
        &format!("{HEAD}[holds]\nmost = \"10m\"\n"),
        &["6:8: error: `most` is shorter than `for`; let it be at least as long as `for`, which is 15m if left out"],
    );
    says(
        &format!("{HEAD}[holds]\nfor = \"999ms\"\nmost = \"8d\"\ngrace = \"367d\"\n"),
        &[
            "6:7: error: `holds.for` is \"999ms\"; write 1s to 7d: a whole number and one of ms, s, m, h, d, without a space",
            "7:8: error: `holds.most` is \"8d\"; write 1s to 7d: a whole number and one of ms, s, m, h, d, without a space",
            "8:9: error: `holds.grace` is \"367d\"; write 0s to 366d: a whole number and one of ms, s, m, h, d, without a space",
        ],
    );
}

#[test]
fn points_pay_by_a_rate_in_steps() {
    let plain = Tender {
        points: 100,
        minor: 100,
        step: 100,
        least: 100,
        share: 5_000,
        from_minor: 0,
        not_categories: vec![],
        not_skus: vec![],
    };
    assert_eq!(read(&tender("")), plain);
    assert!(compiled(HEAD).programme.tender.is_none());
    let more =
        "step = 50\nleast = 150\nfrom = \"50.00\"\nnot = { categories = [\"gift-card\"], skus = [\"X\", \"Y\"] }";
    assert_eq!(
        read(&tender(more)),
        Tender {
            step: 50,
            least: 150,
            from_minor: 50_00,
            not_categories: vec!["gift-card".to_owned()],
            not_skus: vec!["X".to_owned(), "Y".to_owned()],
            ..plain
        }
    );
    for (text, share) in [("0.01%", 1), ("12.5%", 1_250), ("33.33%", 3_333), ("100%", 10_000), ("100.00%", 10_000)] {
        assert_eq!(read(&tender("").replace("50%", text)).share, share, "{text}");
    }
}

#[test]
fn wrong_tender_is_placed() {
    says(
        &format!("{HEAD}[tender]\n"),
        &[
            "5:2: error: `tender.points` is missing; add it: points = 100, with pays = \"1.00\": so many points pay so much",
            "5:2: error: `tender.pays` is missing; add it: pays = \"1.00\", with points = 100: so many points pay so much",
            "5:2: error: `tender.share` is missing; add it: share = \"50%\": at most so much of what they can pay for",
        ],
    );
    says(
        &tender("not = {}\nfrom = 50"),
        &[
            "9:7: error: `not` names nothing; name `categories` or `skus`, or leave it out",
            "10:8: error: `tender.from` is the bare number 50; an amount is never a binary fraction; put it in quotes: \"50\"",
        ],
    );
    for wrong in ["0%", "0.00%", "100.01%", "50", "50.%", ".5%", "5.555%", "-1%", "1000%", "50 %", "%", ""] {
        let expected = format!(
            "8:9: error: `tender.share` is \"{wrong}\"; write a percentage above 0% and at most 100%, with at most two digits after the point: \"50%\""
        );
        says(&tender("").replace("50%", wrong), &[&expected]);
    }
    says(
        &tender("").replace("1.00", "0.00"),
        &[
            "7:8: error: \"0.00\" is no amount in CNY; write it above zero, with 2 digits after the point, such as \"1.00\"",
        ],
    );
    says(
        &tender("").replace("1.00", "10995116277.76"),
        &["7:8: error: `tender.pays` is more than can be counted; write at most \"10995116277.75\""],
    );
    says(
        &tender("step = 150\nleast = 100"),
        &["10:9: error: 100 points cannot be paid in steps of 150; write 150, or a multiple of it"],
    );
    says(
        &tender("step = 10").replace("1.00", "0.03"),
        &[
            "9:8: error: 10 points do not pay a whole number of the currency's smallest units; write 100, or a multiple of it",
        ],
    );
}

proptest! {
    /// A step is taken exactly where every number of steps pays a whole number of minor units; what is said to be right otherwise is right.
    #[test]
    fn steps_pay_whole_minor_units(points in 1..2_000_i64, minor in 1..2_000_i64, step in 1..2_000_i64) {
        let with = |step: i64| {
            let pays = format!("{}.{:02}", minor / 100, minor % 100);
            let text = format!("{HEAD}[tender]\npoints = {points}\npays = \"{pays}\"\nshare = \"50%\"\nstep = {step}\n");
            try_compile(&text)
        };
        match with(step) {
            Ok(compiled) => {
                prop_assert_eq!(step * minor % points, 0);
                prop_assert_eq!(compiled.programme.tender.unwrap().step, step);
            }
            Err(report) => {
                prop_assert_ne!(step * minor % points, 0);
                let right = report.findings[0].right.strip_prefix("write ").and_then(|text| text.split(',').next()).unwrap();
                prop_assert!(with(right.parse().unwrap()).is_ok());
            }
        }
    }
}

#[test]
fn tender_and_holds_are_said_back_where_there_is_something_to_say() {
    assert!(described(HEAD).is_empty());
    assert_eq!(
        described(&format!("{HEAD}[holds]\nfor = \"90s\"\ngrace = \"7d\"\n")),
        [[
            "What is held is held for 90 seconds where nothing else is said, and for 1 hour at most; what expires meanwhile can be spent for 7 days after that.",
            "预留默认保留 90 秒，最长 1 小时；其间过期的积分此后 7 天内仍可使用。"
        ]]
    );
    let held = [
        "What is held is held for 15 minutes where nothing else is said, and for 1 hour at most; what expires meanwhile is gone.",
        "预留默认保留 15 分钟，最长 1 小时；其间过期的积分作废。",
    ];
    assert_eq!(
        described(&tender("")),
        [
            [
                "Points pay part of an order: 100 points for 1.00 CNY, in steps of 100 and at least 100, up to 50% of what they can pay for.",
                "积分可抵扣部分订单金额：100 积分抵 1.00 CNY，每次至少 100 积分且为 100 的整数倍，最多抵扣可抵扣金额的 50%。"
            ],
            held
        ]
    );
    let more = "step = 50\nfrom = \"50.00\"\nnot = { categories = [\"gift-card\"], skus = [\"X\"] }";
    assert_eq!(
        described(&tender(more).replace("50%", "12.5%"))[0],
        [
            "Points pay part of an order: 100 points for 1.00 CNY, in steps of 50 and at least 50, up to 12.5% of what they can pay for, \
             where that comes to 50.00 CNY or more; they do not pay for the category gift-card, the SKU X.",
            "积分可抵扣部分订单金额：100 积分抵 1.00 CNY，每次至少 50 积分且为 50 的整数倍，最多抵扣可抵扣金额的 12.5%，\
             可抵扣金额须满 50.00 CNY；品类 gift-card、SKU X不可抵扣。"
        ]
    );
    let sold = format!("{HEAD}[campaign.c]\n{WINDOW}{}", OFFER.replace("points = 1", "money = \"1.00\""));
    assert_eq!(described(&sold), [held]);
}
