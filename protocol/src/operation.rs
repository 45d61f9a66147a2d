//! What a gateway can ask. Every body begins with the member's key (but for [`ReportOrder`], [`GetCampaign`], [`GetQuotas`] and [`GetQuiz`]), at
//! offset 0, so that a server can route it undecoded.

use serde::Serialize;

use crate::answer::Cursor;
use crate::{Blob, Decode, Encode, List, MemberKey, Proof, RequestId, Text};

/// Makes a member of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Enrol {
    /// The new member.
    pub member: MemberKey,
}

/// Today's check-in, today being the local day in the programme's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct CheckIn {
    /// Who checks in.
    pub member: MemberKey,
}

/// An order that was paid. Its natural key is (channel, number): recorded once for ever, whatever the request's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RecordOrder {
    /// Who paid.
    pub member: MemberKey,
    /// When, milliseconds since 1970.
    pub paid_at_ms: i64,
    /// What was paid, in the currency's minor units; 0 is allowed, less is not.
    pub amount_minor: i64,
    /// The brand, declared in the programme.
    pub brand: Text,
    /// The channel, declared in the programme.
    pub channel: Text,
    /// The store, free text; may be empty.
    pub store: Text,
    /// The order's number in its channel.
    pub number: Text,
}

/// A campaign's offer for points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Redeem {
    /// Who redeems.
    pub member: MemberKey,
    /// The campaign's number.
    pub campaign: u32,
    /// The offer's number in the campaign.
    pub offer: u32,
}

/// An order that was paid, with its lines. Its natural key is that of [`RecordOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RecordOrderLines {
    /// Who paid.
    pub member: MemberKey,
    /// When, milliseconds since 1970.
    pub paid_at_ms: i64,
    /// What was paid for bringing it, in the currency's minor units; at least 0.
    pub freight_minor: i64,
    /// The brand, declared in the programme.
    pub brand: Text,
    /// The channel, declared in the programme.
    pub channel: Text,
    /// The store, free text; may be empty.
    pub store: Text,
    /// The order's number in its channel.
    pub number: Text,
    /// Its lines; at least one.
    pub lines: List<OrderLine, 256>,
}

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OrderLine {
    /// Its stock keeping unit.
    pub sku: Text,
    /// Its category, free text; may be empty.
    pub category: Text,
    /// How many; at least 1.
    pub quantity: u32,
    /// What they cost together before coupon and points, minor units; at least 0.
    pub amount_minor: i64,
    /// What of that a coupon took off; at least 0.
    pub coupon_minor: i64,
    /// What of that was paid in points; at least 0.
    pub points_minor: i64,
}

/// Something that a member did, as the programme declares it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RecordActivity {
    /// Who did it.
    pub member: MemberKey,
    /// When, milliseconds since 1970.
    pub happened_ms: i64,
    /// The activity's slug.
    pub activity: Text,
    /// Its natural key: recorded once for ever under it, whatever the request's id. Empty: the request's id is its key, for as long as
    /// ids are remembered.
    pub key: Text,
    /// What it came to.
    pub fields: List<Field, 8>,
}

/// A number with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Field {
    /// Its name.
    pub name: Text,
    /// Its value.
    pub value: i64,
}

/// One of a right is used: of those that expire first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct UseRight {
    /// Whose.
    pub member: MemberKey,
    /// The right's slug.
    pub right: Text,
}

/// A member says its birthday, or another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SetBirthday {
    /// Whose.
    pub member: MemberKey,
    /// The month, from 1.
    pub month: u8,
    /// The day of the month, from 1; 29 February is one.
    pub day: u8,
}

/// A check-in that comes in late: of the local day on which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RecordCheckIn {
    /// Who checked in.
    pub member: MemberKey,
    /// When, milliseconds since 1970.
    pub happened_ms: i64,
}

/// A day without a check-in is made up for, with one of the member's make-up cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct MakeUp {
    /// Whose day.
    pub member: MemberKey,
    /// The local day, days since 1970-01-01.
    pub day: i32,
}

/// The zone in which a member's days are counted from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SetZone {
    /// Whose.
    pub member: MemberKey,
    /// Its IANA name, one of those that the programme allows.
    pub zone: Text,
}

/// A member is given a tag, or loses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct SetTag {
    /// Whose.
    pub member: MemberKey,
    /// The tag, declared in the programme.
    pub tag: Text,
    /// 1: the member has it from now on; 0: no longer.
    pub on: u8,
}

/// An answer to a question of a quiz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct AnswerQuestion {
    /// Who answers.
    pub member: MemberKey,
    /// The quiz's slug.
    pub quiz: Text,
    /// The question's slug.
    pub question: Text,
    /// One of its options, byte by byte.
    pub answer: Text,
}

/// A new member says who invited it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct AcceptInvitation {
    /// Who was invited.
    pub member: MemberKey,
    /// By whom.
    pub inviter: MemberKey,
}

/// A member says that an order is its own, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ClaimOrder {
    /// Who says so.
    pub member: MemberKey,
    /// The channel, declared in the programme and claimable.
    pub channel: Text,
    /// The order's number in its channel.
    pub number: Text,
    /// What only the owner can tell; of zeros where the programme asks for none.
    pub proof: Proof,
}

