//! Random rules of a programme, as the model reads them and as the TOML that the engine compiles.

use std::fmt::Write as _;

use jiff::ToSpan;
use jiff::civil::Time;

use crate::calendar::{Clock, Window};
use crate::claims::Claims;
use crate::dice::Dice;
use crate::earning::{Activity, CATEGORIES, Caps, Earning};
use crate::ladder::Standing;
use crate::multipliers::Multipliers;
use crate::quizzes::Quiz;
use crate::referral::Referral;
use crate::shop::{Campaign, Checkout, Offer, STORES, head_start, limits, prices, prices_for, quotas};
use crate::terms::{Expiry, Terms};

/// Zones with and without daylight saving, on both sides of the globe.
const ZONES: [&str; 4] = ["Asia/Shanghai", "America/New_York", "Europe/Paris", "Australia/Sydney"];

/// Zones that members may have, a day apart.
pub const MEMBERS_ZONES: [&str; 3] = ["Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"];

/// What members may be tagged with.
pub const TAGS: [&str; 2] = ["koc", "店员"];

/// Slugs of tiers, from the lowest.
const TIERS: [&str; 3] = ["basic", "silver", "gold"];

/// Where orders come from.
pub const CHANNELS: [&str; 2] = ["mall", "web"];

/// The brand that every order names.
pub const BRAND: &str = "house";

/// How what does not come out even is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the smaller.
    Down,
    /// To the larger.
    Up,
    /// To the nearest, a half up.
    HalfUp,
    /// To the nearest, a half to the even one.
    HalfEven,
}

impl Rounding {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Rounding::Down => "down",
            Rounding::Up => "up",
            Rounding::HalfUp => "half-up",
            Rounding::HalfEven => "half-even",
        }
    }

    /// A division that rounds.
    pub fn divide(self, amount: i64, step: i64) -> i64 {
        let (whole, rest) = (amount / step, amount % step);
        let up = match self {
            Rounding::Down => false,
            Rounding::Up => rest > 0,
            Rounding::HalfUp => 2 * rest >= step,
            Rounding::HalfEven => 2 * rest > step || (2 * rest == step && whole % 2 == 1),
        };
        whole + i64::from(up)
    }
}

/// Points for a day's check-in.
#[derive(Debug, Clone)]
pub struct CheckIn {
    /// Every day.
    pub points: i64,
    /// So many more on that day of a streak.
    pub streak: Vec<(u32, i64)>,
    /// After so many days the table starts again.
    pub cycle: Option<u32>,
    /// Growth.
    pub growth: i64,
    /// How late one may come in.
    pub late_ms: i64,
    /// How many days back one can be made up for, with which right, and whether that gives points.
    pub make_up: Option<(i32, &'static str, bool)>,
    /// Zones that members may have.
    pub zones: Vec<&'static str>,
    /// Caps.
    pub caps: Caps,
}

/// The rules of one version of a programme.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The programme's slug.
    pub slug: String,
    /// Its zone.
    pub zone: &'static str,
    /// Tiers with the count from which a member is in them, rising.
    pub tiers: Vec<(&'static str, i64)>,
    /// What has to do with tiers.
    pub standing: Standing,
    /// When points expire, where a rule does not say.
    pub points: Option<Expiry>,
    /// On which terms check-ins give points.
    pub check_in_terms: Terms,
    /// On which terms orders give points.
    pub order_terms: Terms,
    /// What multiplies points.
    pub multipliers: Option<Multipliers>,
    /// Points for orders.
    pub earning: Option<Earning>,
    /// Activities.
    pub activities: Vec<Activity>,
    /// Whether birthdays are kept: after how many days another can be said, and whether 29 February is 1 March in other years.
    pub birthday: Option<(Option<i32>, bool)>,
    /// Quizzes.
    pub quizzes: Vec<Quiz>,
    /// Invitations.
    pub referral: Option<Referral>,
    /// Claims of orders.
    pub claims: Option<Claims>,
    /// Tags.
    pub tags: Vec<&'static str>,
    /// Points for check-ins.
    pub check_in: Option<CheckIn>,
    /// Days that order numbers are remembered.
    pub remember_days: i64,
    /// What is held for a checkout.
    pub checkout: Checkout,
    /// Campaigns.
    pub campaigns: Vec<Campaign>,
}

/// Milliseconds that an order may be dated ahead.
pub const AHEAD_MS: i64 = 600_000;

impl Rules {
    /// Rules for a programme that begins about `start_ms`.
    pub fn random(dice: &mut Dice, slug: &str, start_ms: i64) -> Rules {
        let tiers = &TIERS[..1 + dice.below(3) as usize];
        // The first campaign is always there.
        let standing = Standing::random(dice, tiers, "campaign-0");
        let mut rules = Rules {
            slug: slug.into(),
            zone: dice.one::<&str>(&ZONES),
            tiers: tiers.iter().enumerate().map(|(at, slug)| (*slug, standing.ladder.from(at))).collect(),
            standing,
            points: None,
            check_in_terms: Terms::default(),
            order_terms: Terms::default(),
            multipliers: None,
            earning: dice.chance(90).then(|| Earning::random(dice)),
            activities: Vec::new(),
            birthday: dice.chance(60).then(|| (*dice.one(&[None, Some(1), Some(40)]), dice.chance(50))),
            tags: TAGS.into_iter().filter(|_| dice.chance(70)).collect(),
            quizzes: Vec::new(),
            referral: None,
            claims: None,
            check_in: None,
            remember_days: dice.between(1, 3),
            checkout: Checkout::random(dice, &CATEGORIES),
            campaigns: Vec::new(),
        };
        rules.activities = Activity::random(dice, rules.tiers.len(), "campaign-0");
        rules.quizzes = Quiz::random(dice, rules.tiers.len(), "campaign-0");
        rules.check_in(dice, 90);
        rules.referral = Referral::random(dice, &rules);
        rules.claims(dice);
        for number in 0..=dice.below(2) {
            rules.campaigns.push(rules.campaign(dice, &format!("campaign-{number}"), start_ms));
        }
        rules.terms(dice);
        rules.multipliers(dice, start_ms);
        rules
    }

