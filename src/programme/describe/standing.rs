//! Tiers, what they give, rights and benefits, said back.

use super::super::expiry::Length;
use super::super::ladder::Over;
use super::super::multipliers::ReadsClock;
use super::super::{
    Award, Benefit, Due, Falls, Ladder, Measure, Period, Programme, Qualifies, Right, RightCount, Title,
};
use super::{points, said};

impl Programme {
    /// What raises members from tier to tier, and what becomes of who does not keep one.
    pub(super) fn describe_tiers(&self) -> Vec<Title> {
        let ladder = &self.ladder;
        let (en_by, zh_by) = describe_measure(ladder);
        let shown = |count: i64| match ladder.measure {
            Measure::Spend => self.currency.show(count),
            _ => count.to_string(),
        };
        let unit = if ladder.measure == Measure::Points { " 分" } else { "" };
        let en: Vec<_> = self.tiers.iter().map(|tier| format!("{} from {}", tier.title.en, shown(tier.from))).collect();
        let zh: Vec<_> =
            self.tiers.iter().map(|tier| format!("{} {}{unit}起", tier.title.zh, shown(tier.from))).collect();
        let mut sentences = vec![said(
            format!("Tiers by {en_by}: {}.", en.join(", ")),
            format!("等级按{zh_by}划分：{}。", zh.join("，")),
        )];
        if let Some(keeps) = &ladder.keeps {
            let end = keeps.describe();
            let (en_falls, zh_falls) = match ladder.falls {
                Falls::ToFit => ("falls to the tier that it comes to", "降至对应等级"),
                Falls::ByOne => ("falls by one tier", "下降一级"),
            };
            let (en_grace, zh_grace) = match ladder.grace_days {
                0 => (String::new(), String::new()),
                days => (format!(" after {days} days of grace"), format!("在 {days} 天宽限期后")),
            };
            let kept: Vec<_> = self.tiers.iter().skip(1).map(|tier| shown(tier.keep)).collect();
            sentences.push(said(
                format!(
                    "A tier is held until the check {} it was reached; to keep it takes {}; who does not {en_falls}{en_grace}.",
                    end.en,
                    kept.join(", ")
                ),
                format!("等级自达到起{}复核；保级需 {}；未达到者{zh_grace}{zh_falls}。", end.zh, kept.join("、")),
            ));
        }
        sentences.extend(self.describe_entries());
        sentences
    }

    /// What invitations bring, and to whom.
    pub(super) fn describe_referral(&self) -> Option<Title> {
        let rule = self.referral.as_ref()?;
        let (en_deed, zh_deed) = match rule.qualifies {
            Qualifies::AtOnce => ("at once".to_owned(), "立即".to_owned()),
            Qualifies::Order(least) => {
                let (amount, currency) = (self.currency.show(least), self.currency);
                (format!("with an order of {amount} {currency} or more"), format!("下单满 {amount} {currency} 后"))
            }
            Qualifies::Activity(source) => {
                let title = self.activities.iter().find(|it| it.source == source).map(|it| it.title.clone());
                let title = title.unwrap_or(Title { zh: String::new(), en: String::new() });
                (format!("with \"{}\"", title.en), format!("完成“{}”后", title.zh))
            }
        };
        let (tiers, tags) = rule.tiers_and_tags();
        let named = |of: fn(&Title) -> &str| {
            let tiers =
                self.tiers.iter().zip(tiers).filter(|(_, admitted)| **admitted).map(|(tier, _)| of(&tier.title));
            let tags = self.tags.iter().filter(|tag| tags.contains(&tag.number)).map(|tag| tag.slug.as_str());
            tiers.chain(tags).map(str::to_owned).collect::<Vec<_>>()
        };
        let (en_who, zh_who) = (named(|title| &title.en), named(|title| &title.zh));
        let en_who = if en_who.is_empty() { "Every member".to_owned() } else { en_who.join(", ") };
        let zh_who = if zh_who.is_empty() { "所有会员".to_owned() } else { zh_who.join("、") };
        let (en_each, zh_each) = match rule.each {
            Period::Day => ("a day", "每天"),
            Period::Week => ("a week", "每周"),
            Period::Month => ("a month", "每月"),
            Period::Year => ("a year", "每年"),
            _ => ("in all", "累计"),
        };
        let times: Vec<String> = rule.times.iter().map(u32::to_string).collect();
        let same = rule.times.windows(2).all(|pair| pair[0] == pair[1]);
        let times = if same { times[0].clone() } else { times.join(" / ") };
        let (inviter, invitee) = (self.describe_award(&rule.inviter), self.describe_award(&rule.invitee));
        let days = |ms: i64| ms as f64 / 86_400_000.0;
        let (within, until) = (days(rule.within_ms), days(rule.until_ms));
        Some(said(
            format!(
                "{en_who} may invite: who enrolled at most {within} days before says so, and once it qualifies {en_deed} within {until} days has {}, and the inviter {}, at most {times} times {en_each}.",
                invitee.en, inviter.en
            ),
            format!(
                "{zh_who}可邀请好友：好友注册后 {within} 天内确认邀请，并在 {until} 天内{zh_deed}得{}，邀请人得{}，{zh_each}最多 {times} 次。",
                invitee.zh, inviter.zh
            ),
        ))
    }

