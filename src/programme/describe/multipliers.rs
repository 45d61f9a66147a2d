//! What multiplies points, said back.

use super::super::birthday::Around;
use super::super::multipliers::{Multiplier, ONE, ReadsClock, Stacking};
use super::super::{Programme, Title, source};
use super::{rounded, said};

impl Programme {
    /// How multipliers come together, and each of them.
    pub(super) fn describe_multipliers(&self) -> Vec<Title> {
        let multipliers = &self.multipliers;
        if multipliers.all.is_empty() {
            return Vec::new();
        }
        let birthday = self.birthday.map(|rules| {
            let (en_leap, zh_leap) =
                if rules.leap_on_march_first { ("1 March", "3 月 1 日") } else { ("28 February", "2 月 28 日") };
            let (en_change, zh_change) = match rules.change_after_days {
                None => ("is said once and for all".to_owned(), "生日只能填写一次".to_owned()),
                Some(days) => (
                    format!("can be changed after {days} days, and then counts from the next year on"),
                    format!("生日填写 {days} 天后可修改，修改后自次年起生效"),
                ),
            };
            said(
                format!("A birthday {en_change}; who was born on 29 February has it on {en_leap} in other years."),
                format!("{zh_change}；2 月 29 日出生的会员在平年以{zh_leap}为生日。"),
            )
        });
        let (en, zh) = match multipliers.stacking {
            Stacking::Best => ("only the largest counts", "只按最大的一个计算"),
            Stacking::Add => ("what each adds is added up", "各自的加成相加"),
            Stacking::Multiply => ("they are multiplied with each other", "相乘计算"),
        };
        let (en_round, zh_round) = rounded(multipliers.rounding);
        let stacking = said(
            format!("Where several multipliers apply, {en}; the points that come of it are {en_round}."),
            format!("同时满足多个倍数时{zh}；所得积分{zh_round}。"),
        );
        birthday
            .into_iter()
            .chain([stacking])
            .chain(multipliers.all.iter().map(|it| self.describe_multiplier(it)))
            .collect()
    }

    fn describe_multiplier(&self, multiplier: &Multiplier) -> Title {
        let names: Vec<_> = multiplier.sources.iter().map(|source| name(*source)).collect();
        let (en_what, zh_what): (Vec<_>, Vec<_>) = names.into_iter().unzip();
        let factor = shown(multiplier.factor);
        let mut en = format!("{}: points for {} times {factor}", multiplier.title.en, en_what.join(" and "));
        let mut zh = format!("“{}”：{}积分 ×{factor}", multiplier.title.zh, zh_what.join("和"));
        if let Some(window) = &multiplier.window {
            let when = window.describe();
            let (en_clock, zh_clock) = match multiplier.clock {
                ReadsClock::Paid => ("when an order was paid", "订单支付时间"),
                ReadsClock::Arrival => ("when it comes in", "到达时间"),
            };
            en += &format!(", {} (by {en_clock})", when.en);
            zh += &format!("，{}（按{zh_clock}）", when.zh);
        }
        if let Some(around) = multiplier.birthday {
            let (en_around, zh_around) = match around {
                Around::Day => ("on the member's birthday", "会员生日当天"),
                Around::Week => ("in the week of the member's birthday", "会员生日当周"),
                Around::Month => ("in the month of the member's birthday", "会员生日当月"),
            };
            en += &format!(", {en_around}");
            zh += &format!("，{zh_around}");
        }
        if !multiplier.tiers.is_empty() {
            let tiers = || self.tiers.iter().zip(&multiplier.tiers).filter(|(_, admitted)| **admitted);
            en += &format!(", for {}", tiers().map(|(tier, _)| tier.title.en.as_str()).collect::<Vec<_>>().join(", "));
            zh += &format!("，仅限{}", tiers().map(|(tier, _)| tier.title.zh.as_str()).collect::<Vec<_>>().join("、"));
        }
        if !multiplier.channels.is_empty() {
            let channels = self.channels.iter().filter(|channel| multiplier.channels.contains(&channel.number));
            let channels: Vec<&str> = channels.map(|channel| channel.slug.as_str()).collect();
            en += &format!(", through {}", channels.join(", "));
            zh += &format!("，限渠道 {}", channels.join("、"));
        }
        if let Some(group) = &multiplier.group {
            en += &format!("; of the group {group} only the largest counts");
            zh += &format!("；同组 {group} 只取最大");
        }
        said(en + ".", zh + "。")
    }
}

fn name(of: u16) -> (&'static str, &'static str) {
    match of {
        source::ORDERS => ("orders", "订单"),
        source::CLAIM => ("claimed orders", "认领订单"),
        source::NAMED_FROM => ("activities", "活动"),
        _ => ("check-ins", "签到"),
    }
}

fn shown(factor: i64) -> String {
    let (whole, rest) = (factor / ONE, factor % ONE);
    let text = format!("{whole}.{rest:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
