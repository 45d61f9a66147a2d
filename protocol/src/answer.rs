//! What a gateway is told when it went well.

use serde::Serialize;

use crate::{Blob, Decode, Encode, LedgerId, List, MemberKey, Prose, RequestId, Text};

/// Code `enrolled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Enrolled {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The tier's number.
    pub tier: u8,
}

/// Code `checked-in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CheckedIn {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The local day, days since 1970-01-01.
    pub day: i32,
    /// The days in a row up to the newest check-in, which as a rule is this one.
    pub streak: u32,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `recorded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Recorded {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The tier's number after.
    pub tier: u8,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `already-recorded`: the same order, once more; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct AlreadyRecorded {
    /// The entry of the first time.
    pub ledger: LedgerId,
}

/// Code `granted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Granted {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Which grant of this offer in this window it is, from 1: how many count with it. One that was given back no longer counts, and its
    /// number comes again.
    pub grant: u64,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `activity-recorded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ActivityRecorded {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The tier's number after.
    pub tier: u8,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `right-used`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RightUsed {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// How many of the right are left.
    pub left: u32,
}

/// Code `birthday-set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BirthdaySet {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The first year in which it counts.
    pub from_year: i32,
}

/// Code `zone-set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ZoneSet {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
}

/// Code `tag-set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TagSet {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
}

/// Code `answered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Answered {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// 1 if it is the right answer, else 0.
    pub right: u8,
    /// Which of the first right answers it is, from 1; 0 if it is none of those that have something beside.
    pub place: u32,
    /// How often the member may answer the question still.
    pub left: u32,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `order-claimed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OrderClaimed {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The tier's number after.
    pub tier: u8,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `claim-waits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ClaimWaits {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Until when it waits.
    pub until_ms: i64,
}

/// Code `claim-wrong`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ClaimWrong {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// How many guesses the member has left in this period.
    pub left: u32,
}

/// Code `order-reported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OrderReported {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Whether a claim waited for it: 0 none did, 1 it was granted, 2 it was refused.
    pub waited: u8,
    /// Until when it can be claimed.
    pub until_ms: i64,
}

/// Code `receipt-confirmed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ReceiptConfirmed {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// When its points open; not after now if they are open.
    pub opens_ms: i64,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `held`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Held {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// The instant at which its time is over.
    pub until_ms: i64,
    /// What the offers cost in money beside, minor units.
    pub money_minor: i64,
    /// Points before.
    pub before: i64,
    /// Points after: what is held is set aside.
    pub after: i64,
}

/// Code `confirmed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Confirmed {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Points that are spent, of those that were held.
    pub spent: i64,
    /// Points before.
    pub before: i64,
    /// Points after: what is not confirmed is given back.
    pub after: i64,
}

/// Code `cancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Cancelled {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Points that are not given back, as they have expired meanwhile.
    pub gone: i64,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `holds`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HoldsView {
    /// The holds, the oldest first.
    pub holds: List<HoldView, 16>,
}

/// What is held under one id.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HoldView {
    /// The id of the request that held it.
    pub hold: RequestId,
    /// The instant at which its time is over.
    pub until_ms: i64,
    /// Points that are held in all.
    pub points: i64,
    /// How many of them pay part of an order.
    pub tender: i64,
    /// What the offers cost in money beside, minor units.
    pub money_minor: i64,
    /// Its offers.
    pub offers: List<HeldOfferView, 12>,
    /// Its rights, one each; empty if the programme has it no longer.
    pub rights: List<Text, 8>,
}

/// So many of an offer, as it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct HeldOfferView {
    /// The campaign's number.
    pub campaign: u32,
    /// The offer's number in the campaign.
    pub offer: u32,
    /// How many.
    pub count: u32,
    /// The local day on which their window opened, days since 1970-01-01.
    pub period: i32,
    /// Points that one costs.
    pub points: i64,
    /// Money that one costs, minor units.
    pub money_minor: i64,
}

/// Code `quotas`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuotasView {
    /// The campaign's number.
    pub campaign: u32,
    /// The campaign's epoch.
    pub epoch: u64,
    /// The quotas. Of one that each store has by itself as many rows as there are stores.
    pub quotas: List<QuotaView, 4096>,
}

