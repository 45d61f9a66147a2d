//! Numbers of campaigns, offers, tiers, channels, rules, rights and stores: given once, never reused.
//!
//! Logs, snapshots and the wire know these things by number. A numbering only grows: what a bundle leaves out keeps its
//! number, gets it back when its slug comes back, and nothing else ever gets it. New slugs get the next numbers in the
//! order of the file, so that compiling is repeatable. So the numbers of a kind are always 1, 2, 3 … without a hole,
//! and a text that says otherwise is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::source;

/// The first version knows no rules, rights and stores; a numbering without any is still written as one of it.
const VERSION: u32 = 2;

/// Named rules of a programme over its life: what a lot's source, and a cap's counter, have room for.
const MAX_RULE: u32 = 8_000;

/// Campaigns of a programme, and offers of a campaign, over its whole life.
const MAX_NUMBER: u32 = 1 << 20;

/// The numbers given so far. The default is the empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering {
    campaigns: BTreeMap<String, CampaignNumbers>,
    tiers: BTreeMap<String, u32>,
    channels: BTreeMap<String, u32>,
    rules: BTreeMap<String, u32>,
    rights: BTreeMap<String, u32>,
    stores: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CampaignNumbers {
    number: u32,
    offers: BTreeMap<String, u32>,
}

/// The text form: the version first, maps sorted, so that equal numberings have equal texts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    campaigns: BTreeMap<String, CampaignNumbers>,
    tiers: BTreeMap<String, u32>,
    channels: BTreeMap<String, u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<String, u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rights: BTreeMap<String, u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    stores: BTreeMap<String, u32>,
}

/// Why a text is no numbering.
#[derive(Debug, thiserror::Error)]
pub enum NumberingError {
    /// Not the JSON that `to_text` writes.
    #[error("this is not a numbering: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Of another version.
    #[error("the numbering has version {0}, this program knows versions 1 and {VERSION}")]
    Version(u32),
    /// A number given twice, or not among the first as many as there are.
    #[error("the numbering gives {kind} \"{slug}\" the number {number}, which is given twice or leaves a hole")]
    BadNumber {
        /// What is numbered.
        kind: &'static str,
        /// Which one.
        slug: String,
        /// The number.
        number: u32,
    },
}

/// All numbers of a kind are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

impl Numbering {
    /// The stable JSON text: equal numberings give equal bytes.
    pub fn to_text(&self) -> String {
        let Numbering { campaigns, tiers, channels, rules, rights, stores } = self.clone();
        let first = rules.is_empty() && rights.is_empty() && stores.is_empty();
        let version = if first { 1 } else { VERSION };
        let text = Text { version, campaigns, tiers, channels, rules, rights, stores };
        serde_json::to_string(&text).expect("maps of text to numbers are always JSON")
    }

    /// Reads what `to_text` wrote; refuses numbers given twice or with holes between them.
    pub fn from_text(text: &str) -> Result<Numbering, NumberingError> {
        let Text { version, campaigns, tiers, channels, rules, rights, stores } = serde_json::from_str(text)?;
        let first = rules.is_empty() && rights.is_empty() && stores.is_empty();
        if version != VERSION && (version, first) != (1, true) {
            return Err(NumberingError::Version(version));
        }
        let by_campaign = campaigns.iter().map(|(slug, campaign)| (slug, campaign.number));
        check("campaign", by_campaign, MAX_NUMBER)?;
        for campaign in campaigns.values() {
            check("offer", campaign.offers.iter().map(|(sku, number)| (sku, *number)), MAX_NUMBER)?;
        }
        check("tier", tiers.iter().map(|(slug, number)| (slug, *number)), u8::MAX.into())?;
        check("channel", channels.iter().map(|(slug, number)| (slug, *number)), u16::MAX.into())?;
        check("rule", rules.iter().map(|(slug, number)| (slug, *number)), MAX_RULE)?;
        check("right", rights.iter().map(|(slug, number)| (slug, *number)), u16::MAX.into())?;
        check("store", stores.iter().map(|(slug, number)| (slug, *number)), u16::MAX.into())?;
        Ok(Numbering { campaigns, tiers, channels, rules, rights, stores })
    }

    pub(super) fn campaign(&mut self, slug: &str) -> Result<u32, Exhausted> {
        if let Some(campaign) = self.campaigns.get(slug) {
            return Ok(campaign.number);
        }
        let number = next(self.campaigns.len(), MAX_NUMBER)?;
        self.campaigns.insert(slug.to_owned(), CampaignNumbers { number, offers: BTreeMap::new() });
        Ok(number)
    }

    pub(super) fn offer(&mut self, campaign: &str, sku: &str) -> Result<u32, Exhausted> {
        self.campaign(campaign)?;
        let campaign = self.campaigns.get_mut(campaign).expect("numbered on the line above");
        give(&mut campaign.offers, sku, MAX_NUMBER)
    }

    pub(super) fn tier(&mut self, slug: &str) -> Result<u8, Exhausted> {
        give(&mut self.tiers, slug, u8::MAX.into()).map(|number| number as u8)
    }

    pub(super) fn channel(&mut self, slug: &str) -> Result<u16, Exhausted> {
        give(&mut self.channels, slug, u16::MAX.into()).map(|number| number as u16)
    }

    /// The number of a named rule among the sources of points.
    pub(super) fn rule(&mut self, name: &str) -> Result<u16, Exhausted> {
        give(&mut self.rules, name, MAX_RULE).map(|number| number as u16 + source::NAMED_FROM - 1)
    }

    pub(super) fn right(&mut self, slug: &str) -> Result<u16, Exhausted> {
        give(&mut self.rights, slug, u16::MAX.into()).map(|number| number as u16)
    }

    pub(super) fn store(&mut self, slug: &str) -> Result<u16, Exhausted> {
        give(&mut self.stores, slug, u16::MAX.into()).map(|number| number as u16)
    }
}

/// The number after so many.
fn next(given: usize, largest: u32) -> Result<u32, Exhausted> {
    u32::try_from(given + 1).ok().filter(|number| *number <= largest).ok_or(Exhausted)
}

fn give(numbers: &mut BTreeMap<String, u32>, slug: &str, largest: u32) -> Result<u32, Exhausted> {
    if let Some(number) = numbers.get(slug) {
        return Ok(*number);
    }
    let number = next(numbers.len(), largest)?;
    numbers.insert(slug.to_owned(), number);
    Ok(number)
}

fn check<'a>(
    kind: &'static str,
    numbers: impl ExactSizeIterator<Item = (&'a String, u32)>,
    largest: u32,
) -> Result<(), NumberingError> {
    let largest = largest.min(u32::try_from(numbers.len()).unwrap_or(largest));
    let mut seen = BTreeSet::new();
    for (slug, number) in numbers {
        if number == 0 || number > largest || !seen.insert(number) {
            return Err(NumberingError::BadNumber { kind, slug: slug.clone(), number });
        }
    }
    Ok(())
}
