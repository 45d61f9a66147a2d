//! The scenarios: a programme bundle made for the run, members with points, and what must come of it.
//!
//! | scenario | window | limit a member | quotas | expected |
//! |---|---|---|---|---|
//! | `redeem-granted` | open all the month | above demand | item, tier and both, above demand | everything is granted |
//! | `flash-sale` | open all the month | 1 | one item, `--pieces` | min(pieces, members who asked) |
//! | `month-opening` | opens during the run, to the month's end | 1 | all items; item; gold of an item | as [`Scenario::expected`] |
//!
//! Every member has a tier (number modulo 3) and asks for one offer only, so that its price is known without a look at
//! the answers. And, with the same members:
//!
//! | scenario | asked | expected |
//! |---|---|---|
//! | `hold-confirm` | offers held, as in `redeem-granted`, each confirmed right behind | each is confirmed |
//! | `check-in-midnight` | today's check-in, by everybody, over and over | one for each member; the rest is checked in already |
//! | `order-storm` | orders, out of order, one of sixteen told twice | each counts once |
//! | `order-claims` | the same orders, each claimed right behind for three times its points | each is claimed once |
//! | `quiz` | an answer, right by every other member, over and over | one for each member; `--pieces` first places, and not one more |

use jiff::Timestamp;
use tidegate_protocol::code::answer;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// Quotas and limits above demand, every condition evaluated, everything granted.
    RedeemGranted,
    /// The same, each held and confirmed right behind it.
    HoldConfirm,
    /// One hot offer, few pieces, everybody wants one.
    FlashSale,
    /// A window that opens during the run, quotas below demand.
    MonthOpening,
    /// Everybody checks in at once, over and over.
    CheckInMidnight,
    /// Orders of every member, one of sixteen told twice.
    OrderStorm,
    /// The same, and each order claimed right behind it for three times its points.
    OrderClaims,
    /// Everybody answers a question at once, over and over; `--pieces` first places.
    Quiz,
}

impl Name {
    /// As in commands, files and reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Name::RedeemGranted => "redeem-granted",
            Name::HoldConfirm => "hold-confirm",
            Name::FlashSale => "flash-sale",
            Name::MonthOpening => "month-opening",
            Name::CheckInMidnight => "check-in-midnight",
            Name::OrderStorm => "order-storm",
            Name::OrderClaims => "order-claims",
            Name::Quiz => "quiz",
        }
    }
}

/// The zone of every programme here.
const ZONE: &str = "Asia/Shanghai";
/// The campaign's slug.
pub(crate) const CAMPAIGN: &str = "event";
/// The channel of the orders.
pub(crate) const CHANNEL: &str = "mall";
/// The channel of the orders that are claimed.
pub(crate) const CLAIMED: &str = "douyin";
/// The quiz's slug, and its question's.
pub(crate) const QUIZ: &str = "live";
pub(crate) const QUESTION: &str = "1";
/// What a check-in gives, a right answer, any answer, and one of the first places beside.
const CHECK_IN_POINTS: i64 = 5;
const RIGHT_POINTS: i64 = 10;
const TOOK_PART_POINTS: i64 = 1;
pub(crate) const FIRST_POINTS: i64 = 50;
/// The brand of the orders.
pub(crate) const BRAND: &str = "house";

/// The tiers: slug, the points from which a member is in it, the points that its members get before the run.
pub(crate) const TIERS: [(&str, i64, i64); 3] =
    [("basic", 0, 10_000_000), ("silver", 15_000_000, 20_000_000), ("gold", 25_000_000, 30_000_000)];

/// The highest limit a programme may set.
const TIMES_MOST: u32 = 1_000_000;
/// More units than any run asks for.
const PLENTY: u64 = 1_000_000_000_000;

/// One run's programme and members.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: Name,
    /// The programme's slug, of this run alone.
    pub(crate) slug: String,
    pub(crate) members: u32,
    /// Units of the flash sale's item.
    pub(crate) pieces: u64,
}

/// Distinct members whose request was decided while the window was open, by offer and tier.
pub(crate) type Demand = Vec<[u64; TIERS.len()]>;

/// Quotas of `month-opening`, all below demand.
struct OpeningQuotas {
    all: u64,
    offer: u64,
    gold: u64,
}

impl Scenario {
    /// Offers of the campaign.
    pub(crate) fn offers(&self) -> u32 {
        match self.name {
            Name::RedeemGranted | Name::HoldConfirm => 4,
            Name::FlashSale | Name::CheckInMidnight | Name::OrderStorm | Name::OrderClaims | Name::Quiz => 1,
            Name::MonthOpening => 2,
        }
    }

    /// The index of a member's tier.
    #[inline]
    pub(crate) fn tier(&self, member: u32) -> usize {
        member as usize % TIERS.len()
    }