/// A quota, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuotaView {
    /// The offer's number; 0 where the quota is over all offers.
    pub offer: u32,
    /// The tier's number; 0 where the tiers share it.
    pub tier: u8,
    /// Whether it is for each window 0, day 1, week 2, month 3, or once for all 4.
    pub each: u8,
    /// The store; empty where the quota is for no single one.
    pub store: Text,
    /// The first local day of what it is for, days since 1970-01-01.
    pub period: i32,
    /// Units in all, those included that came over from the window before.
    pub total: i64,
    /// Units granted and not given back, those that are held included.
    pub used: u64,
    /// Units that are held.
    pub held: u64,
}

/// Code `claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ClaimView {
    /// 0 nothing of this member's, 1 its claim waits, 2 it was granted, 3 it was refused, 4 the order was recorded for the member, who
    /// may claim what is missing.
    pub state: u8,
    /// Until when that stands; 0 where there is nothing of this member's.
    pub until_ms: i64,
    /// How many guesses the member has left in this period.
    pub guesses_left: u32,
}

/// Code `would-be`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct WouldBe {
    /// The answer's code. If it names an entry of the ledger, that may be another by then; and whether the server takes changes at the moment
    /// is not told.
    pub code: u16,
    /// Its body.
    pub body: Blob<4_096>,
}

/// Code `invitation-accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct InvitationAccepted {
    /// The entry in the ledger.
    pub ledger: LedgerId,
    /// The programme's version that decided.
    pub version: u32,
    /// Until when the member has to qualify.
    pub until_ms: i64,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
}

/// Code `member`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct MemberView {
    /// Points that can be spent.
    pub balance: i64,
    /// Points earned over the member's life.
    pub earned: i64,
    /// The tier's number.
    pub tier: u8,
    /// The tier's slug.
    pub tier_slug: Text,
    /// Days in a row, up to the last check-in.
    pub streak: u32,
    /// The longest streak.
    pub streak_best: u32,
    /// The local day of the last check-in, days since 1970-01-01; -2^31 before the first.
    pub last_day: i32,
    /// The largest request id that is forgotten: what is at or below it is refused as stale.
    pub mark: RequestId,
    /// What was used of limits, newest periods only.
    pub limits: List<LimitUse, 64>,
}

/// Code `lots`: as they are at the instant of the answer, whatever the ledger has entries of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct LotsView {
    /// Points that can be spent; below zero what is owed.
    pub balance: i64,
    /// Points that open later.
    pub pending: i64,
    /// The lots: first those that can be spent, in the order in which they are; then those that open later, in the order in
    /// which they do.
    pub lots: List<LotView, 1024>,
}

/// A member's points of one source that live equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct LotView {
    /// How many.
    pub points: i64,
    /// When they can be spent; 0 if they can be now.
    pub opens_ms: i64,
    /// When they are expired; 0 if they never are.
    pub expires_ms: i64,
    /// 1 if the member's next activity moves that, else 0.
    pub slides: u8,
    /// What gave them.
    pub source: Text,
}

/// Code `standing`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct StandingView {
    /// The tier's number.
    pub tier: u8,
    /// The tier's slug.
    pub tier_slug: Text,
    /// What the ladder counts: 1 points earned, 2 what orders count in minor units, 3 orders, 4 growth.
    pub measure: u8,
    /// How much of it counts today.
    pub count: i64,
    /// Until when the tier is held; 0: as long as the count lasts.
    pub until_ms: i64,
    /// 1 if that is the end of a grace, else 0.
    pub grace: u8,
    /// The count that keeps the member in its tier.
    pub keep: i64,
    /// The number of the next tier; 0 if there is none.
    pub next_tier: u8,
    /// The next tier's slug; empty if there is none.
    pub next_slug: Text,
    /// What the count lacks for it.
    pub missing: i64,
    /// The month of its birthday; 0 if it was not said.
    pub birthday_month: u8,
    /// The day of it.
    pub birthday_day: u8,
    /// The first year in which it counts; 0 if it was not said.
    pub birthday_from: i32,
    /// What the member may do: first what it has as long as it is in its tier, then what it can use once each, in the order in which
    /// that expires.
    pub rights: List<RightView, 1024>,
    /// What comes to it by the calendar, the next first.
    pub benefits: List<BenefitView, 16>,
    /// What caps leave in the periods of now.
    pub caps: List<CapView, 256>,
}

