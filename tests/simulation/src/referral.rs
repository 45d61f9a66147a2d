//! Random rules of invitations, as the model reads them and as the TOML that the engine compiles.

use std::fmt::Write as _;

use crate::dice::Dice;
use crate::ladder::{Award, Each};
use crate::rules::Rules;

/// What an invited member must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualifies {
    /// Accept.
    AtOnce,
    /// An order of which so much counts.
    Order(i64),
    /// An activity.
    Activity(&'static str),
}

/// What is made of invitations.
#[derive(Debug, Clone)]
pub struct Referral {
    /// How long after it enrolled a member can accept one.
    pub within_ms: i64,
    /// How long it has to qualify.
    pub until_ms: i64,
    /// With what.
    pub qualifies: Qualifies,
    /// Who may invite, by tier or by tag; all if both are empty.
    pub tiers: Vec<&'static str>,
    /// See there.
    pub tags: Vec<&'static str>,
    /// What the inviter has of it.
    pub inviter: Award,
    /// What the invited member has.
    pub invitee: Award,
    /// How often an inviter has something, by tier, in each of this.
    pub times: Vec<u32>,
    /// See there.
    pub each: Each,
}

impl Referral {
    /// Some, for a programme of these rules.
    pub fn random(dice: &mut Dice, rules: &Rules) -> Option<Referral> {
        let tiers: Vec<&'static str> = rules.tiers.iter().map(|(slug, _)| *slug).collect();
        let rights: Vec<&'static str> = rules.standing.declared.iter().map(|(slug, _)| *slug).collect();
        let mut qualifies = vec![Qualifies::AtOnce];
        if rules.earning.is_some() {
            qualifies.extend([Qualifies::Order(1), Qualifies::Order(6_000), Qualifies::Order(6_000)]);
        }
        qualifies.extend(rules.activities.iter().map(|activity| Qualifies::Activity(activity.slug)));
        let some = |dice: &mut Dice, of: &[&'static str]| -> Vec<&'static str> {
            of.iter().copied().filter(|_| dice.chance(40)).collect()
        };
        dice.chance(70).then(|| Referral {
            within_ms: *dice.one(&[60_000, 86_400_000, 3_000_000_000]),
            until_ms: *dice.one(&[60_500, 86_400_000, 3_000_000_000]),
            qualifies: *dice.one(&qualifies),
            tiers: if dice.chance(50) { some(dice, &tiers) } else { Vec::new() },
            tags: if dice.chance(50) { some(dice, &rules.tags) } else { Vec::new() },
            inviter: Award::random(dice, tiers.len(), "campaign-0", &rights),
            invitee: Award::random(dice, tiers.len(), "campaign-0", &rights),
            times: tiers.iter().enumerate().map(|(at, _)| dice.between(i64::from(at == 0), 3) as u32).collect(),
            each: *dice.one(&[Each::Day, Each::Week, Each::Month, Each::Year, Each::Life]),
        })
    }

    /// Its sections of the file.
    pub fn to_toml(&self, tiers: &[(&'static str, i64)]) -> String {
        let Referral { within_ms, until_ms, qualifies, inviter, invitee, times, each, .. } = self;
        let qualifies = match qualifies {
            Qualifies::AtOnce => "\"at once\"".to_owned(),
            Qualifies::Order(minor) => format!("{{ order = \"{}.{:02}\" }}", minor / 100, minor % 100),
            Qualifies::Activity(slug) => format!("{{ activity = \"{slug}\" }}"),
        };
        let mut out = format!(
            "[referral]\nwithin = \"{}\"\nuntil = \"{}\"\nqualifies = {qualifies}\n",
            length(*within_ms),
            length(*until_ms)
        );
        let named = |key, names: &[&str]| {
            if names.is_empty() { None } else { Some(format!("{key} = [\"{}\"]", names.join("\", \""))) }
        };
        let from: Vec<String> =
            [named("tiers", &self.tiers), named("tags", &self.tags)].into_iter().flatten().collect();
        if !from.is_empty() {
            let _ = writeln!(out, "from = {{ {} }}", from.join(", "));
        }
        let each = match each {
            Each::Day => "day",
            Each::Week => "week",
            Each::Month => "month",
            Each::Year => "year",
            Each::Life => "life",
        };
        let times: Vec<String> =
            tiers.iter().zip(times).map(|((slug, _), times)| format!("{slug} = {times}")).collect();
        let _ = writeln!(out, "per_inviter = {{ times = {{ {} }}, each = \"{each}\" }}", times.join(", "));
        let _ = write!(out, "[referral.inviter]\n{}", inviter.to_toml(tiers));
        let _ = write!(out, "[referral.invitee]\n{}", invitee.to_toml(tiers));
        out
    }
}

fn length(ms: i64) -> String {
    if ms % 1_000 == 0 { format!("{}s", ms / 1_000) } else { format!("{ms}ms") }
}