    /// The index of the one offer a member asks for.
    #[inline]
    pub(crate) fn offer(&self, member: u32) -> u32 {
        member / TIERS.len() as u32 % self.offers()
    }

    /// What a grant costs a member, in points.
    pub(crate) fn price(&self, member: u32) -> i64 {
        5 + i64::from(self.offer(member)) - self.tier(member) as i64
    }

    /// Refuses a run of so many seconds over which the programme's day would change, so that members could check in twice.
    pub(crate) fn check_time(&self, now: Timestamp, seconds: f64) -> Result<(), String> {
        let local = now.in_tz(ZONE).expect("the zone data is built in");
        let midnight = local.tomorrow().and_then(|day| day.start_of_day()).expect("a date");
        // Preparing and looking at the books take a while too.
        let ends = now + jiff::SignedDuration::from_secs(seconds as i64 + 300);
        if self.name == Name::CheckInMidnight && midnight.timestamp() < ends {
            return Err(format!(
                "midnight in {ZONE} comes within this run, and everybody could check in twice; start it after {midnight}"
            ));
        }
        Ok(())
    }

    /// Whether a grant is a redemption.
    pub(crate) fn redeems(&self) -> bool {
        matches!(self.name, Name::RedeemGranted | Name::HoldConfirm | Name::FlashSale | Name::MonthOpening)
    }

    /// The answer that a grant has.
    #[inline]
    pub(crate) fn granted(&self) -> u16 {
        match self.name {
            Name::CheckInMidnight => answer::CHECKED_IN,
            Name::OrderStorm => answer::RECORDED,
            Name::HoldConfirm => answer::CONFIRMED,
            Name::OrderClaims => answer::ORDER_CLAIMED,
            Name::Quiz => answer::ANSWERED,
            _ => answer::GRANTED,
        }
    }

    /// Whether a member knows the right answer.
    pub(crate) fn is_right(&self, member: u32) -> bool {
        member.is_multiple_of(2)
    }

    /// What a grant adds to a member's points; but for the first places.
    pub(crate) fn change(&self, member: u32) -> i64 {
        match self.name {
            Name::CheckInMidnight => CHECK_IN_POINTS,
            Name::OrderStorm => 1,
            // With the order's own: nothing is claimed that was not recorded.
            Name::OrderClaims => 3,
            Name::Quiz if self.is_right(member) => TOOK_PART_POINTS + RIGHT_POINTS,
            Name::Quiz => TOOK_PART_POINTS,
            _ => -self.price(member),
        }
    }

    /// How many grants have led a member to its points, where that can be told.
    pub(crate) fn times(&self, member: u32, balance: i64) -> Option<u32> {
        let (gained, each) = (balance - self.points(member), self.change(member));
        let gained = if self.name == Name::Quiz && gained == each + FIRST_POINTS { each } else { gained };
        (gained % each == 0).then(|| u32::try_from(gained / each).ok()).flatten()
    }

    /// The points a member has before the run.
    pub(crate) fn points(&self, member: u32) -> i64 {
        TIERS[self.tier(member)].2
    }

    /// The SKU of an offer.
    pub(crate) fn sku(&self, offer: u32) -> String {
        format!("ITEM-{}", offer + 1)
    }

    /// The answers that are no errors here.
    pub(crate) fn expects(&self, code: u16) -> bool {
        let sale = [answer::GRANTED, answer::SOLD_OUT, answer::LIMIT_REACHED];
        match self.name {
            Name::RedeemGranted => code == answer::GRANTED,
            Name::HoldConfirm => [answer::HELD, answer::CONFIRMED].contains(&code),
            Name::CheckInMidnight => [answer::CHECKED_IN, answer::ALREADY_CHECKED_IN].contains(&code),
            Name::OrderStorm => [answer::RECORDED, answer::ALREADY_RECORDED].contains(&code),
            Name::OrderClaims => {
                let claims = [answer::ORDER_CLAIMED, answer::ALREADY_CLAIMED];
                claims.contains(&code) || [answer::RECORDED, answer::ALREADY_RECORDED].contains(&code)
            }
            Name::Quiz => [answer::ANSWERED, answer::ANSWERED_RIGHT, answer::LIMIT_REACHED].contains(&code),
            Name::FlashSale => sale.contains(&code),
            Name::MonthOpening => sale.contains(&code) || code == answer::NOT_YET_OPEN || code == answer::CLOSED,
        }
    }

    /// Whether the window opens during the run, by a second version of the programme.
    pub(crate) fn opens_late(&self) -> bool {
        self.name == Name::MonthOpening
    }

    fn opening_quotas(&self) -> OpeningQuotas {
        let of = |part: u32| u64::from((self.members / part).max(1));
        OpeningQuotas { all: of(4), offer: of(6), gold: of(24) }
    }

