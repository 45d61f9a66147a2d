//! What is earned, said back: orders, activities, and the caps on both.

use super::super::calendar::DAY_MS;
use super::super::earning::{Scope, Tariff};
use super::super::money::{Rate, Rounded};
use super::super::multipliers::ReadsClock;
use super::super::{Activity, Counts, Giving, Most, Period, Programme, Quiz, Title};
use super::{points, rounded, said};

impl Programme {
    /// What orders give.
    pub(super) fn describe_earning(&self) -> Vec<Title> {
        let Some(earning) = &self.earning else { return Vec::new() };
        let days = self.orders.remember_ms as f64 / DAY_MS as f64;
        let (en, zh) = self.describe_tariff(&earning.tariffs[0]);
        let (en_caps, zh_caps) = describe_caps(&earning.giving, "when they were paid", "支付");
        let mut sentences = vec![
            said(format!("Orders give {en}{en_caps}."), format!("订单{zh}{zh_caps}。")),
            said(
                format!(
                    "An order number counts once in its channel; an order paid more than {days} days ago may be refused as too old."
                ),
                format!("同一渠道内每个订单号只计一次；支付超过 {days} 天的订单可能因过旧而被拒绝。"),
            ),
        ];
        if let Some(rate) = &earning.growth {
            let (value, per, currency) = (rate.points, self.currency.show(rate.per_minor), self.currency);
            let (en_round, zh_round) = rounded(rate.rounding);
            sentences.push(said(
                format!("They also give growth: {value} for each {per} {currency} that counts, {en_round}."),
                format!("同时每 {per} {currency} 得 {value} 成长值，{zh_round}。"),
            ));
        }
        if earning.counts != (Counts { paid: true, coupon: false, points: false, freight: false }) {
            sentences.push(describe_counts(earning.counts));
        }
        for (word, scope) in Scope::WORDS {
            let mut own: Vec<_> = earning.own[scope as usize].iter().map(|(name, at)| (*at, name)).collect();
            own.sort_unstable();
            for (at, name) in own {
                let (en, zh) = self.describe_tariff(&earning.tariffs[at]);
                sentences.push(match scope {
                    Scope::Channel => {
                        said(format!("Orders through {name} give {en}."), format!("渠道 {name} 的订单{zh}。"))
                    }
                    Scope::Store => {
                        said(format!("Orders in the store {name} give {en}."), format!("门店 {name} 的订单{zh}。"))
                    }
                    Scope::Brand => {
                        said(format!("Orders of the brand {name} give {en}."), format!("品牌 {name} 的订单{zh}。"))
                    }
                    Scope::Category => {
                        said(format!("Lines of the {word} {name} give {en}."), format!("品类 {name} 的商品{zh}。"))
                    }
                });
            }
        }
        if earning.first.len() > 1 {
            let words: Vec<_> = earning.first.iter().map(|scope| of_scope(*scope)).collect();
            let (en, zh): (Vec<_>, Vec<_>) = words.into_iter().unzip();
            sentences.push(said(
                format!("Where several rates fit, that of the {} counts.", en.join(", or else of the ")),
                format!("同时适用多个比例时，依次以{}为准。", zh.join("、")),
            ));
        }
        sentences
    }

    /// What members who claim orders by their numbers have of it.
    pub(super) fn describe_claims(&self) -> Option<Title> {
        let rule = self.claims.as_ref()?;
        let channels = self.channels.iter().filter(|channel| rule.admits(channel.number));
        let channels: Vec<&str> = channels.map(|channel| channel.slug.as_str()).collect();
        let days = |ms: i64| match ms as f64 / DAY_MS as f64 {
            1.0 => ("1 day".to_owned(), "1 天".to_owned()),
            days => (format!("{days} days"), format!("{days} 天")),
        };
        let ((en_within, zh_within), (en_wait, zh_wait)) = (days(rule.within_ms), days(rule.wait_ms));
        let (en_proof, zh_proof) = match rule.proof {
            true => ("whoever proves to be its owner", "须核验本人"),
            false => ("whoever is the first", "先到先得，不核验本人"),
        };
        let (en_each, zh_each) = match rule.each {
            Period::Day => ("a day", "每天"),
            Period::Week => ("a week", "每周"),
            Period::Month => ("a month", "每月"),
            _ => ("in all", "累计"),
        };
        let guesses = rule.guesses;
        let (en_caps, zh_caps) = describe_caps(&rule.giving, "when the orders were paid", "支付");
        Some(said(
            format!(
                "An order through {} can be claimed by its number by {en_proof}, within {en_within} of its payment; it gives what it has not given yet{en_caps}. A claim waits {en_wait} for an order that is not known yet; who is not granted one at once {guesses} times {en_each} must wait.",
                channels.join(", ")
            ),
            format!(
                "渠道 {} 的订单支付后 {zh_within}内可凭订单号认领积分（{zh_proof}），补足尚未发放的部分{zh_caps}；订单未到时认领保留 {zh_wait}；{zh_each}未当场成功满 {guesses} 次后须等待。",
                channels.join("、")
            ),
        ))
    }

    fn describe_tariff(&self, tariff: &Tariff) -> (String, String) {
        match tariff {
            Tariff::Rate(rate) => self.describe_rate(rate),
            Tariff::Fixed(fixed) => (format!("{} each", points(*fixed)), format!("每单得 {fixed} 积分")),
            Tariff::Steps(steps) => {
                let shown = |from: i64| self.currency.show(from);
                let en: Vec<_> = steps
                    .iter()
                    .map(|(from, worth)| format!("{} from {} {} on", points(*worth), shown(*from), self.currency))
                    .collect();
                let zh: Vec<_> =
                    steps.iter().map(|(from, worth)| format!("满 {} 得 {worth} 积分", shown(*from))).collect();
                (en.join(", "), zh.join("，"))
            }
        }
    }

