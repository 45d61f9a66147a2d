//! `tidegate member KEY --programme SLUG`: what a member has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::answer::{
    CampaignView, HeldOfferView, HoldView, LimitUse, LotView, MemberView, ProfileView, StandingView,
};
use tidegate_protocol::hello::NO_ID;
use tidegate_protocol::operation::{GetCampaign, GetHolds, GetLots, GetMember, GetProfile, GetStanding};
use tidegate_protocol::{Body, MemberKey, Text};

use super::connect::{Connection, Failure, patient, programme, refused};
use super::show::{self, Table};
use crate::programme::date;

/// Show what a member has: points and when they expire, tier and what is missing for the next, rights, streak, tags, limits used.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate member 1234 --programme monthly-exchange
  tidegate member 0190f3c2-7d5e-7c1a-9f0e-5a1b2c3d4e5f --programme check-in --as gateway --json")]
pub struct Member {
    /// The member's key: a decimal number, or 32 hexadecimal digits (dashes are passed over).
    key: MemberKey,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Found {
    member: MemberKey,
    programme: String,
    #[serde(flatten)]
    view: MemberView,
    standing: StandingView,
    profile: ProfileView,
    pending: i64,
    lots: Vec<LotView>,
    limits_by_name: Vec<Limit>,
    holds: Vec<HoldView>,
    /// What each of them holds of offers.
    holds_by_name: Vec<Vec<String>>,
}

/// A limit with the names that the numbers stand for.
#[derive(Serialize)]
struct Limit {
    campaign: String,
    offer: String,
    window_of: String,
    used: u32,
}

impl Member {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.ask(client).await, Found::text)
    }

    async fn ask(&self, client: &Client) -> Result<Found, Failure> {
        let number = programme(client, &self.programme)?;
        let answer = client.get_member(number, GetMember { member: self.key }, patient()).await?;
        let Body::MemberView(view) = answer.body else { return refused(answer) };
        let answer = client.get_lots(number, GetLots { member: self.key }, patient()).await?;
        let Body::LotsView(points) = answer.body else { return refused(answer) };
        let answer = client.get_standing(number, GetStanding { member: self.key }, patient()).await?;
        let Body::StandingView(standing) = answer.body else { return refused(answer) };
        let answer = client.get_profile(number, GetProfile { member: self.key }, patient()).await?;
        let Body::ProfileView(profile) = answer.body else { return refused(answer) };
        let answer = client.get_holds(number, GetHolds { member: self.key }, patient()).await?;
        let Body::HoldsView(holds) = answer.body else { return refused(answer) };
        let holds = holds.holds.as_slice().to_vec();
        let mut campaigns = BTreeMap::new();
        let limited = view.limits.as_slice().iter().map(|limit| limit.campaign);
        let offered = holds.iter().flat_map(|hold| hold.offers.as_slice()).map(|offer| offer.campaign);
        for campaign in limited.chain(offered) {
            if let Entry::Vacant(unknown) = campaigns.entry(campaign) {
                let ask = GetCampaign { campaign, slug: Text::default() };
                // A campaign that the programme no longer has keeps its number.
                if let Body::CampaignView(found) = client.get_campaign(number, ask, patient()).await?.body {
                    unknown.insert(found);
                }
            }
        }
        let limits_by_name = view.limits.as_slice().iter().map(|limit| {
            let campaign = campaigns.get(&limit.campaign);
            Limit {
                campaign: campaign.map_or_else(|| format!("number {}", limit.campaign), |it| it.slug.to_string()),
                offer: offer_name(campaign, limit.offer % EACH_STEP),
                window_of: period(limit),
                used: limit.used,
            }
        });
        let limits_by_name = limits_by_name.collect();
        let (pending, lots) = (points.pending, points.lots.as_slice().to_vec());
        let (member, programme) = (self.key, self.programme.clone());
        let named = |offer: &HeldOfferView| {
            let campaign = campaigns.get(&offer.campaign);
            format!("{} × {}", offer.count, offer_name(campaign, offer.offer))
        };
        let holds_by_name = holds.iter().map(|hold| hold.offers.as_slice().iter().map(named).collect()).collect();
        Ok(Found { member, programme, view, standing, profile, pending, lots, limits_by_name, holds, holds_by_name })
    }
}