    /// How many grants there must be, to the unit; `None` where each request is granted.
    pub(crate) fn expected(&self, demand: &Demand) -> Option<u64> {
        let sum = |offer: &[u64; TIERS.len()]| offer.iter().sum::<u64>();
        match self.name {
            Name::RedeemGranted | Name::HoldConfirm | Name::OrderStorm | Name::OrderClaims => None,
            // One for each member who asked.
            Name::CheckInMidnight | Name::Quiz => Some(demand.iter().map(sum).sum()),
            Name::FlashSale => Some(self.pieces.min(demand.iter().map(sum).sum())),
            Name::MonthOpening => {
                let quotas = self.opening_quotas();
                let offer =
                    |&[basic, silver, gold]: &[u64; 3]| quotas.offer.min(basic + silver + gold.min(quotas.gold));
                Some(quotas.all.min(demand.iter().map(offer).sum()))
            }
        }
    }

    /// The programme's file. With `opens` the window opens then; else it is open all the month, or never where it is to
    /// open late.
    pub(crate) fn bundle(&self, opens: Option<Timestamp>) -> String {
        let tiers: String = TIERS
            .iter()
            .map(|(slug, from, _)| format!("[[tier]]\nslug = \"{slug}\"\n{}from = {from}\n\n", title(slug)))
            .collect();
        let offers: String = (0..self.offers()).map(|offer| self.offer_text(offer)).collect();
        let (times, quota) = match self.name {
            Name::RedeemGranted | Name::HoldConfirm => {
                (TIMES_MOST, quota_text(PLENTY, &[("basic", PLENTY), ("gold", PLENTY)]))
            }
            Name::FlashSale | Name::CheckInMidnight | Name::OrderStorm | Name::OrderClaims | Name::Quiz => {
                (1, String::new())
            }
            Name::MonthOpening => (1, quota_text(self.opening_quotas().all, &[])),
        };
        format!(
            r#"programme = "{slug}"
{programme_title}zone = "{ZONE}"
currency = "CNY"
brands = ["{BRAND}"]
channels = ["{CHANNEL}", "{CLAIMED}"]

{tiers}[earning]
points = 1
per = "1.00"
rounding = "down"

{more}[campaign.{CAMPAIGN}]
{campaign_title}window = {window}
per_member = {{ times = {times}, each = "window", over = "all offers" }}
{quota}hold_answer = "1s"

{offers}"#,
            slug = self.slug,
            programme_title = title("load"),
            campaign_title = title("event"),
            window = self.window(opens),
            more = self.more(),
        )
    }

    /// What the scenario has beside orders and a campaign.
    fn more(&self) -> String {
        match self.name {
            Name::CheckInMidnight => {
                format!("[check-in]\npoints = {CHECK_IN_POINTS}\nstreak = [{{ day = 7, bonus = 20 }}]\ncycle = 7\n\n")
            }
            Name::OrderClaims => format!(
                "[claim]\nchannels = [\"{CLAIMED}\"]\nwithin = \"1h\"\nwait = \"1h\"\nproof = \"none\"\nguesses = {{ times = 1, each = \"day\" }}\n\n\
                 [multipliers]\nstacking = \"best\"\nrounding = \"down\"\n\n[multipliers.by.thrice]\n{}factor = \"3\"\non = [\"claims\"]\nclock = \"paid\"\n\n",
                title("thrice")
            ),
            Name::Quiz => format!(
                "[quiz.{QUIZ}]\nright = {RIGHT_POINTS}\ntook_part = {TOOK_PART_POINTS}\nfirst = {{ places = {}, points = {FIRST_POINTS} }}\n\n",
                self.pieces
            ),
            _ => String::new(),
        }
    }

