//! What a gateway can ask. Every body begins with the member's key (but for [`GetCampaign`]), at offset 0, so that a
//! server can route it undecoded.

use serde::Serialize;

use crate::{Decode, Encode, MemberKey, RequestId, Text};

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
    /// The brand, declared in the programme; empty where the programme declares none.
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

/// What a campaign offers, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetCampaign {
    /// Its number, or 0 to find it by slug.
    pub campaign: u32,
    /// Its slug, read only when the number is 0.
    pub slug: Text,
}

/// What became of an earlier request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct GetOutcome {
    /// Whose request it was.
    pub member: MemberKey,
    /// Its id.
    pub id: RequestId,
}