    fn claims(&mut self, dice: &mut Dice) {
        let drawn = Claims::random(dice, self.tiers.len(), "campaign-0");
        self.claims = drawn.filter(|_| self.earning.is_some());
    }

    /// How long points live.
    fn terms(&mut self, dice: &mut Dice) {
        let campaign = dice.one(&self.campaigns).slug.clone();
        self.points = dice.chance(70).then(|| Expiry::random_for_all(dice, &campaign));
        self.check_in_terms = Terms::random(dice, self.tiers.len(), &campaign);
        self.order_terms = Terms::random_of_orders(dice, self.tiers.len(), &campaign);
    }

    /// What multiplies points. Only what orders come through can be a channel.
    fn multipliers(&mut self, dice: &mut Dice, now_ms: i64) {
        let tiers: Vec<&'static str> = self.tiers.iter().map(|(slug, _)| *slug).collect();
        let birthdays = self.birthday.is_some();
        let drawn = Multipliers::random(dice, &tiers, birthdays, &mut |dice| self.window(dice, now_ms));
        self.multipliers = drawn.filter(|it| self.earning.is_some() || it.all.iter().all(|it| it.channel.is_none()));
    }

    /// What an operator might change: a quota, a price, a limit, a campaign more, points of a check-in, how long points live.
    pub fn change(&mut self, dice: &mut Dice, now_ms: i64) {
        match dice.below(13) {
            12 => self.claims(dice),
            11 => self.referral = Referral::random(dice, self),
            10 => self.quizzes = Quiz::random(dice, self.tiers.len(), "campaign-0"),
            6 => {
                let slugs: Vec<&'static str> = self.tiers.iter().map(|(slug, _)| *slug).collect();
                self.standing = Standing::random(dice, &slugs, "campaign-0");
                let ladder = &self.standing.ladder;
                self.tiers = slugs.iter().enumerate().map(|(at, slug)| (*slug, ladder.from(at))).collect();
                self.give(dice);
                self.referral = Referral::random(dice, self);
            }
            7 if self.earning.is_some() => self.earning = Some(Earning::random(dice)),
            8 => {
                self.activities = Activity::random(dice, self.tiers.len(), "campaign-0");
                self.referral = Referral::random(dice, self);
            }
            4 => self.terms(dice),
            5 => self.multipliers(dice, now_ms),
            0 if self.campaigns.len() < 4 => {
                let slug = format!("campaign-{}", self.campaigns.len());
                let campaign = self.campaign(dice, &slug, now_ms);
                self.campaigns.push(campaign);
            }
            1 => {
                let tiers = self.tiers.clone();
                let at = dice.below(self.campaigns.len() as u64) as usize;
                self.campaigns[at].quotas = quotas(dice, &tiers);
            }
            2 => {
                let tiers = self.tiers.clone();
                let at = dice.below(self.campaigns.len() as u64) as usize;
                for offer in &mut self.campaigns[at].offers {
                    (offer.prices, offer.quotas) = (prices(dice, &tiers), quotas(dice, &tiers));
                }
            }
            3 if dice.chance(40) => self.checkout = Checkout::random(dice, &CATEGORIES),
            3 => self.check_in(dice, 80),
            _ => {
                let at = dice.below(self.campaigns.len() as u64) as usize;
                self.campaigns[at].limits = limits(dice);
            }
        }
    }