/// Code `profile`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ProfileView {
    /// The zone in which its days are counted.
    pub zone: Text,
    /// Today there, days since 1970-01-01.
    pub today: i32,
    /// 1 if it has checked in today, else 0.
    pub checked_in: u8,
    /// When its next day begins.
    pub next_ms: i64,
    /// Days in a row that ended before the newest, as far as one of their days can be reached, the latest first.
    pub runs: List<RunView, 32>,
    /// The earliest local day that can still be made up for or come late; what is before it cannot.
    pub reach: i32,
    /// Make-up cards that it has.
    pub cards: u32,
    /// Its tags.
    pub tags: List<Text, 64>,
    /// 0: nobody invited it; 1: somebody did, and it has not qualified; 2: it has.
    pub invited: u8,
    /// Who invited it; of zeros if nobody did.
    pub invited_by: MemberKey,
    /// Until when it can, or could, qualify; 0 if nobody invited it, or it has.
    pub invited_until_ms: i64,
    /// How often it has had something of its own invitations in the period of now.
    pub introduced: u32,
    /// How often it can.
    pub introduced_most: u32,
}

/// Code `statement`: entries as they were written, what time did among them as far as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct StatementView {
    /// The entries, the newest first.
    pub entries: List<StatementEntry, 32>,
    /// Where the next page begins; of zeros if there is none.
    pub next: Cursor,
    /// 1 if there were entries before these that the log no longer keeps, else 0.
    pub beyond: u8,
}

/// Where a page of a statement begins; to be given back as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct Cursor {
    /// The epoch of its first entry.
    pub epoch: u64,
    /// Where that stands in it.
    pub offset: u32,
    /// Proves that the server gave it, for this member.
    pub seal: u64,
}

/// An entry of a member's in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct StatementEntry {
    /// Its id.
    pub ledger: LedgerId,
    /// The decision's instant.
    pub at_ms: i64,
    /// The programme's version that decided.
    pub version: u32,
    /// What happened: 1 enrolled, 2 checked in, 3 an order, 4 redeemed, 5 time or a new version, 6 an activity, 7 one with a key, 8 used a right,
    /// 9 said its birthday, 10 checked in for an earlier day, 11 another zone, 12 a tag, 13 answered a question, 14 was invited, 15 invited
    /// somebody who qualified, 16 claimed an order, 17 was granted a claim that waited, 18 received an order, 19 held something, 20 confirmed
    /// what it held, 21 cancelled it, 22 held it until the time was over.
    pub kind: u8,
    /// What it was about: the day, the channel, the offer's SKU, the activity, the right, the zone, the tag, the quiz; empty where there is
    /// nothing, or the programme has it no longer.
    pub about: Text,
    /// Points before.
    pub before: i64,
    /// Points after.
    pub after: i64,
    /// The tier's number after; 0 where it stayed what it was.
    pub tier: u8,
    /// What it did to points, in the order in which it did.
    pub points: List<StatementPoints, 64>,
}

/// What one effect did to points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct StatementPoints {
    /// 1 came in, 2 came in and open later, 3 opened, 4 expired, 5 were spent, 22 would have opened later and were taken back, 30 were held,
    /// 31 were spent of what was held, 33 were held and came back, 34 were held and had expired meanwhile.
    pub kind: u8,
    /// How many.
    pub points: i64,
    /// When they open, of kind 2; else 0.
    pub opens_ms: i64,
    /// When they expire, of kinds 1 and 2; by when they had opened or expired, of 3 and 4; 0 for never, and of 5 and 22.
    pub expires_ms: i64,
    /// What gave them, of kinds 1 and 2.
    pub source: Text,
}

/// Days in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RunView {
    /// The last of them, days since 1970-01-01.
    pub last: i32,
    /// How many.
    pub days: u32,
}

/// A right of a member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RightView {
    /// The right's slug; empty if the programme has it no longer.
    pub slug: Text,
    /// How many can be used; 0: as often as it likes, as long as it is in its tier.
    pub count: u32,
    /// When they are expired; 0 if they never are.
    pub expires_ms: i64,
}

