//! `tidegate campaign SLUG --programme SLUG`: what a campaign offers, what is left, and why members were refused.

use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::answer::{CampaignView, QuotaView};
use tidegate_protocol::operation::{GetCampaign, GetQuotas};
use tidegate_protocol::{Body, Text, code};

use super::connect::{Connection, Failure, patient, programme, refused};
use super::show::{self, Table};
use crate::programme::date;

/// Show a campaign: its window, quotas and what is left of them, grants, refusals by name.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate campaign monthly-gift --programme monthly-exchange
  watch -n 1 tidegate campaign flash --programme flash-sale --as observer")]
pub struct Campaign {
    /// The campaign, by slug.
    slug: String,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Found {
    programme: String,
    state_name: &'static str,
    #[serde(flatten)]
    view: CampaignView,
    quotas_now: Vec<QuotaView>,
    refusals_by_name: Vec<(&'static str, u64)>,
}

/// What a quota is for each of, in the order of their numbers.
const EACH: [&str; 5] = ["window", "day", "week", "month", "for good"];
/// The states of a window, in the order of their numbers.
const STATES: [&str; 4] = ["not yet open", "open", "between two windows", "over"];

impl Campaign {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        self.connection.run(async |client| self.ask(client).await, Found::text)
    }

    async fn ask(&self, client: &Client) -> Result<Found, Failure> {
        let number = programme(client, &self.programme)?;
        let too_long = |error| Failure::Input(format!("`{}` is no campaign's slug: {error}", self.slug));
        let slug = Text::try_from(self.slug.as_str()).map_err(too_long)?;
        let answer = client.get_campaign(number, GetCampaign { campaign: 0, slug }, patient()).await?;
        let Body::CampaignView(view) = answer.body else { return refused(answer) };
        let ask = GetQuotas { campaign: view.number, slug: Text::default() };
        let answer = client.get_quotas(number, ask, patient()).await?;
        let Body::QuotasView(quotas) = answer.body else { return refused(answer) };
        let quotas_now = quotas.quotas.as_slice().to_vec();
        let refusals = view.refusals.as_slice().iter();
        let mut refusals_by_name: Vec<_> = refusals.map(|refusal| (code::name(refusal.code), refusal.count)).collect();
        refusals_by_name.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let state_name = STATES.get(usize::from(view.state)).copied().unwrap_or("unknown to this command");
        Ok(Found { programme: self.programme.clone(), state_name, view, quotas_now, refusals_by_name })
    }
}

/// Units left of a quota, as text.
fn left(quota: &QuotaView) -> String {
    match u64::try_from(quota.total) {
        Ok(total) => show::count(total.saturating_sub(quota.used)),
        Err(_) => "∞".into(),
    }
}

impl Found {
    fn text(&self) -> String {
        let view = &self.view;
        let mut table = Table::default();
        table.pair("window", self.state_name);
        let opens = if view.state == 1 { "opened" } else { "opens" };
        table.pair(opens, if view.opens_ms == 0 { "never again".into() } else { show::instant(view.opens_ms) });
        let closes = if view.state == 1 { "closes" } else { "closed last" };
        table.pair(closes, if view.closes_ms == 0 { "never".into() } else { show::instant(view.closes_ms) });
        table.pair("granted over all windows", show::count(view.granted_ever));
        table.pair("programme version", view.version.to_string());
        let mut quotas = Table::headed(["quota over", "tier", "store", "each", "of", "total", "used", "held", "left"]);
        for quota in &self.quotas_now {
            let offer = self.offer(quota.offer);
            let tier = if quota.tier == 0 { "all".into() } else { format!("number {}", quota.tier) };
            let total = u64::try_from(quota.total).map_or("∞".into(), show::count);
            let store = if quota.store.as_str().is_empty() { "all".into() } else { quota.store.to_string() };
            let each = EACH.get(usize::from(quota.each)).copied().unwrap_or("unknown to this command").to_owned();
            let of = if quota.each == 4 { "all days".into() } else { date(quota.period) };
            let (used, held) = (show::count(quota.used), show::count(quota.held));
            quotas.row([offer, tier, store, each, of, total, used, held, left(quota)]);
        }
        let mut offers = Table::headed(["offer", "number", "granted in this window"]);
        for offer in view.offers.as_slice() {
            offers.row([offer.sku.to_string(), offer.number.to_string(), show::count(offer.granted)]);
        }
        let mut refusals = Table::headed(["refused since the start", "times"]);
        for (name, count) in &self.refusals_by_name {
            refusals.row([(*name).to_owned(), show::count(*count)]);
        }
        let tables = [quotas, offers, refusals].into_iter().filter(|table| !table.is_empty());
        let tables: String = tables.map(|table| format!("\n{table}")).collect();
        format!("campaign {} of {} (number {})\n{table}{tables}", view.slug, self.programme, view.number)
    }

    fn offer(&self, number: u32) -> String {
        let known = self.view.offers.as_slice().iter().find(|offer| offer.number == number);
        match known {
            _ if number == 0 => "all offers".into(),
            Some(offer) => offer.sku.to_string(),
            None => format!("number {number}"),
        }
    }
}