    fn describe_rate(&self, rate: &Rate) -> (String, String) {
        let (worth, per, currency) = (rate.points, self.currency.show(rate.per_minor), self.currency);
        let (en_round, zh_round) = rounded(rate.rounding);
        let (en_what, zh_what) = match rate.rounded {
            Rounded::Steps => ("the number of steps", "份数"),
            Rounded::Points => ("the points", "积分"),
        };
        (
            format!("{} for each {per} {currency}, {en_what} {en_round}", points(worth)),
            format!("每 {per} {currency} 得 {worth} 积分，{zh_what}{zh_round}"),
        )
    }

    /// What activities give.
    pub(super) fn describe_activities(&self) -> Vec<Title> {
        self.activities.iter().map(describe_activity).collect()
    }
}

fn describe_activity(activity: &Activity) -> Title {
    let (worth, per) = activity.rate();
    let (mut en, mut zh) =
        (format!("{} gives {}", activity.title.en, points(worth)), format!("“{}”得 {worth} 积分", activity.title.zh));
    if let Some((field, step)) = per {
        en += &format!(" for every {step} {field}");
        zh = format!("“{}”每 {step} {field} 得 {worth} 积分", activity.title.zh);
    }
    for threshold in &activity.when {
        en += &format!(", from {} {} on", threshold.least, threshold.field);
        zh += &format!("，需 {} ≥ {}", threshold.field, threshold.least);
    }
    let (mut en_caps, mut zh_caps) = describe_caps(&activity.giving, "when it happened", "发生");
    if activity.growth > 0 {
        en_caps += &format!(", and {} growth", activity.growth);
        zh_caps += &format!("，并得 {} 成长值", activity.growth);
    }
    let late = activity.late_ms as f64 / DAY_MS as f64;
    let days = if late == 1.0 { "day" } else { "days" };
    said(
        format!("{en}{en_caps}; it must be told within {late} {days}."),
        format!("{zh}{zh_caps}；须在 {late} 天内上报。"),
    )
}

/// What a quiz gives.
pub(super) fn describe_quiz(quiz: &Quiz) -> Title {
    let times = if quiz.attempts == 1 { "once".to_owned() } else { format!("{} times", quiz.attempts) };
    let mut en = format!(
        "{}: each question can be answered {times}, and the right answer gives {}",
        quiz.title.en,
        points(quiz.right)
    );
    let mut zh = format!("“{}”：每题可答 {} 次，答对得 {} 积分", quiz.title.zh, quiz.attempts, quiz.right);
    if let Some(first) = quiz.first {
        en += &format!(", {} more to the first {} who give it", points(first.points), first.places);
        zh += &format!("，前 {} 名答对者另加 {} 积分", first.places, first.points);
    }
    if quiz.took_part > 0 {
        en += &format!(", and taking part {}", points(quiz.took_part));
        zh += &format!("，参与即得 {} 积分", quiz.took_part);
    }
    let (en_caps, zh_caps) = describe_caps(&quiz.giving, "when it is answered", "作答");
    said(en + &en_caps + ".", zh + &zh_caps + "。")
}

/// The caps of a rule, as the end of a sentence.
pub(super) fn describe_caps(giving: &Giving, en_happened: &str, zh_happened: &str) -> (String, String) {
    let (mut en, mut zh) = (String::new(), String::new());
    for cap in &giving.caps {
        let (en_each, zh_each) = match cap.each {
            None => ("at once", "每次"),
            Some(Period::Day) => ("a day", "每天"),
            Some(Period::Week) => ("a week", "每周"),
            Some(Period::Month) => ("a month", "每月"),
            Some(_) => ("in all", "累计"),
        };
        let (en_most, zh_most) = match cap.most {
            Most::Points(most) => (points(i64::from(most)), format!("{most} 积分")),
            Most::Times(1) => ("once".to_owned(), "1 次".to_owned()),
            Most::Times(most) => (format!("{most} times"), format!("{most} 次")),
        };
        en += &format!(", at most {en_most} {en_each}");
        zh += &format!("，{zh_each}最多 {zh_most}");
    }
    if giving.caps.iter().any(|cap| !matches!(cap.each, None | Some(Period::Life))) {
        let (en_clock, zh_clock) = match giving.clock {
            ReadsClock::Paid => (en_happened, zh_happened),
            ReadsClock::Arrival => ("when it comes in", "到达"),
        };
        en += &format!(" (by {en_clock})");
        zh += &format!("（按{zh_clock}时间）");
    }
    (en, zh)
}

fn describe_counts(counts: Counts) -> Title {
    let parts = [
        (counts.paid, "what was paid for the goods", "商品实付金额"),
        (counts.coupon, "what coupons took off", "优惠券抵扣"),
        (counts.points, "what was paid in points", "积分抵扣"),
        (counts.freight, "what was paid for bringing them", "运费"),
    ];
    let (en, zh): (Vec<_>, Vec<_>) =
        parts.into_iter().filter(|(counts, ..)| *counts).map(|(_, en, zh)| (en, zh)).unzip();
    said(format!("Of an order count {}.", en.join(", ")), format!("订单计分基数为{}。", zh.join("、")))
}

fn of_scope(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::Category => ("category", "品类"),
        Scope::Store => ("store", "门店"),
        Scope::Channel => ("channel", "渠道"),
        Scope::Brand => ("brand", "品牌"),
    }
}