/// An order that was paid by nobody knows which member: it can be claimed. Its natural key is that of [`RecordOrder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ReportOrder {
    /// When it was paid, milliseconds since 1970.
    pub paid_at_ms: i64,
    /// What was paid, in the currency's minor units; 0 is allowed, less is not.
    pub amount_minor: i64,
    /// The brand, declared in the programme.
    pub brand: Text,
    /// The channel, declared in the programme and claimable.
    pub channel: Text,
    /// The store, free text; may be empty.
    pub store: Text,
    /// The order's number in its channel.
    pub number: Text,
    /// What only the owner can tell; of zeros where the programme asks for none.
    pub proof: Proof,
}

/// A member has received an order: points that wait for it open at their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ConfirmReceipt {
    /// Who has.
    pub member: MemberKey,
    /// When, milliseconds since 1970.
    pub happened_ms: i64,
    /// The channel, declared in the programme.
    pub channel: Text,
    /// The order's number in its channel.
    pub number: Text,
}

/// Offers, rights, and points that pay part of an order are set aside together, or nothing of it is: for a checkout, until that is
/// confirmed or cancelled or the time is over, which gives all of it back. The request's id names the hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Hold {
    /// For whom.
    pub member: MemberKey,
    /// For how long, milliseconds, rounded up to whole seconds; 0: as long as the programme states.
    pub for_ms: u32,
    /// The store, declared in the programme; empty where there is none.
    pub store: Text,
    /// How many points pay for part of `lines`; 0 for none.
    pub points: i64,
    /// What they are to pay for part of; empty where none do.
    pub lines: List<TenderLine, 64>,
    /// Offers, each once.
    pub offers: List<OfferCount, 12>,
    /// Rights by their slugs, one of each name that stands here.
    pub rights: List<Text, 8>,
}

/// So many of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct OfferCount {
    /// The campaign's number.
    pub campaign: u32,
    /// The offer's number in the campaign.
    pub offer: u32,
    /// How many; at least 1.
    pub count: u32,
}

/// A line of an order that points could pay for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct TenderLine {
    /// Its stock keeping unit; may be empty.
    pub sku: Text,
    /// Its category, free text; may be empty.
    pub category: Text,
    /// What is to be paid for it, minor units; at least 0.
    pub amount_minor: i64,
}

/// All that is held under an id is the member's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Confirm {
    /// Whose.
    pub member: MemberKey,
    /// The id of the request that held it.
    pub hold: RequestId,
}

/// Part of what is held under an id is the member's, and the rest is given back.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct ConfirmPart {
    /// Whose.
    pub member: MemberKey,
    /// The id of the request that held it.
    pub hold: RequestId,
    /// How many of the points that pay part of an order are paid.
    pub points: i64,
    /// Which offers it takes, each once.
    pub offers: List<OfferCount, 12>,
    /// Which rights it takes, one of each name that stands here.
    pub rights: List<Text, 8>,
}

/// All that is held under an id is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Cancel {
    /// Whose.
    pub member: MemberKey,
    /// The id of the request that held it.
    pub hold: RequestId,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetHolds {
    /// Who.
    pub member: MemberKey,
}

/// How it stands with a member's claim of an order, and how many guesses it has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetClaim {
    /// Whose claim.
    pub member: MemberKey,
    /// The channel.
    pub channel: Text,
    /// The order's number in its channel.
    pub number: Text,
}

/// What a new request would be answered if it came now. Nothing changes, and no id or deadline plays a part in it. Of a claim there is
/// none, which would be a guess that does not count; and of an answer to a question only the code is told.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct DryRun {
    /// Whom the request names.
    pub member: MemberKey,
    /// Its operation: one that changes a member.
    pub code: u16,
    /// Its body.
    pub body: Blob<65_536>,
}

/// What a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetMember {
    /// Who.
    pub member: MemberKey,
}

/// A member's points, lot by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetLots {
    /// Whose.
    pub member: MemberKey,
}

/// Where a member stands: its tier, what is missing for the next, its rights, and what caps leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetStanding {
    /// Whose.
    pub member: MemberKey,
}

/// What is kept of a member beside its points: its days, its zone, its tags, who invited it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetProfile {
    /// Whose.
    pub member: MemberKey,
}

/// A page of a member's entries in the ledger, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetStatement {
    /// Whose.
    pub member: MemberKey,
    /// The page before gave it; of zeros for the first.
    pub from: Cursor,
}

/// What a campaign offers, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetCampaign {
    /// Its number, or 0 to find it by slug.
    pub campaign: u32,
    /// Its slug, read only when the number is 0.
    pub slug: Text,
}

/// A campaign's quotas of now, and what is left of them: of the window that is open, or of the last that had grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetQuotas {
    /// Its number, or 0 to find it by slug.
    pub campaign: u32,
    /// Its slug, read only when the number is 0.
    pub slug: Text,
}

/// The questions of a quiz that are published, without their right answers as long as they can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetQuiz {
    /// Its slug.
    pub quiz: Text,
}

/// What became of an earlier request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetOutcome {
    /// Whose request it was.
    pub member: MemberKey,
    /// Its id.
    pub id: RequestId,
}
