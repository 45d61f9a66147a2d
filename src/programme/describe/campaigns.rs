//! Campaigns and their offers, said back: when, for whom, how often, how many, and for what.

use super::super::{Campaign, Each, ForStore, LimitOver, MemberLimit, Offer, Price, Programme, Quota, Title};
use super::{length, points, said};

impl Programme {
    pub(super) fn describe_campaign(&self, campaign: &Campaign) -> Title {
        let when = campaign.window.describe();
        let (mut en, mut zh) =
            (format!("{}: open {}", campaign.title.en, when.en), format!("“{}”：{} 开放", campaign.title.zh, when.zh));
        if let Some(earlier) = self.describe_head_start(&campaign.head_start_ms) {
            en += &format!("; {}", earlier.en);
            zh += &format!("，{}", earlier.zh);
        }
        if !campaign.tags.is_empty() {
            let tags: Vec<&str> = campaign.tags.iter().map(|tag| self.tag_name(*tag)).collect();
            en += &format!("; for members with the tag {}", tags.join(" or "));
            zh += &format!("；仅限标签为 {} 的会员", tags.join(" 或 "));
        }
        for limit in &campaign.limits {
            let said = describe_limit(limit);
            en += &format!("; {}", said.en);
            zh += &format!("；{}", said.zh);
        }
        for (each, quotas) in self.describe_quotas(&campaign.quotas) {
            let (en_each, zh_each) = of_quota(each);
            en += &format!("; at most {} {en_each} over all offers", quotas.en);
            zh += &format!("；{zh_each}全部商品限量{}", quotas.zh);
        }
        said(en + ".", zh + "。")
    }

    /// How much earlier windows open for whom.
    fn describe_head_start(&self, earlier_ms: &[i64]) -> Option<Title> {
        let earlier = self.tiers.iter().zip(earlier_ms).filter(|(_, ms)| **ms > 0);
        let earlier = earlier.map(|(tier, ms)| (&tier.title, length(*ms)));
        let (en, zh): (Vec<_>, Vec<_>) = earlier
            .map(|(tier, by)| (format!("for {} {} earlier", tier.en, by.en), format!("{}提前 {}开放", tier.zh, by.zh)))
            .unzip();
        (!en.is_empty()).then(|| said(en.join(", "), zh.join("、")))
    }

    fn tag_name(&self, number: u16) -> &str {
        self.tags.iter().find(|tag| tag.number == number).map_or("", |tag| tag.slug.as_str())
    }

    pub(super) fn describe_offer(&self, campaign: &Campaign, offer: &Offer) -> Title {
        let (price, for_tags) = (self.describe_prices(offer), self.describe_prices_for(offer));
        let (mut en_quota, mut zh_quota) = (Vec::new(), Vec::new());
        for (each, quotas) in self.describe_quotas(&offer.quotas) {
            let (en_each, zh_each) = of_quota(each);
            en_quota.push(format!("at most {} {en_each}", quotas.en));
            zh_quota.push(format!("{zh_each}限量{}", quotas.zh));
        }
        if offer.quotas.is_empty() {
            let (en, zh) = match campaign.quotas.is_empty() {
                true => ("without a quota", "不限量"),
                false => ("within the campaign's quota", "数量以活动总限量为准"),
            };
            en_quota.push(en.to_owned());
            zh_quota.push(zh.to_owned());
        }
        let (en_gives, zh_gives) = match offer.gives.map(|right| self.describe_count(right)) {
            Some(gives) => (format!("; it gives {}", gives.en), format!("；发放{}", gives.zh)),
            None => Default::default(),
        };
        let (en_held, zh_held) = match costs_money(offer) {
            true => ("; what costs money is held until it is paid", "；含现金的兑换先预留，付款后生效"),
            false => ("", ""),
        };
        said(
            format!(
                "{}, {} ({}): {}{}; {}{en_gives}{en_held}.",
                campaign.title.en,
                offer.title.en,
                offer.sku,
                price.en,
                for_tags.en,
                en_quota.join("; ")
            ),
            format!(
                "“{}”中的“{}”（{}）：{}{}；{}{zh_gives}{zh_held}。",
                campaign.title.zh,
                offer.title.zh,
                offer.sku,
                price.zh,
                for_tags.zh,
                zh_quota.join("；")
            ),
        )
    }

    /// What an offer costs by tier, and for which tiers alone.
    fn describe_prices(&self, offer: &Offer) -> Title {
        let priced = || self.tiers.iter().zip(&offer.prices).filter_map(|(tier, price)| Some((&tier.title, (*price)?)));
        let first = priced().next().map(|(_, price)| price);
        let same = offer.prices.iter().all(|price| *price == first);
        if let Some(price) = first.filter(|_| same) {
            let price = self.describe_price(price);
            return said(format!("{} for every tier", price.en), format!("所有等级 {}", price.zh));
        }
        let priced = priced().map(|(tier, price)| (tier, self.describe_price(price)));
        let (en, zh): (Vec<_>, Vec<_>) = priced
            .map(|(tier, price)| (format!("{} for {}", price.en, tier.en), format!("{} {}", tier.zh, price.zh)))
            .unzip();
        let (en_only, zh_only) = if offer.prices.iter().all(Option::is_some) { ("", "") } else { (" only", "仅限") };
        said(format!("{}{en_only}", en.join(", ")), format!("{zh_only}{}", zh.join("、")))
    }