/// A limit's offer says by so much more what it counts by.
const EACH_STEP: u32 = 65_536;

/// The window that a limit counts, or what else it does.
fn period(limit: &LimitUse) -> String {
    match limit.offer / EACH_STEP {
        0 => date(limit.period),
        1 => format!("the day {}", date(limit.period)),
        2 => format!("the week from {}", date(limit.period)),
        3 => format!("the month from {}", date(limit.period)),
        _ => "all days".into(),
    }
}

/// What an offer's number stands for; 0 is all offers.
fn offer_name(campaign: Option<&CampaignView>, number: u32) -> String {
    let offers = campaign.map_or(&[][..], |campaign| campaign.offers.as_slice());
    match offers.iter().find(|offer| offer.number == number) {
        _ if number == 0 => "all offers".into(),
        Some(offer) => offer.sku.to_string(),
        None => format!("number {number}"),
    }
}

impl Found {
    fn text(&self) -> String {
        let view = &self.view;
        let mut table = Table::default();
        table.pair("balance", format!("{} points", show::count(view.balance)));
        if self.pending > 0 {
            table.pair("pending", format!("{} points", show::count(self.pending)));
        }
        table.pair("earned over life", format!("{} points", show::count(view.earned)));
        let standing = &self.standing;
        table.pair("tier", format!("{} (number {}){}", view.tier_slug, view.tier, held(standing)));
        if standing.next_tier > 0 {
            let missing = show::count(standing.missing);
            table.pair("next tier", format!("{}, {missing} {} more", standing.next_slug, measure(standing.measure)));
        }
        if standing.birthday_month > 0 {
            let (month, day, from) = (standing.birthday_month, standing.birthday_day, standing.birthday_from);
            table.pair("birthday", format!("{month:02}-{day:02}, counts from {from} on"));
        }
        table.pair("streak", format!("{} days, best {}", view.streak, view.streak_best));
        let last = if view.last_day == i32::MIN { "never".into() } else { date(view.last_day) };
        table.pair("last check-in", last);
        profile(&self.profile, &mut table);
        let mark = if view.mark == NO_ID { "nothing is forgotten".into() } else { view.mark.to_string() };
        table.pair("ids forgotten up to", mark);
        let mut lots = Table::headed(["points", "from", "can be spent", "expire"]);
        for lot in &self.lots {
            let opens = if lot.opens_ms == 0 { "now".into() } else { show::instant(lot.opens_ms) };
            let slides = if lot.slides == 1 { ", later with activity" } else { "" };
            let expires =
                if lot.expires_ms == 0 { "never".into() } else { format!("{}{slides}", show::instant(lot.expires_ms)) };
            lots.row([show::count(lot.points), lot.source.to_string(), opens, expires]);
        }
        let lots = if lots.is_empty() { String::new() } else { format!("\n{lots}") };
        let rights = rights(standing);
        let mut limits = Table::headed(["campaign", "limit over", "window of", "used"]);
        for limit in &self.limits_by_name {
            let Limit { campaign, offer, window_of, used } = limit;
            limits.row([campaign.clone(), offer.clone(), window_of.clone(), show::count(*used)]);
        }
        let limits = if limits.is_empty() { String::new() } else { format!("\n{limits}") };
        let mut holds = Table::headed(["held", "points", "of these for an order", "money", "until", "by"]);
        for (hold, offers) in self.holds.iter().zip(&self.holds_by_name) {
            let rights = hold.rights.as_slice().iter().map(ToString::to_string);
            let what: Vec<String> = offers.iter().cloned().chain(rights).collect();
            holds.row([
                what.join(", "),
                show::count(hold.points),
                show::count(hold.tender),
                format!("{} minor units", show::count(hold.money_minor)),
                show::instant(hold.until_ms),
                hold.hold.to_string(),
            ]);
        }
        let holds = if holds.is_empty() { String::new() } else { format!("\n{holds}") };
        format!("member {} of {}\n{table}{lots}{holds}{rights}{limits}", self.member, self.programme)
    }
}

