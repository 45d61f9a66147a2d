//! Campaigns said back: when they are open and to whom, what their offers cost, how many there are; what is held for a checkout, and what
//! points pay of an order.

use super::{points, said};
use crate::programme::{
    Campaign, Each, ForStore, LimitOver, MemberLimit, Offer, Price, Programme, Quota, Title, holds,
};

/// A length of time that a file states, in its largest whole unit.
fn length(ms: i64) -> Title {
    let units = [
        (86_400_000, "day", "天"),
        (3_600_000, "hour", "小时"),
        (60_000, "minute", "分钟"),
        (1_000, "second", "秒"),
        (1, "millisecond", "毫秒"),
    ];
    let (unit, en, zh) = units.into_iter().find(|(unit, ..)| ms % unit == 0).unwrap_or(units[4]);
    let count = ms / unit;
    said(format!("{count} {en}{}", if count == 1 { "" } else { "s" }), format!("{count} {zh}"))
}

/// What a limit or a quota counts by, as in "at most once …".
fn each_of(each: Each) -> (&'static str, &'static str) {
    match each {
        Each::Window => ("a window", "每期"),
        Each::Day => ("a day", "每天"),
        Each::Week => ("a week", "每周"),
        Each::Month => ("a month", "每月"),
        Each::Life => ("ever", "终身"),
    }
}

/// The same, as in "at most 500 …".
fn within(each: Each) -> (&'static str, &'static str) {
    match each {
        Each::Window => ("in each window", "每期"),
        Each::Day => ("each day", "每天"),
        Each::Week => ("each week", "每周"),
        Each::Month => ("each month", "每月"),
        Each::Life => ("for good", "总计"),
    }
}

impl Programme {
    pub(super) fn describe_campaign(&self, campaign: &Campaign) -> Title {
        let when = campaign.window.describe();
        let (mut en, mut zh) =
            (format!("{}: open {}", campaign.title.en, when.en), format!("“{}”：{} 开放", campaign.title.zh, when.zh));
        let ahead = self.tiers.iter().zip(&campaign.head_start_ms).filter(|(_, ahead_ms)| **ahead_ms > 0);
        for (tier, ahead_ms) in ahead {
            let ahead = length(*ahead_ms);
            en += &format!(", {} earlier to {}", ahead.en, tier.title.en);
            zh += &format!("，{}提前 {}", tier.title.zh, ahead.zh);
        }
        if !campaign.tags.is_empty() {
            let tags = self.tag_names(&campaign.tags);
            en += &format!("; only to members with the tag {}", tags.join(" or "));
            zh += &format!("；仅限带有标签 {} 的会员", tags.join("或"));
        }
        for MemberLimit { times, each, over } in &campaign.limits {
            let (en_over, zh_over) = match over {
                LimitOver::AllOffers => ("over all offers", "全部商品合计"),
                LimitOver::EachOffer => ("of each offer", "每件商品"),
            };
            let (en_each, zh_each) = each_of(*each);
            let en_times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
            en += &format!("; a member may redeem at most {en_times} {en_each} {en_over}");
            zh += &format!("；每位会员{zh_each}{zh_over}最多兑换 {times} 次");
        }
        for quotas in self.describe_quotas(&campaign.quotas) {
            let (each, counted) = quotas;
            en += &format!("; at most {} {} over all offers", counted.en, within(each).0);
            zh += &format!("；{}全部商品限量{}", within(each).1, counted.zh);
        }
        said(en + ".", zh + "。")
    }

    pub(super) fn describe_offer(&self, campaign: &Campaign, offer: &Offer) -> Title {
        let priced = || self.tiers.iter().zip(&offer.prices).filter_map(|(tier, price)| Some((tier, (*price)?)));
        let first = priced().next().map(|(_, price)| price);
        let same = offer.prices.iter().all(|price| *price == first);
        let (mut en_price, mut zh_price) = (String::new(), String::new());
        match first {
            Some(price) if same => {
                let price = self.describe_price(price);
                en_price = format!("{} for every tier", price.en);
                zh_price = format!("所有等级 {}", price.zh);
            }
            _ => {
                let each = priced().map(|(tier, price)| (tier, self.describe_price(price)));
                let en: Vec<_> =
                    each.clone().map(|(tier, price)| format!("{} for {}", price.en, tier.title.en)).collect();
                let zh: Vec<_> = each.map(|(tier, price)| format!("{} {}", tier.title.zh, price.zh)).collect();
                let all = offer.prices.iter().all(Option::is_some);
                en_price += &format!("{}{}", en.join(", "), if all { "" } else { " only" });
                zh_price += &format!("{}{}", if all { "" } else { "仅限" }, zh.join("、"));
            }
        }
        for (tag, price) in &offer.prices_for {
            let (tag, price) = (self.tag_names(&[*tag]).join(""), self.describe_price(*price));
            en_price += &format!(", {} for members with the tag {tag}", price.en);
            zh_price += &format!("，带有标签 {tag} 的会员 {}", price.zh);
        }
        let costs_money = |price: &Price| price.money_minor > 0;
        if offer.prices.iter().flatten().chain(offer.prices_for.iter().map(|(_, price)| price)).any(costs_money) {
            en_price += ", held until the money is paid";
            zh_price += "（现金支付完成前先保留）";
        }
        let quotas = self.describe_quotas(&offer.quotas);
        let (en_quota, zh_quota) = match &quotas[..] {
            [] if campaign.quotas.is_empty() => ("without a quota".to_owned(), "不限量".to_owned()),
            [] => ("within the campaign's quota".to_owned(), "数量以活动总限量为准".to_owned()),
            quotas => {
                let en = quotas.iter().map(|(each, it)| format!("at most {} {}", it.en, within(*each).0));
                let zh = quotas.iter().map(|(each, it)| format!("{}限量{}", within(*each).1, it.zh));
                (en.collect::<Vec<_>>().join(", "), zh.collect::<Vec<_>>().join("，"))
            }
        };
        let (en_gives, zh_gives) = match offer.gives.map(|right| self.describe_count(right)) {
            Some(gives) => (format!("; it gives {}", gives.en), format!("；发放{}", gives.zh)),
            None => Default::default(),
        };
        said(
            format!("{}, {} ({}): {en_price}; {en_quota}{en_gives}.", campaign.title.en, offer.title.en, offer.sku),
            format!(
                "“{}”中的“{}”（{}）：{zh_price}；{zh_quota}{zh_gives}。",
                campaign.title.zh, offer.title.zh, offer.sku
            ),
        )
    }