    fn window(&self, opens: Option<Timestamp>) -> String {
        let (from, until) = match opens {
            Some(opens) => {
                let local = opens.in_tz(ZONE).expect("the zone data is built in");
                (local.strftime("%-d %H:%M:%S").to_string(), "last 24:00")
            }
            None if self.opens_late() => {
                return r#"{ from = "2999-01-01 00:00", until = "2999-01-02 00:00" }"#.into();
            }
            None => ("1 00:00".to_owned(), "last 24:00"),
        };
        format!(r#"{{ every = "month", from = "{from}", until = "{until}" }}"#)
    }

    fn offer_text(&self, offer: u32) -> String {
        // Any member of the tier who asks for this offer knows its price.
        let member =
            |tier: usize| (0..).find(|&m| self.tier(m) == tier && self.offer(m) == offer).expect("there is one");
        let price = |tier: usize| format!("{} = {{ points = {} }}", TIERS[tier].0, self.price(member(tier)));
        let prices: Vec<String> = (0..TIERS.len()).map(price).collect();
        let quota = match self.name {
            Name::RedeemGranted | Name::HoldConfirm => quota_text(PLENTY, &[("silver", PLENTY), ("gold", PLENTY)]),
            Name::FlashSale => quota_text(self.pieces, &[]),
            Name::CheckInMidnight | Name::OrderStorm | Name::OrderClaims | Name::Quiz => String::new(),
            Name::MonthOpening => {
                let quotas = self.opening_quotas();
                quota_text(quotas.offer, &[("gold", quotas.gold)])
            }
        };
        let sku = self.sku(offer);
        format!(
            "[[campaign.{CAMPAIGN}.offer]]\nsku = \"{sku}\"\n{}price = {{ {} }}\n{quota}\n",
            title(&sku),
            prices.join(", ")
        )
    }
}

fn title(text: &str) -> String {
    format!("title = {{ zh = \"{text}\", en = \"{text}\" }}\n")
}

fn quota_text(total: u64, by_tier: &[(&str, u64)]) -> String {
    let tiers: Vec<String> = by_tier.iter().map(|(tier, total)| format!("{tier} = {total}")).collect();
    let tiers = if tiers.is_empty() { String::new() } else { format!(", by_tier = {{ {} }}", tiers.join(", ")) };
    format!("quota = {{ each = \"window\", total = {total}{tiers} }}\n")
}

#[cfg(test)]
mod tests {
    use tidegate::programme::{Bundle, BundleFile, Compiled, Numbering, compile};

    use super::*;

    fn scenario(name: Name) -> Scenario {
        Scenario { name, slug: format!("{}-1", name.as_str()), members: 1_000, pieces: 10 }
    }

    fn compiled(text: String) -> Compiled {
        let file = BundleFile { name: "programme.toml".into(), text: text.clone() };
        compile(&Bundle::from_files(vec![file]).unwrap(), &Numbering::default())
            .unwrap_or_else(|report| panic!("{report:?}\n{text}"))
    }

    #[test]
    fn the_bundles_compile_and_say_what_the_harness_counts_on() {
        use Name::{
            CheckInMidnight, FlashSale, HoldConfirm, MonthOpening, OrderClaims, OrderStorm, Quiz, RedeemGranted,
        };
        for name in
            [RedeemGranted, HoldConfirm, FlashSale, MonthOpening, CheckInMidnight, OrderStorm, OrderClaims, Quiz]
        {
            let scenario = scenario(name);
            let opens = scenario.opens_late().then(|| "2026-11-23T15:04:05Z".parse().unwrap());
            let compiled = compiled(scenario.bundle(opens));
            assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
            let campaign = compiled.programme.campaign_by_slug(CAMPAIGN).unwrap();
            for member in 0..24 {
                let tier = compiled.programme.tier_of(scenario.points(member));
                assert_eq!(compiled.programme.tiers[tier].slug, TIERS[scenario.tier(member)].0);
                let offer = campaign.offer_by_sku(&scenario.sku(scenario.offer(member))).unwrap();
                assert_eq!(offer.prices[tier].map(|price| price.points), Some(scenario.price(member)));
                assert!(scenario.price(member) > 0);
            }
        }
    }

    #[test]
    fn no_run_of_check_ins_reaches_over_midnight() {
        let (storm, other) = (scenario(Name::CheckInMidnight), scenario(Name::Quiz));
        // 23:50 in Shanghai.
        let late: Timestamp = "2026-11-23T15:50:00Z".parse().unwrap();
        assert!(storm.check_time(late, 100.0).is_ok());
        assert!(storm.check_time(late, 400.0).unwrap_err().contains("2026-11-24T00:00:00"));
        assert!(other.check_time(late, 400.0).is_ok());
    }

    #[test]
    fn the_late_window_opens_at_the_stated_instant_of_its_zone() {
        let scenario = scenario(Name::MonthOpening);
        let text = scenario.bundle(Some("2026-11-23T18:04:05Z".parse().unwrap()));
        assert!(text.contains(r#"from = "24 02:04:05""#), "{text}");
        compiled(scenario.bundle(None));
    }

    #[test]
    fn expected_grants_respect_every_quota() {
        let scenario = scenario(Name::MonthOpening);
        let quotas = scenario.opening_quotas();
        assert_eq!((quotas.all, quotas.offer, quotas.gold), (250, 166, 41));
        let few = vec![[10, 20, 30], [0, 0, 0]];
        assert_eq!(scenario.expected(&few), Some(60));
        let gold = vec![[0, 0, 100], [0, 0, 41]];
        assert_eq!(scenario.expected(&gold), Some(82));
        let one_offer = vec![[100, 100, 0], [0, 0, 0]];
        assert_eq!(scenario.expected(&one_offer), Some(166));
        let all = vec![[160, 0, 100], [160, 0, 100]];
        assert_eq!(scenario.expected(&all), Some(250));
    }
}