    /// What it costs for who has a tag.
    fn describe_prices_for(&self, offer: &Offer) -> Title {
        let (mut en, mut zh) = (String::new(), String::new());
        for (at, (tag, price)) in offer.prices_for.iter().enumerate() {
            let (en_then, zh_then) = if at == 0 { ("; ", "；") } else { (", or else ", "，否则") };
            let (tag, price) = (self.tag_name(*tag), self.describe_price(*price));
            en += &format!("{en_then}with the tag {tag} {}", price.en);
            zh += &format!("{zh_then}标签为 {tag} 的会员 {}", price.zh);
        }
        said(en, zh)
    }

    fn describe_price(&self, price: Price) -> Title {
        let in_points = || said(points(price.points), format!("{} 积分", price.points));
        let money = format!("{} {}", self.currency.show(price.money_minor), self.currency);
        match (price.points, price.money_minor) {
            (_, 0) => in_points(),
            (0, _) => said(money.clone(), money),
            _ => {
                let points = in_points();
                said(format!("{} and {money}", points.en), format!("{} + {money}", points.zh))
            }
        }
    }

    /// Quotas by what they count by, each in the order of the file.
    fn describe_quotas(&self, quotas: &[Quota]) -> Vec<(Each, Title)> {
        let of = |each: Each| -> Vec<&Quota> { quotas.iter().filter(|quota| quota.each == each).collect() };
        let all = Each::ALL.into_iter().map(|each| (each, of(each)));
        all.filter(|(_, quotas)| !quotas.is_empty())
            .map(|(each, quotas)| (each, self.describe_group(&quotas)))
            .collect()
    }

    fn describe_group(&self, quotas: &[&Quota]) -> Title {
        let by_store = quotas.iter().any(|quota| quota.store != ForStore::All);
        let (en, zh): (Vec<_>, Vec<_>) =
            quotas.iter().map(|quota| self.describe_quota(quota)).map(|it| (it.en, it.zh)).unzip();
        said(en.join(" and "), zh.join(if by_store { "、" } else { "，其中" }))
    }

    fn describe_quota(&self, quota: &Quota) -> Title {
        let total = quota.total;
        if let Some(tier) = self.tiers.iter().find(|tier| Some(tier.number) == quota.tier) {
            return said(format!("{total} for {}", tier.title.en), format!("{} {total} 件", tier.title.zh));
        }
        match quota.store {
            ForStore::All if quota.carried => said(
                format!("{total} in all, with what is left of earlier windows on top,"),
                format!("共 {total} 件（往期剩余顺延）"),
            ),
            ForStore::All => said(format!("{total} in all"), format!("共 {total} 件")),
            ForStore::Each => said(format!("{total} at every store"), format!("每家门店各 {total} 件")),
            ForStore::One(number) => {
                let store = self.stores.iter().find(|store| store.number == number);
                let store = store.map_or("", |store| store.slug.as_str());
                said(format!("{total} at the store {store}"), format!("门店 {store} {total} 件"))
            }
        }
    }
}

/// Whether anybody pays money for it.
pub(super) fn costs_money(offer: &Offer) -> bool {
    let by_tag = offer.prices_for.iter().map(|(_, price)| price);
    offer.prices.iter().flatten().chain(by_tag).any(|price| price.money_minor > 0)
}

fn describe_limit(limit: &MemberLimit) -> Title {
    let (en_over, zh_over) = match limit.over {
        LimitOver::AllOffers => ("over all offers", "全部商品合计"),
        LimitOver::EachOffer => ("of each offer", "每件商品"),
    };
    let (en_each, zh_each) = match limit.each {
        Each::Window => ("a window", "每期"),
        Each::Day => ("a day", "每天"),
        Each::Week => ("a week", "每周"),
        Each::Month => ("a month", "每月"),
        Each::Life => ("in all", "累计"),
    };
    let times = if limit.times == 1 { "once".to_owned() } else { format!("{} times", limit.times) };
    said(
        format!("a member may redeem at most {times} {en_each} {en_over}"),
        format!("每位会员{zh_each}{zh_over}最多兑换 {} 次", limit.times),
    )
}

fn of_quota(each: Each) -> (&'static str, &'static str) {
    match each {
        Each::Window => ("in each window", "每期"),
        Each::Day => ("on each day", "每天"),
        Each::Week => ("in each week", "每周"),
        Each::Month => ("in each month", "每月"),
        Each::Life => ("over all windows", "活动累计"),
    }
}