    fn describe_entries(&self) -> Vec<Title> {
        let (en_again, zh_again) = match self.ladder.again {
            Period::Month => ("once a month", "每月一次"),
            Period::Quarter => ("once a quarter", "每季一次"),
            Period::Year => ("once a year", "每年一次"),
            _ => ("once", "仅一次"),
        };
        let mut sentences = Vec::new();
        for tier in &self.tiers {
            if let Some(award) = &tier.entry {
                let gives = self.describe_award(award);
                sentences.push(said(
                    format!("Who enters {} is given {}, {en_again}.", tier.title.en, gives.en),
                    format!("进入{}即得 {}，{zh_again}。", tier.title.zh, gives.zh),
                ));
            }
            if !tier.rights.is_empty() {
                let rights: Vec<_> = tier.rights.iter().filter_map(|number| self.right(*number)).collect();
                let en: Vec<_> = rights.iter().map(|right| right.title.en.as_str()).collect();
                let zh: Vec<_> = rights.iter().map(|right| format!("“{}”", right.title.zh)).collect();
                sentences.push(said(
                    format!("Members of {} have {}.", tier.title.en, en.join(", ")),
                    format!("{}享有{}。", tier.title.zh, zh.join("、")),
                ));
            }
        }
        if !self.ladder.each_entry && self.tiers.iter().any(|tier| tier.entry.is_some()) {
            sentences.push(said(
                "Who skips a tier is given only what the top one gives.".to_owned(),
                "越级升级时只发放最高等级的礼遇。".to_owned(),
            ));
        }
        sentences
    }

    /// What is declared to be given beside points.
    pub(super) fn describe_rights(&self) -> Vec<Title> {
        let describe = |right: &Right| {
            let expires = self.describe_expiry(&right.terms);
            said(
                format!("{}, where it is given to be used once: it {}.", right.title.en, singular(&expires.en)),
                format!("“{}”（按次发放时）{}。", right.title.zh, expires.zh),
            )
        };
        self.rights.iter().map(describe).collect()
    }

    /// What members are given by the calendar.
    pub(super) fn describe_benefits(&self) -> Vec<Title> {
        self.benefits.iter().map(|benefit| self.describe_benefit(benefit)).collect()
    }