/// A benefit that a member will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct BenefitView {
    /// Its slug.
    pub slug: Text,
    /// When it is given next.
    pub due_ms: i64,
}

/// A cap of a rule, and what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CapView {
    /// The rule: `orders`, `check-in`, or an activity's slug.
    pub rule: Text,
    /// 1 for each day, 2 week, 3 month, 4 over a life.
    pub each: u8,
    /// 1 if it counts points, 2 if it counts how often any were given.
    pub of: u8,
    /// The most.
    pub most: u32,
    /// What is used of it.
    pub used: u32,
}

/// Code `quiz`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuizView {
    /// Its slug.
    pub slug: Text,
    /// How often a member may answer one question.
    pub attempts: u32,
    /// How many of the first right answers to a question have something beside.
    pub places: u32,
    /// The questions that are published, the newest first.
    pub questions: List<QuestionView, 256>,
}

/// A question of a quiz.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuestionView {
    /// Its slug.
    pub slug: Text,
    /// What is asked.
    pub text: Prose<1024>,
    /// What can be answered.
    pub options: List<Text, 16>,
    /// When it opens, or opened.
    pub opens_ms: i64,
    /// When it closes, or closed.
    pub closes_ms: i64,
    /// How many of the first places are left.
    pub places_left: u32,
    /// The right answer, once it is closed; empty until then.
    pub right: Text,
}

/// What a member has used of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct LimitUse {
    /// The campaign's number.
    pub campaign: u32,
    /// The offer's number; 0 where the limit is over all of them. And 65,536 more where it is for each day, two times that for a week, three
    /// for a month, four for a life.
    pub offer: u32,
    /// The local day on which the window opened, or the first of what it is for, days since 1970-01-01.
    pub period: i32,
    /// How often.
    pub used: u32,
}

/// Code `campaign`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CampaignView {
    /// Its number.
    pub number: u32,
    /// The programme's version in force.
    pub version: u32,
    /// Changes whenever an answer that a gateway may keep ("sold out", "not yet open") could change.
    pub epoch: u64,
    /// 0 not yet open, 1 open, 2 between two windows, 3 over.
    pub state: u8,
    /// The local day on which the open window opened, or 0.
    pub period: i32,
    /// When it opened, or opens next; 0 if never again.
    pub opens_ms: i64,
    /// When it closes, or closed last; 0 if it never did.
    pub closes_ms: i64,
    /// Grants over all windows.
    pub granted_ever: u64,
    /// Its slug.
    pub slug: Text,
    /// The cells of the open window, or of the last that had grants.
    pub quotas: List<QuotaUse, 4096>,
    /// Its offers.
    pub offers: List<OfferView, 1024>,
    /// Refusals since the server started, by code.
    pub refusals: List<RefusalCount, 64>,
}

/// One offer of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OfferView {
    /// Its number.
    pub number: u32,
    /// Grants in the open window.
    pub granted: u64,
    /// Its SKU.
    pub sku: Text,
}

/// One quota and what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct QuotaUse {
    /// The offer's number; 0 where the quota is over all offers.
    pub offer: u32,
    /// The tier's number; 0 where the tiers share it.
    pub tier: u8,
    /// The local day on which its window opened.
    pub period: i32,
    /// Units in all; -1 where nothing bounds them.
    pub total: i64,
    /// Units granted and not returned.
    pub used: u64,
}

/// How often a refusal was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RefusalCount {
    /// The answer's code.
    pub code: u16,
    /// How often since the start.
    pub count: u64,
}

/// Code `outcome`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OutcomeView {
    /// [`OutcomeView::APPLIED`] and so on.
    pub state: u8,
    /// The code of the answer, where it was applied.
    pub code: u16,
    /// The entry in the ledger, where it was applied.
    pub ledger: LedgerId,
    /// The first answer's body as hexadecimal digits, where it was applied.
    pub answer: Prose<512>,
}

impl OutcomeView {
    /// It was applied; this is its answer.
    pub const APPLIED: u8 = 1;
    /// It was not applied, and never will be.
    pub const NEVER: u8 = 2;
    /// It was not applied so far; it might still be, if it comes before its deadline.
    pub const NOT_YET: u8 = 3;
    /// The ledger does not reach back that far any more.
    pub const BEYOND_RETENTION: u8 = 4;
}