    fn check_in(&mut self, dice: &mut Dice, chance: u64) {
        let declared: Vec<&'static str> = self.standing.declared.iter().map(|(slug, _)| *slug).collect();
        let zone = self.zone;
        self.check_in = dice.chance(chance).then(|| check_in(dice, zone, &declared));
    }

    /// Which rights offers give, of those that are declared.
    fn give(&mut self, dice: &mut Dice) {
        let declared: Vec<&'static str> = self.standing.declared.iter().map(|(slug, _)| *slug).collect();
        for offer in self.campaigns.iter_mut().flat_map(|campaign| &mut campaign.offers) {
            offer.gives = gives(dice, &declared);
        }
        if let Some(check_in) = &mut self.check_in {
            check_in.make_up = make_up(dice, &declared);
        }
    }

    fn campaign(&self, dice: &mut Dice, slug: &str, start_ms: i64) -> Campaign {
        let offers = 1 + dice.below(2);
        let declared: Vec<&'static str> = self.standing.declared.iter().map(|(slug, _)| *slug).collect();
        let offers = (0..offers).map(|number| Offer {
            sku: format!("SKU-{number}"),
            prices: prices(dice, &self.tiers),
            prices_for: prices_for(dice, &self.tags),
            quotas: quotas(dice, &self.tiers),
            gives: gives(dice, &declared),
        });
        let offers = offers.collect();
        let window = self.window(dice, start_ms);
        let (limits, quotas) = (limits(dice), quotas(dice, &self.tiers));
        let head_start = head_start(dice, &window, &self.tiers);
        let tags = if dice.chance(10) { self.tags.clone() } else { Vec::new() };
        Campaign { slug: slug.into(), window, head_start, tags, limits, quotas, offers }
    }

    fn window(&self, dice: &mut Dice, start_ms: i64) -> Window {
        let today = Clock::of(self.zone).date(start_ms);
        match dice.below(6) {
            0 => {
                let from = today.checked_add(dice.between(-1, 2).days()).expect("a date").to_datetime(Time::midnight());
                let until = from.checked_add(dice.between(1, 20).days()).expect("a date");
                Window::Once { from, until }
            }
            1 => Window::Day { from: 0, until: 24 },
            2 => {
                let (from, until) = *dice.one(&[(8, 20), (22, 6), (10, 24), (12, 12)]);
                Window::Day { from, until }
            }
            3 => Window::Week { from: *dice.one(&[6, 10, 20]) },
            4 => Window::Month { day: *dice.one(&[1, 5, 20, 28]), from: *dice.one(&[0, 10]) },
            _ => Window::Year { from: (today.month(), 1), until: (today.month(), 27) },
        }
    }

