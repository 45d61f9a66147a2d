//! A programme's rules said back in plain words, one English and one Chinese sentence each, for those who sign them.

mod campaigns;
mod earning;
mod multipliers;
mod standing;
mod tender;
mod terms;

use jiff::civil::DateTime;

use super::calendar::{DAY_MS, Moment, MonthDay, Rule, reading};
use super::{Programme, Rounding, Title, Window};

const WEEKDAYS: [(&str, &str); 7] = [
    ("Monday", "周一"),
    ("Tuesday", "周二"),
    ("Wednesday", "周三"),
    ("Thursday", "周四"),
    ("Friday", "周五"),
    ("Saturday", "周六"),
    ("Sunday", "周日"),
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn said(en: String, zh: String) -> Title {
    Title { zh, en }
}

fn points(number: i64) -> String {
    if number == 1 { "1 point".to_owned() } else { format!("{number} points") }
}

/// A length by the largest unit of which it is a whole number: `90 minutes`.
fn length(ms: i64) -> Title {
    let units = [
        (DAY_MS, "day", "天"),
        (3_600_000, "hour", "小时"),
        (60_000, "minute", "分钟"),
        (1_000, "second", "秒"),
        (1, "millisecond", "毫秒"),
    ];
    let whole = units.iter().find(|(unit, ..)| ms % unit == 0);
    let (unit, en, zh) = whole.copied().unwrap_or((1, "millisecond", "毫秒"));
    let (number, plural) = (ms / unit, if ms == unit { "" } else { "s" });
    said(format!("{number} {en}{plural}"), format!("{number} {zh}"))
}

impl Programme {
    /// Every rule as a sentence: the programme's first, then each campaign's and its offers'.
    pub fn describe(&self) -> Vec<Title> {
        let mut sentences = vec![said(
            format!(
                "{} counts days and windows in the zone {} and money in {}.",
                self.title.en,
                self.zone.name(),
                self.currency
            ),
            format!("“{}”按 {} 时区计算日期和时段，金额以 {} 计。", self.title.zh, self.zone.name(), self.currency),
        )];
        sentences.extend(self.describe_tiers());
        sentences.extend(self.describe_benefits());
        sentences.extend(self.describe_check_in());
        sentences.extend(self.describe_days());
        sentences.extend(self.describe_earning());
        sentences.extend(self.describe_claims());
        sentences.extend(self.describe_activities());
        sentences.extend(self.quizzes.iter().map(earning::describe_quiz));
        sentences.extend(self.describe_referral());
        sentences.extend(self.describe_multipliers());
        sentences.extend(self.describe_points());
        sentences.extend(self.describe_rights());
        sentences.extend(self.describe_tender());
        sentences.extend(self.describe_holds());
        for campaign in &self.campaigns {
            sentences.push(self.describe_campaign(campaign));
            sentences.extend(campaign.offers.iter().map(|offer| self.describe_offer(campaign, offer)));
        }
        sentences
    }

    fn describe_check_in(&self) -> Option<Title> {
        let check_in = self.check_in.as_ref()?;
        let base = check_in.base;
        let mut en = format!("The first check-in of a local day gives {}", points(base));
        let mut zh = format!("每个自然日首次签到得 {base} 积分");
        for (day, bonus) in &check_in.bonuses {
            en += &format!(", and {bonus} more on day {day} of a streak");
            zh += &format!("，连续第 {day} 天另加 {bonus} 积分");
        }
        if let Some(cycle) = check_in.cycle {
            en += &format!("; after {cycle} days the table starts again");
            zh += &format!("；每满 {cycle} 天奖励表重新开始");
        }
        if check_in.growth > 0 {
            en += &format!("; each gives {} growth", check_in.growth);
            zh += &format!("；每次签到得 {} 成长值", check_in.growth);
        }
        let (en_caps, zh_caps) = earning::describe_caps(&check_in.giving, "when it happened", "签到");
        Some(said(en + &en_caps + ".", zh + &zh_caps + "。"))
    }

    /// Which days can still be checked in, and in which zone they are counted.
    fn describe_days(&self) -> Vec<Title> {
        let mut sentences = Vec::new();
        let Some(check_in) = &self.check_in else { return sentences };
        if check_in.late_ms > 0 {
            let days = check_in.late_ms as f64 / DAY_MS as f64;
            sentences.push(said(
                format!("A check-in may come in up to {days} days late, and counts for the day on which it happened."),
                format!("签到最多可延迟 {days} 天上报，按实际发生日计算。"),
            ));
        }
        if let Some(make_up) = &check_in.make_up {
            let card = self.right(make_up.card).map(|right| &right.title);
            let (en_card, zh_card) = card.map_or(Default::default(), |title| (title.en.clone(), title.zh.clone()));
            let (en_earns, zh_earns) = match make_up.earns {
                true => ("gives its points", "并补发积分"),
                false => ("gives no points of its own", "但不补发积分"),
            };
            let days = make_up.within_days;
            sentences.push(said(
                format!(
                    "A missed day of the last {days} can be made up for with one {en_card}: it counts for the streak, and {en_earns}."
                ),
                format!("最近 {days} 天内漏签可用一张“{zh_card}”补签：计入连续天数，{zh_earns}。"),
            ));
        }
        if !check_in.zones.is_empty() {
            let zones: Vec<&str> = check_in.zones.iter().map(|(_, zone)| zone.name()).collect();
            sentences.push(said(
                format!("A member's days may be counted in {} instead.", zones.join(", ")),
                format!("会员签到日可改按以下时区计算：{}。", zones.join("、")),
            ));
        }
        sentences
    }
}

fn rounded(rounding: Rounding) -> (&'static str, &'static str) {
    match rounding {
        Rounding::Down => ("rounded down", "向下取整"),
        Rounding::Up => ("rounded up", "向上取整"),
        Rounding::HalfUp => ("rounded to the nearest, a half up", "四舍五入"),
        Rounding::HalfEven => ("rounded to the nearest, a half to the even", "四舍六入五成双"),
    }
}

impl Window {
    /// When it is open, as a part of a sentence.
    pub fn describe(&self) -> Title {
        let next = |wraps: bool, en, zh| if wraps { (en, zh) } else { ("", "") };
        let mut title = match *self.rule() {
            Rule::Once { from_ms, until_ms } => said(
                format!("once, from {} until {}", date_time(from_ms), date_time(until_ms)),
                format!("仅一次，自 {} 至 {}", date_time(from_ms), date_time(until_ms)),
            ),
            Rule::Day { from_ms, until_ms } => {
                let (en, zh) = next(until_ms <= from_ms, " of the next day", "次日");
                let (from, until) = (time(from_ms), time(until_ms));
                said(format!("every day from {from} until {until}{en}"), format!("每天 {from} 至{zh} {until}"))
            }
            Rule::Week { from_ms, until_ms } => {
                let (from, until) = (weekday(from_ms), weekday(until_ms));
                said(
                    format!("every week from {} until {}", from.en, until.en),
                    format!("每周自{} 至{}", from.zh, until.zh),
                )
            }
            Rule::Month { from, until } => {
                let (en, zh) = next(until <= from, " of the next month", "次月");
                let (from, until) = (moment(from), moment(until));
                said(
                    format!("every month from {} until {}{en}", from.en, until.en),
                    format!("每月{} 至{zh}{}", from.zh, until.zh),
                )
            }
            Rule::Year { from, until } => {
                let (en, zh) = next(until <= from, " of the next year", "次年");
                let (from, until) = (moment(from), moment(until));
                said(
                    format!("every year from {} until {}{en}", from.en, until.en),
                    format!("每年{} 至{zh}{}", from.zh, until.zh),
                )
            }
        };
        let (starts, ends) = self.bounds_ms();
        if let Some(starts) = starts {
            title.en += &format!(", not before {}", date_time(starts));
            title.zh += &format!("（{} 之前不开放）", date_time(starts));
        }
        if let Some(ends) = ends {
            title.en += &format!(", not after {}", date_time(ends));
            title.zh += &format!("（{} 之后不开放）", date_time(ends));
        }
        title
    }
}

fn time(ms: i64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if seconds == 0 { format!("{hours:02}:{minutes:02}") } else { format!("{hours:02}:{minutes:02}:{seconds:02}") }
}

fn date_time(local_ms: i64) -> String {
    let local: DateTime = reading(local_ms);
    let ms_of_day = local_ms.rem_euclid(DAY_MS);
    format!("{} {}", local.date(), time(ms_of_day))
}

/// A moment of the week; its last, Sunday 24:00, stays on Sunday.
fn weekday(ms: i64) -> Title {
    let day = (ms / DAY_MS).min(6);
    let (en, zh) = WEEKDAYS[day as usize];
    let at = time(ms - day * DAY_MS);
    said(format!("{en} {at}"), format!("{zh} {at}"))
}

fn moment(moment: Moment) -> Title {
    let at = time(moment.time_ms);
    let (day_en, day_zh) = match moment.day {
        MonthDay::Number(day) => (format!("the {day}{}", ordinal(day)), format!(" {day} 日")),
        MonthDay::Last => ("the last day".to_owned(), "最后一天".to_owned()),
    };
    match moment.month {
        0 => said(format!("{day_en} at {at}"), format!("{day_zh} {at}")),
        month => {
            let name = MONTHS[month as usize - 1];
            said(format!("{day_en} of {name} at {at}"), format!(" {month} 月{day_zh} {at}"))
        }
    }
}

fn ordinal(day: i8) -> &'static str {
    match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use crate::programme::calendar::{Moment, MonthDay, Rule};
    use crate::programme::{Window, Zone};

    #[test]
    fn windows_are_said_back_in_both_languages() {
        let zone = Zone::new("Asia/Shanghai").unwrap();
        let hour = 3_600_000;
        let at = |month, day, hours: i64| Moment { month, day, time_ms: hours * hour };
        let said = |rule, ends| {
            let title = Window::new(rule, None, ends, &zone).describe();
            (title.en, title.zh)
        };
        let once = Rule::Once { from_ms: 10 * hour, until_ms: 24 * hour + 30_000 };
        let day = Rule::Day { from_ms: 22 * hour, until_ms: 2 * hour };
        let week = Rule::Week { from_ms: 4 * 24 * hour, until_ms: 7 * 24 * hour };
        let month = Rule::Month { from: at(0, MonthDay::Last, 10), until: at(0, MonthDay::Number(3), 12) };
        let year = Rule::Year { from: at(12, MonthDay::Number(1), 0), until: at(12, MonthDay::Number(31), 24) };
        for (rule, ends, en, zh) in [
            (
                once,
                None,
                "once, from 1970-01-01 10:00 until 1970-01-02 00:00:30",
                "仅一次，自 1970-01-01 10:00 至 1970-01-02 00:00:30",
            ),
            (day, None, "every day from 22:00 until 02:00 of the next day", "每天 22:00 至次日 02:00"),
            (week, None, "every week from Friday 00:00 until Sunday 24:00", "每周自周五 00:00 至周日 24:00"),
            (
                month,
                Some(0),
                "every month from the last day at 10:00 until the 3rd at 12:00 of the next month, not after 1970-01-01 00:00",
                "每月最后一天 10:00 至次月 3 日 12:00（1970-01-01 00:00 之后不开放）",
            ),
            (
                year,
                None,
                "every year from the 1st of December at 00:00 until the 31st of December at 24:00",
                "每年 12 月 1 日 00:00 至 12 月 31 日 24:00",
            ),
        ] {
            assert_eq!(said(rule, ends), (en.to_owned(), zh.to_owned()));
        }
    }
}