    fn describe_benefit(&self, benefit: &Benefit) -> Title {
        let gives = self.describe_award(&benefit.award);
        let admitted =
            || self.tiers.iter().enumerate().filter(|(at, _)| benefit.admits(*at)).map(|(_, tier)| &tier.title);
        let (en_who, zh_who) = if benefit.tiers.is_empty() {
            ("all members".to_owned(), "所有会员".to_owned())
        } else {
            let en: Vec<_> = admitted().map(|title| title.en.as_str()).collect();
            let zh: Vec<_> = admitted().map(|title| title.zh.as_str()).collect();
            (format!("members of {}", en.join(", ")), zh.join("、"))
        };
        let (en_when, zh_when) = match &benefit.when {
            Due::After(rolling) => {
                let end = rolling.describe();
                (format!("once, {} they enrolled", end.en), format!("入会起{}一次", end.zh))
            }
            Due::Each { period, at_once } => {
                let (en, zh) = match period {
                    Period::Week => ("week", "周"),
                    Period::Month => ("month", "月"),
                    Period::Quarter => ("quarter", "季度"),
                    _ => ("year", "年"),
                };
                let (en_first, zh_first) = if *at_once {
                    ("at once for the first", "首期即时发放")
                } else {
                    ("from the next on", "自下一期起")
                };
                (format!("at the beginning of every {en}, {en_first}"), format!("每{zh}初发放，{zh_first}"))
            }
        };
        said(
            format!("{}: {en_when}, {en_who} get {}.", benefit.title.en, gives.en),
            format!("“{}”：{zh_who}{zh_when}，得 {}。", benefit.title.zh, gives.zh),
        )
    }

    fn describe_award(&self, award: &Award) -> Title {
        let (mut en, mut zh) = (Vec::new(), Vec::new());
        if award.points > 0 {
            let (opens, expires) = (award.terms.describe_opening(), self.describe_expiry(&award.terms));
            en.push(format!("{} that {} and {}", points(award.points), opens.en, expires.en));
            zh.push(format!("{} 积分（{}，{}）", award.points, opens.zh, expires.zh));
        }
        if let Some(right) = award.right {
            let right = self.describe_count(right);
            en.push(right.en);
            zh.push(right.zh);
        }
        said(en.join(" and "), zh.join("和"))
    }

    /// So many of a right.
    pub(super) fn describe_count(&self, given: RightCount) -> Title {
        let title = self.right(given.right).map(|right| right.title.clone());
        let title = title.unwrap_or_else(|| said("a right".to_owned(), "权益".to_owned()));
        said(format!("{} × {}", given.count, title.en), format!("“{}”× {}", title.zh, given.count))
    }
}

/// `expire …` of many, said of one.
fn singular(text: &str) -> String {
    match text.strip_prefix("expire") {
        Some(rest) => format!("expires{rest}"),
        None => text.replacen("never expire", "never expires", 1),
    }
}

fn describe_measure(ladder: &Ladder) -> (String, String) {
    let (en, zh) = match ladder.measure {
        Measure::Points => ("points earned", "获得积分"),
        Measure::Spend => ("what was spent", "消费金额"),
        Measure::Orders => ("orders", "订单数"),
        Measure::Growth => ("growth", "成长值"),
    };
    let (en_over, zh_over) = match ladder.over {
        Over::Period(Period::Life) => (" over a lifetime".to_owned(), "累计"),
        Over::Period(Period::Year) => (" within a year".to_owned(), "自然年"),
        Over::Period(Period::Quarter) => (" within a quarter".to_owned(), "自然季"),
        Over::Period(_) => (" within a month".to_owned(), "自然月"),
        Over::Last(Length::Days(days)) => {
            return (format!("{en} over the last {days} days"), format!("近 {days} 天{zh}"));
        }
        Over::Last(Length::Months(months)) => {
            return (format!("{en} over the last {months} months"), format!("近 {months} 个月{zh}"));
        }
    };
    let (en_clock, zh_clock) = match (ladder.clock, ladder.is_for_life()) {
        (ReadsClock::Arrival, false) => (" (by when it comes in)", "（按到达时间）"),
        _ => ("", ""),
    };
    (format!("{en}{en_over}{en_clock}"), format!("{zh_over}{zh}{zh_clock}"))
}
