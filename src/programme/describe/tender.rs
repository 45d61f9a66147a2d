//! How long what is held is, and how points pay part of an order, said back.

use super::super::{Programme, Tender, Title, holds};
use super::campaigns::costs_money;
use super::{length, points, said};

impl Programme {
    /// How long what is held is: where the file says so, or where it gives reason to hold something.
    pub(super) fn describe_holds(&self) -> Option<Title> {
        let mut offers = self.campaigns.iter().flat_map(|campaign| &campaign.offers);
        if self.holds == holds::DEFAULT && self.tender.is_none() && !offers.any(costs_money) {
            return None;
        }
        let (usual, most) = (length(self.holds.for_ms), length(self.holds.most_ms));
        let (en_expired, zh_expired) = match self.holds.grace_ms {
            0 => ("what expires meanwhile is gone".to_owned(), "其间过期的积分作废".to_owned()),
            ms => {
                let grace = length(ms);
                let en = format!("what expires meanwhile can be spent for {} after that", grace.en);
                (en, format!("其间过期的积分此后 {}内仍可使用", grace.zh))
            }
        };
        Some(said(
            format!(
                "What is held is held for {} where nothing else is said, and for {} at most; {en_expired}.",
                usual.en, most.en
            ),
            format!("预留默认保留 {}，最长 {}；{zh_expired}。", usual.zh, most.zh),
        ))
    }

    /// How points pay part of an order.
    pub(super) fn describe_tender(&self) -> Option<Title> {
        let tender = self.tender.as_ref()?;
        let amount = |minor: i64| format!("{} {}", self.currency.show(minor), self.currency);
        let (pays, share) = (amount(tender.minor), percent(tender.share));
        let Tender { points: rate, step, least, .. } = tender;
        let (en_from, zh_from) = match tender.from_minor {
            0 => Default::default(),
            minor => {
                let from = amount(minor);
                (format!(", where that comes to {from} or more"), format!("，可抵扣金额须满 {from}"))
            }
        };
        let (en_not, zh_not) = describe_not(tender);
        Some(said(
            format!(
                "Points pay part of an order: {} for {pays}, in steps of {step} and at least {least}, up to {share} of what they can pay for{en_from}{en_not}.",
                points(*rate)
            ),
            format!(
                "积分可抵扣部分订单金额：{rate} 积分抵 {pays}，每次至少 {least} 积分且为 {step} 的整数倍，最多抵扣可抵扣金额的 {share}{zh_from}{zh_not}。"
            ),
        ))
    }
}

/// What points do not pay for, as the end of a sentence.
fn describe_not(tender: &Tender) -> (String, String) {
    let (mut en, mut zh) = (Vec::new(), Vec::new());
    for (names, en_kind, zh_kind) in
        [(&tender.not_categories, "the category", "品类"), (&tender.not_skus, "the SKU", "SKU")]
    {
        en.extend(names.iter().map(|name| format!("{en_kind} {name}")));
        zh.extend(names.iter().map(|name| format!("{zh_kind} {name}")));
    }
    if en.is_empty() {
        return Default::default();
    }
    (format!("; they do not pay for {}", en.join(", ")), format!("；{}不可抵扣", zh.join("、")))
}

/// Hundredths of a percent.
fn percent(share: u32) -> String {
    let text = format!("{}.{:02}", share / 100, share % 100);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
