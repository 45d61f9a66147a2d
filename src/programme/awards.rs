//! Awards: what a tier or a benefit gives of itself, points or a right or both, without being multiplied or capped.

use super::expiry::LotTerms;
use super::reader::Value;
use super::rights::{self, Right, RightCount};
use super::terms;

/// Points of one award: all that a member can come to at once are far from what one outcome gives.
const POINTS_MOST: i64 = 1_000_000_000;

/// What is given at once.
#[derive(Debug, Clone)]
pub struct Award {
    /// Points; 0 for none.
    pub points: i64,
    /// On which terms they are given.
    pub terms: LotTerms,
    /// So many of a right.
    pub right: Option<RightCount>,
}

/// What awards refer to.
pub(super) struct Scope<'s> {
    pub(super) lives: &'s terms::Lives<'s>,
    pub(super) rights: &'s [Right],
}

/// The keys of an award.
pub(super) const KEYS: [&str; 5] = ["points", "expires", "pending", "right", "count"];

/// An award, in a table of which it takes those keys. One that gives nothing is reported.
pub(super) fn award(value: &Value, fields: &super::reader::Fields, scope: &Scope) -> Option<Award> {
    let points = fields.get("points").map_or(Some(0), |value| value.integer(1..=POINTS_MOST));
    let terms = scope.lives.terms(fields);
    let right = rights::given(fields, scope.rights);
    let award = Award { points: points?, terms: terms?, right: right? };
    if award.points == 0 && award.right.is_none() {
        value.error(format!("`{}` gives nothing", value.name), "add points = 100, or right = \"free-drink\"");
        return None;
    }
    Some(award)
}