    /// The programme file.
    pub fn to_toml(&self) -> String {
        let mut out = format!(
            "programme = \"{}\"\nzone = \"{}\"\ncurrency = \"CNY\"\nbrands = [\"{BRAND}\"]\n",
            self.slug, self.zone
        );
        let _ = writeln!(out, "stores = [\"{}\"]", STORES.join("\", \""));
        if !self.tags.is_empty() {
            let _ = writeln!(out, "tags = [\"{}\"]", self.tags.join("\", \""));
        }
        if self.earning.is_some() {
            let _ = writeln!(out, "channels = [\"{}\", \"{}\"]", CHANNELS[0], CHANNELS[1]);
        }
        let _ = writeln!(out, "orders = {{ remember = \"{}d\", ahead = \"{AHEAD_MS}ms\" }}", self.remember_days);
        out += &self.standing.to_toml(&self.tiers);
        if let Some((after, march)) = &self.birthday {
            let change = after.map_or("never".to_owned(), |days| format!("after {days}d"));
            let leap_day = if *march { "03-01" } else { "02-28" };
            let _ = writeln!(out, "[birthday]\nchange = \"{change}\"\nleap_day = \"{leap_day}\"");
        }
        if let Some(multipliers) = &self.multipliers {
            out += &multipliers.to_toml(window_toml);
        }
        if let Some(points) = &self.points {
            let _ = writeln!(out, "[points]\nexpires = \"{}\"", points.to_text());
        }
        if let Some(earning) = &self.earning {
            out += &earning.to_toml(&self.order_terms.to_toml(&self.tiers));
        }
        self.activities.iter().for_each(|activity| out += &activity.to_toml(&self.tiers));
        if let Some(referral) = &self.referral {
            out += &referral.to_toml(&self.tiers);
        }
        if let Some(claims) = &self.claims {
            out += &claims.to_toml(&self.tiers);
        }
        self.quizzes.iter().for_each(|quiz| out += &quiz.to_toml(&self.tiers));
        if let Some(check_in) = &self.check_in {
            let days = check_in.streak.iter().map(|(day, bonus)| format!("{{ day = {day}, bonus = {bonus} }}"));
            let days: Vec<String> = days.collect();
            let _ = writeln!(out, "[check-in]\npoints = {}\nstreak = [{}]", check_in.points, days.join(", "));
            if let Some(cycle) = check_in.cycle {
                let _ = writeln!(out, "cycle = {cycle}");
            }
            let _ = writeln!(out, "growth = {}\nlate = \"{}ms\"", check_in.growth, check_in.late_ms);
            if let Some((within, card, earns)) = check_in.make_up {
                let _ = writeln!(out, "make_up = {{ within = \"{within}d\", card = \"{card}\", earns = {earns} }}");
            }
            if !check_in.zones.is_empty() {
                let _ = writeln!(out, "zones = [\"{}\"]", check_in.zones.join("\", \""));
            }
            let _ = write!(out, "{}{}", self.check_in_terms.to_toml(&self.tiers), check_in.caps.to_toml(None));
        }
        out += &self.checkout.to_toml();
        self.campaigns.iter().for_each(|campaign| campaign.write(&mut out));
        out
    }
}

/// A window as a file says it.
pub fn window_toml(window: &Window) -> String {
    let clock = |hour: i8| format!("{hour:02}:00");
    match window {
        Window::Once { from, until } => {
            let show = |at: &jiff::civil::DateTime| format!("{} 00:00", at.date());
            format!("{{ from = \"{}\", until = \"{}\" }}", show(from), show(until))
        }
        Window::Day { from, until } => {
            format!("{{ every = \"day\", from = \"{}\", until = \"{}\" }}", clock(*from), clock(*until))
        }
        Window::Week { from } => {
            format!("{{ every = \"week\", from = \"friday {}\", until = \"sunday 24:00\" }}", clock(*from))
        }
        Window::Month { day, from } => {
            format!("{{ every = \"month\", from = \"{day} {}\", until = \"last 24:00\" }}", clock(*from))
        }
        Window::Year { from, until } => {
            let date = |(month, day): &(i8, i8)| format!("{month:02}-{day:02}");
            format!("{{ every = \"year\", from = \"{} 00:00\", until = \"{} 24:00\" }}", date(from), date(until))
        }
    }
}

fn gives(dice: &mut Dice, declared: &[&'static str]) -> Option<(&'static str, u32)> {
    (!declared.is_empty() && dice.chance(30)).then(|| (*dice.one(declared), dice.between(1, 3) as u32))
}

fn make_up(dice: &mut Dice, declared: &[&'static str]) -> Option<(i32, &'static str, bool)> {
    (!declared.is_empty() && dice.chance(70)).then(|| (dice.between(1, 9) as i32, *dice.one(declared), dice.chance(60)))
}

fn check_in(dice: &mut Dice, zone: &str, declared: &[&'static str]) -> CheckIn {
    let streak = if dice.chance(70) { vec![(2, 3), (3, 10)] } else { Vec::new() };
    let cycle = (!streak.is_empty() && dice.chance(60)).then(|| dice.between(3, 5) as u32);
    let zones = MEMBERS_ZONES.into_iter().filter(|it| *it != zone && dice.chance(60)).collect();
    CheckIn {
        points: dice.between(1, 5),
        streak,
        cycle,
        growth: dice.between(0, 5),
        late_ms: *dice.one(&[0, 0, 90_000_000, 5 * 86_400_000]),
        make_up: make_up(dice, declared),
        zones,
        caps: Caps::random(dice),
    }
}
