//! How long points live, said back.

use super::super::calendar::MonthDay;
use super::super::expiry::{Dates, EndOf, Expiry, Length, LotTerms, Opening, Rolling};
use super::super::{Programme, Title};
use super::{MONTHS, date_time, ordinal, said};

impl Programme {
    /// One sentence for each source of points: from when they can be spent, and until when.
    pub(super) fn describe_points(&self) -> Vec<Title> {
        let claims = self.claims.as_ref().map(|rule| ("claimed orders", "认领订单", &rule.giving.terms));
        let check_in = self.check_in.as_ref().map(|rule| ("check-ins", "签到", &rule.giving.terms));
        let orders = self.earning.as_ref().map(|rule| ("orders", "订单", &rule.giving.terms));
        let activities = self.activities.iter().filter(|it| it.rate().0 > 0);
        let activities = activities.map(|it| (it.title.en.as_str(), it.title.zh.as_str(), &it.giving.terms));
        let quizzes = self.quizzes.iter().map(|it| (it.title.en.as_str(), it.title.zh.as_str(), &it.giving.terms));
        let sources = check_in.into_iter().chain(orders).chain(claims).chain(activities).chain(quizzes);
        sources
            .map(|(en, zh, terms)| {
                let (opens, expires) = (terms.describe_opening(), self.describe_expiry(terms));
                said(
                    format!("Points for {en} {}; they {}.", opens.en, expires.en),
                    format!("{zh}积分{}；{}。", opens.zh, expires.zh),
                )
            })
            .collect()
    }

    pub(super) fn describe_expiry(&self, terms: &LotTerms) -> Title {
        if let [only] = &terms.expiry[..] {
            return self.describe_one(only);
        }
        let by_tier: Vec<(Title, Title)> = self
            .tiers
            .iter()
            .zip(&terms.expiry)
            .map(|(tier, expiry)| (tier.title.clone(), self.describe_one(expiry)))
            .collect();
        let en: Vec<String> = by_tier.iter().map(|(tier, it)| format!("for {} {}", tier.en, it.en)).collect();
        let zh: Vec<String> = by_tier.iter().map(|(tier, it)| format!("{}{}", tier.zh, it.zh)).collect();
        said(
            format!("expire by the tier in which they are given: {}", en.join(", ")),
            format!("按获得时的等级：{}", zh.join("，")),
        )
    }

    fn describe_one(&self, expiry: &Expiry) -> Title {
        match expiry {
            Expiry::Never => said("never expire".to_owned(), "永不过期".to_owned()),
            Expiry::Rolling(rolling) => {
                let end = rolling.describe();
                said(format!("expire {} they are given", end.en), format!("自发放起{}过期", end.zh))
            }
            Expiry::Sliding(rolling) => {
                let end = rolling.describe();
                said(
                    format!("expire {} the member's last activity", end.en),
                    format!("自会员最后一次活动起{}过期", end.zh),
                )
            }
            Expiry::Dates(dates) => dates.describe(),
            Expiry::Window { campaign, at_least, .. } => {
                let title = self.campaign_by_slug(campaign).map(|campaign| campaign.title.clone());
                let title = title.unwrap_or_else(|| said(campaign.clone(), campaign.clone()));
                let least = describe_least(*at_least);
                said(
                    format!("expire when the window of {} that is open, or the next, closes{}", title.en, least.en),
                    format!("在“{}”当期或下一期结束时过期{}", title.zh, least.zh),
                )
            }
        }
    }
}

impl LotTerms {
    pub(super) fn describe_opening(&self) -> Title {
        match &self.opening {
            None => said("can be spent at once".to_owned(), "即时可用".to_owned()),
            Some(Opening::After(rolling)) => {
                let end = rolling.describe();
                said(format!("can be spent {} they are given", end.en), format!("自发放起{}可用", end.zh))
            }
            Some(Opening::Receipt { after, latest }) => {
                let (end, latest) = (after.describe(), latest.describe());
                said(
                    format!("can be spent {} the order is received, or {} they are given", end.en, latest.en),
                    format!("自确认收货起{}可用，最迟自发放起{}可用", end.zh, latest.zh),
                )
            }
            Some(Opening::At { local_ms, .. }) => {
                let at = date_time(*local_ms);
                said(format!("can be spent from {at} on"), format!("自 {at} 起可用"))
            }
        }
    }
}

impl Rolling {
    pub(super) fn describe(&self) -> Title {
        let (en_length, zh_length) = match self.length {
            Length::Days(1) => ("1 day".to_owned(), "1 天".to_owned()),
            Length::Days(days) => (format!("{days} days"), format!("{days} 天")),
            Length::Months(1) => ("1 month".to_owned(), "1 个月".to_owned()),
            Length::Months(months) => (format!("{months} months"), format!("{months} 个月")),
        };
        let (en_end, zh_end) = match self.end_of {
            EndOf::Day => ("day", "当日"),
            EndOf::Month => ("month", "当月"),
            EndOf::Quarter => ("quarter", "当季"),
            EndOf::Year => ("year", "当年"),
        };
        said(
            format!("at the end of the {en_end} that comes {en_length} after"),
            format!("满 {zh_length}后{zh_end}结束时"),
        )
    }
}

impl Dates {
    fn describe(&self) -> Title {
        let (mut en, mut zh) = (Vec::new(), Vec::new());
        for (month, day) in &self.dates {
            let name = MONTHS[*month as usize - 1];
            match day {
                MonthDay::Number(day) => {
                    en.push(format!("the {day}{} of {name}", ordinal(*day)));
                    zh.push(format!(" {month} 月 {day} 日"));
                }
                MonthDay::Last => {
                    en.push(format!("the last day of {name}"));
                    zh.push(format!(" {month} 月最后一天"));
                }
            }
        }
        let least = describe_least(self.at_least);
        said(
            format!("expire at the end of the next that comes of {}{}", en.join(", "), least.en),
            format!("在下一个{}结束时过期{}", zh.join("、"), least.zh),
        )
    }
}

fn describe_least(days: i32) -> Title {
    match days {
        0 => said(String::new(), String::new()),
        days => said(format!(", at least {days} days after they are given"), format!("（至少保留 {days} 天）")),
    }
}
