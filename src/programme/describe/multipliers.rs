//! What multiplies points, said back.

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
        std::iter::once(stacking).chain(multipliers.all.iter().map(|it| self.describe_multiplier(it))).collect()
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
        source::NAMED_FROM => ("activities", "活动"),
        _ => ("check-ins", "签到"),
    }
}

fn shown(factor: i64) -> String {
    let (whole, rest) = (factor / ONE, factor % ONE);
    let text = format!("{whole}.{rest:02}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