/// Its days, its tags, and invitations, as far as there is anything.
fn profile(profile: &ProfileView, table: &mut Table) {
    let today = if profile.checked_in == 1 { "checked in" } else { "not checked in" };
    table.pair("today", format!("{} in {}, {today}", date(profile.today), profile.zone));
    let runs = profile.runs.as_slice().iter();
    let runs: Vec<String> = runs.map(|run| format!("{} days until {}", run.days, date(run.last))).collect();
    if !runs.is_empty() {
        table.pair("days in a row before", runs.join(", "));
    }
    if profile.cards > 0 {
        table.pair("make-up cards", show::count(profile.cards));
    }
    let tags: Vec<String> = profile.tags.as_slice().iter().map(ToString::to_string).collect();
    if !tags.is_empty() {
        table.pair("tags", tags.join(", "));
    }
    match profile.invited {
        0 => {}
        2 => table.pair("invited by", format!("{}, and has qualified", profile.invited_by)),
        _ => {
            let until = show::instant(profile.invited_until_ms);
            table.pair("invited by", format!("{}, to qualify until {until}", profile.invited_by));
        }
    }
    if profile.introduced_most > 0 {
        let (had, most) = (show::count(profile.introduced), show::count(profile.introduced_most));
        table.pair("invitations rewarded", format!("{had} of {most} in this period"));
    }
}

/// Until when a tier is held.
fn held(standing: &StandingView) -> String {
    match (standing.until_ms, standing.grace) {
        (0, _) => String::new(),
        (until_ms, 0) => format!(", held until {}", show::instant(until_ms)),
        (until_ms, _) => format!(", kept until {} by {} in all", show::instant(until_ms), show::count(standing.keep)),
    }
}

/// What a ladder counts.
fn measure(of: u8) -> &'static str {
    match of {
        1 => "points",
        2 => "minor units spent",
        3 => "orders",
        _ => "growth",
    }
}

/// Rights, what comes by the calendar, and what caps leave: a table each that there is anything of.
fn rights(standing: &StandingView) -> String {
    let mut rights = Table::headed(["right", "how many", "expires"]);
    for right in standing.rights.as_slice() {
        let (count, expires) = match (right.count, right.expires_ms) {
            (0, _) => ("while in the tier".into(), "with it".into()),
            (count, 0) => (show::count(count), "never".into()),
            (count, at_ms) => (show::count(count), show::instant(at_ms)),
        };
        rights.row([right.slug.to_string(), count, expires]);
    }
    let mut benefits = Table::headed(["benefit", "given next"]);
    for benefit in standing.benefits.as_slice() {
        benefits.row([benefit.slug.to_string(), show::instant(benefit.due_ms)]);
    }
    let mut caps = Table::headed(["cap of", "for each", "used", "of at most"]);
    for cap in standing.caps.as_slice() {
        let each = ["day", "week", "month", "life"].get(usize::from(cap.each.saturating_sub(1))).copied();
        let of = if cap.of == 1 { "points" } else { "times" };
        let most = format!("{} {of}", show::count(cap.most));
        caps.row([cap.rule.to_string(), each.unwrap_or("period").into(), show::count(cap.used), most]);
    }
    let tables = [rights, benefits, caps].into_iter().filter(|table| !table.is_empty());
    tables.map(|table| format!("\n{table}")).collect()
}