    fn describe_price(&self, price: Price) -> Title {
        let money = || self.money(price.money_minor);
        match price {
            Price { points: of, money_minor: 0 } => said(points(of), format!("{of} 积分")),
            Price { points: 0, .. } => said(money(), money()),
            Price { points: of, .. } => {
                said(format!("{} and {}", points(of), money()), format!("{of} 积分加 {}", money()))
            }
        }
    }

    fn money(&self, minor: i64) -> String {
        format!("{} {}", self.currency.show(minor), self.currency)
    }

    fn tag_names(&self, numbers: &[u16]) -> Vec<String> {
        let known = self.tags.iter().filter(|tag| numbers.contains(&tag.number));
        known.map(|tag| format!("\"{}\"", tag.slug)).collect()
    }

    /// Quotas, those that count by the same together.
    fn describe_quotas(&self, quotas: &[Quota]) -> Vec<(Each, Title)> {
        let of = |each: Each| {
            let own: Vec<&Quota> = quotas.iter().filter(|quota| quota.each == each).collect();
            let said: Vec<Title> = own.iter().map(|quota| self.describe_quota(quota)).collect();
            let (en, zh): (Vec<_>, Vec<_>) = said.into_iter().map(|title| (title.en, title.zh)).unzip();
            (!own.is_empty()).then(|| (each, super::said(en.join(" and "), zh.join("，其中"))))
        };
        Each::ALL.into_iter().filter_map(of).collect()
    }

    fn describe_quota(&self, quota: &Quota) -> Title {
        let total = quota.total;
        let tier = self.tiers.iter().find(|tier| Some(tier.number) == quota.tier);
        let store = |number| self.stores.iter().find(|store| store.number == number).map_or("", |it| it.slug.as_str());
        match (tier, quota.store) {
            (Some(tier), _) => said(format!("{total} for {}", tier.title.en), format!("{} {total} 件", tier.title.zh)),
            (None, ForStore::Each) => said(format!("{total} in each store"), format!("每家门店 {total} 件")),
            (None, ForStore::One(number)) => {
                said(format!("{total} in the store {}", store(number)), format!("门店 {} {total} 件", store(number)))
            }
            (None, ForStore::All) if quota.carried => {
                said(format!("{total} in all and what the one before left"), format!("共 {total} 件（上期剩余结转）"))
            }
            (None, ForStore::All) => said(format!("{total} in all"), format!("共 {total} 件")),
        }
    }

    /// How long what is held is, where a file says so or has use of it.
    pub(super) fn describe_holds(&self) -> Option<Title> {
        if self.holds == holds::DEFAULT && self.tender.is_none() {
            return None;
        }
        let (plain, most) = (length(self.holds.for_ms), length(self.holds.most_ms));
        let (en_grace, zh_grace) = match self.holds.grace_ms {
            0 => ("is gone".to_owned(), "作废".to_owned()),
            grace_ms => {
                let grace = length(grace_ms);
                (format!("can be spent for {} more, once", grace.en), format!("可再使用 {}（仅一次）", grace.zh))
            }
        };
        Some(said(
            format!(
                "What is held for a checkout is held for {}, at most for {}, and does not expire meanwhile; of what comes back, what has expired {en_grace}.",
                plain.en, most.en
            ),
            format!("下单保留 {}，最长 {}，期间不过期；释放时已过期的积分{zh_grace}。", plain.zh, most.zh),
        ))
    }

    /// How points pay part of an order.
    pub(super) fn describe_tender(&self) -> Option<Title> {
        let tender = self.tender.as_ref()?;
        let pays = self.money(tender.minor);
        let share = format!("{}.{:02}", tender.share / 100, tender.share % 100);
        let share = share.trim_end_matches('0').trim_end_matches('.');
        let mut en = format!(
            "{} pay {pays} of an order, in steps of {}, at least {}, at most {share}% of it",
            points(tender.points),
            tender.step,
            tender.least
        );
        let mut zh = format!(
            "每 {} 积分抵 {pays}，按 {} 积分递增，最少 {} 积分，最多抵订单的 {share}%",
            tender.points, tender.step, tender.least
        );
        if tender.from_minor > 0 {
            let from = self.money(tender.from_minor);
            en += &format!(", of orders from {from} on");
            zh += &format!("，订单满 {from} 可用");
        }
        let not: Vec<&str> = tender.not_categories.iter().chain(&tender.not_skus).map(String::as_str).collect();
        if !not.is_empty() {
            en += &format!("; not of {}", not.join(", "));
            zh += &format!("；不适用于 {}", not.join("、"));
        }
        Some(said(en + ".", zh + "。"))
    }
}
