//! A member's points: lots that each come from a source and expire at an instant, or a debt.
//!
//! | what there is | balance | where it stands |
//! |---|---|---|
//! | nothing | 0 | in the balance |
//! | a debt | below 0 | in the balance: whatever comes in pays it first, so that there are no lots beside it |
//! | one lot | its points | in the balance and the two fields beside it: nothing on the heap, for the many who have one |
//! | two lots | their sum | the second beside the first: a check-in beside points from orders asks for no memory |
//! | more lots | their sum | on the heap, 12 bytes each, in the order in which they are spent |
//!
//! Promises: lots are spent in the order of their expiry, then of their age; lots of one name are one lot; the balance is
//! the sum of the lots, less the debt (I6). Never: looks at a clock. Whoever has the instant says which lots expire.

use thin_vec::ThinVec;

/// Never, as an instant in whole seconds since 1970. What is due at it never comes.
pub const NEVER_S: u32 = u32::MAX;

/// The most lots that a decision gives a member, pending ones included.
pub const LOTS_MOST: usize = 1_000;

/// Points that one place beside the first lot, or on the heap, counts; more take another place of the same name.
const PACKED_MOST: i64 = (1 << 48) - 1;

/// The bit of a mark that says that the lot slides.
const SLIDES: u16 = 1 << 15;

/// The newest whole second that has begun, as lots count time: what is due at it or before is due.
pub fn second_of(now_ms: i64) -> u32 {
    now_ms.div_euclid(1000).clamp(0, i64::from(NEVER_S - 1)) as u32
}

/// What tells a lot from others: what has the same name is the same lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotName {
    /// From this second on it is expired; [`NEVER_S`] for never.
    pub expires_s: u32,
    /// What gave it: a number of the programme's, below 32,768; 0 where that was not kept.
    pub source: u16,
    /// Whether the member's activity moves its expiry.
    pub slides: bool,
}

impl LotName {
    /// What the first version of the formats had: points without source or expiry.
    pub const PLAIN: LotName = LotName { expires_s: NEVER_S, source: 0, slides: false };

    /// Source and whether it slides, in two bytes.
    pub fn mark(self) -> u16 {
        assert!(self.source < SLIDES, "sources are numbered below 32,768");
        self.source | if self.slides { SLIDES } else { 0 }
    }

    /// The name that an instant and a mark make.
    pub fn of(expires_s: u32, mark: u16) -> LotName {
        LotName { expires_s, source: mark & !SLIDES, slides: mark & SLIDES != 0 }
    }
}

/// Points of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// How many; more than none.
    pub points: i64,
    /// What tells them from others.
    pub name: LotName,
}

/// A lot beside the first, or on the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    low: u32,
    expires_s: u32,
    high: u16,
    mark: u16,
}

const _: () = assert!(size_of::<Packed>() == 12);

impl Packed {
    fn new(points: i64, expires_s: u32, mark: u16) -> Packed {
        Packed { low: points as u32, high: (points >> 32) as u16, expires_s, mark }
    }

    fn points(self) -> i64 {
        i64::from(self.high) << 32 | i64::from(self.low)
    }

    fn is(self, expires_s: u32, mark: u16) -> bool {
        (self.expires_s, self.mark) == (expires_s, mark)
    }

    fn lot(self) -> Lot {
        Lot { points: self.points(), name: LotName::of(self.expires_s, self.mark) }
    }
}

/// What there is beside the first lot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// The second lot, of another name.
    Second(Packed),
    /// All lots, the first among them.
    All(ThinVec<Packed>),
}

/// All points of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lots {
    balance: i64,
    beside: Beside,
    /// The first lot's expiry.
    expires_s: u32,
    /// The first lot's mark.
    mark: u16,
}

const _: () = assert!(size_of::<Lots>() == 32);

impl Default for Lots {
    fn default() -> Lots {
        Lots { balance: 0, beside: Beside::Nothing, expires_s: NEVER_S, mark: 0 }
    }
}

impl Lots {
    /// A debt, and nothing else.
    pub fn debt(points: i64) -> Lots {
        assert!(points >= 0, "a debt is points that are owed");
        Lots { balance: -points, ..Lots::default() }
    }

    /// Points that can be spent; below zero what is owed.
    pub fn balance(&self) -> i64 {
        self.balance
    }

    /// The second from which the first lot is expired.
    pub fn due_s(&self) -> u32 {
        self.expires_s
    }

    /// How many lots.
    pub fn count(&self) -> usize {
        match &self.beside {
            Beside::Nothing => usize::from(self.balance > 0),
            Beside::Second(_) => 2,
            Beside::All(_) => self.iter().count(),
        }
    }

    /// Places that the lots take: as many as there are, but for such as are beyond what a place counts.
    #[inline]
    pub(super) fn places(&self) -> usize {
        match &self.beside {
            Beside::All(lots) => lots.len(),
            _ => self.count(),
        }
    }

    /// Where many lots stand, without a look at them, if there are so many: for who asks for memory ahead.
    pub fn many_at(&self) -> Option<*const u8> {
        match &self.beside {
            Beside::All(lots) => Some(lots.as_ptr().cast()),
            _ => None,
        }
    }

    /// Makes room for so many lots, where they are known before any is there.
    pub fn reserve(&mut self, lots: usize) {
        if lots > 2 && self.balance <= 0 {
            self.beside = Beside::All(ThinVec::with_capacity(lots));
        }
    }

    /// The lots, in the order in which they are spent.
    pub fn iter(&self) -> impl Iterator<Item = Lot> {
        let (second, all): (_, &[Packed]) = match &self.beside {
            Beside::Nothing => (None, &[]),
            Beside::Second(second) => (Some(second.lot()), &[]),
            Beside::All(all) => (None, all),
        };
        let first = (all.is_empty() && self.balance > 0).then(|| Lot {
            points: self.balance - second.map_or(0, |second| second.points),
            name: LotName::of(self.expires_s, self.mark),
        });
        let all = all
            .chunk_by(|one, next| one.is(next.expires_s, next.mark))
            .map(|places| Lot { points: places.iter().map(|place| place.points()).sum(), ..places[0].lot() });
        first.into_iter().chain(second).chain(all)
    }

    /// Whether a lot of this name is there.
    pub fn has(&self, name: LotName) -> bool {
        self.iter().any(|lot| lot.name == name)
    }

    /// Points come in: what is owed is paid first, the rest is a lot. The balance they lead to must be a number.
    pub fn add(&mut self, points: i64, name: LotName) {
        assert!(points >= 0, "points that come in are not taken");
        let before = self.balance;
        self.balance += points;
        // What is left when the debt is paid is just the balance.
        let points = points.min(self.balance);
        if points <= 0 {
            return;
        }
        let (expires_s, mark) = (name.expires_s, name.mark());
        if before <= 0 {
            (self.expires_s, self.mark) = (expires_s, mark);
        } else if !self.add_beside_first(before, points, expires_s, mark) {
            self.add_to_all(before, points, expires_s, mark);
        }
    }

    /// Adds to the first lot, which has all points of before or all but the second's, or to the second, or becomes one of
    /// the two; `false`, with nothing done, if that cannot be.
    fn add_beside_first(&mut self, before: i64, points: i64, expires_s: u32, mark: u16) -> bool {
        let is_first = (self.expires_s, self.mark) == (expires_s, mark);
        match &mut self.beside {
            Beside::All(all) => all.is_empty() && is_first,
            _ if is_first => true,
            Beside::Second(second) => {
                let fits = second.is(expires_s, mark) && points <= PACKED_MOST - second.points();
                if fits {
                    *second = Packed::new(second.points() + points, expires_s, mark);
                }
                fits
            }
            Beside::Nothing if self.expires_s <= expires_s && points <= PACKED_MOST => {
                self.beside = Beside::Second(Packed::new(points, expires_s, mark));
                true
            }
            Beside::Nothing if self.expires_s > expires_s && before <= PACKED_MOST => {
                self.beside = Beside::Second(Packed::new(before, self.expires_s, self.mark));
                (self.expires_s, self.mark) = (expires_s, mark);
                true
            }
            Beside::Nothing => false,
        }
    }

    /// Adds to the lots that stand on the heap, where they are put first if they are not there.
    #[inline(never)]
    fn add_to_all(&mut self, before: i64, points: i64, expires_s: u32, mark: u16) {
        let (mut all, first) = match std::mem::replace(&mut self.beside, Beside::Nothing) {
            Beside::All(all) if !all.is_empty() => (all, 0),
            Beside::All(all) => (all, before),
            Beside::Second(second) => {
                let mut all = ThinVec::with_capacity(3);
                all.push(second);
                (all, before - second.points())
            }
            Beside::Nothing => (ThinVec::with_capacity(2), before),
        };
        put(&mut all, 0, first, self.expires_s, self.mark);
        insert(&mut all, points, expires_s, mark);
        self.expires_s = all[0].expires_s;
        self.beside = Beside::All(all);
    }

    /// Spends points, no more than there are: from the lot that expires first, among those from the oldest.
    pub fn spend(&mut self, points: i64) {
        assert!((0..=self.balance.max(0)).contains(&points), "{points} of {} points are spent", self.balance);
        self.balance -= points;
        match &mut self.beside {
            _ if self.balance <= 0 => *self = Lots { balance: self.balance, ..Lots::default() },
            // Only the second is left.
            Beside::Second(second) if self.balance <= second.points() => {
                (self.expires_s, self.mark) = (second.expires_s, second.mark);
                self.beside = Beside::Nothing;
            }
            Beside::All(all) if !all.is_empty() => {
                spend_from(all, points);
                self.expires_s = all[0].expires_s;
                if all.len() <= 2 {
                    let few = std::mem::take(all);
                    *self = Lots::default();
                    few.iter().for_each(|place| self.add(place.points(), place.lot().name));
                }
            }
            _ => {}
        }
    }

    /// Points that are expired by a second.
    pub fn expiring(&self, through_s: u32) -> i64 {
        if self.expires_s > through_s {
            return 0;
        }
        self.iter().take_while(|lot| lot.name.expires_s <= through_s).map(|lot| lot.points).sum()
    }

    /// Drops what is expired by a second; gives the points.
    pub fn expire(&mut self, through_s: u32) -> i64 {
        let points = self.expiring(through_s);
        self.spend(points);
        points
    }

    /// Whether any lot slides to a later expiry than it has.
    pub fn would_slide(&self, to_s: u32) -> bool {
        self.iter().any(|lot| lot.name.slides && lot.name.expires_s < to_s)
    }

    /// Moves the expiry of every lot that slides to `to_s`, if it was before.
    pub fn slide(&mut self, to_s: u32) {
        let moved = |lot: Lot| {
            let slides = lot.name.slides && lot.name.expires_s < to_s;
            if slides { Lot { name: LotName { expires_s: to_s, ..lot.name }, ..lot } } else { lot }
        };
        let lots: Vec<Lot> = self.iter().map(moved).collect();
        // Nobody owes anything beside a lot.
        if !lots.is_empty() {
            *self = Lots::default();
            self.reserve(lots.len());
            lots.into_iter().for_each(|lot| self.add(lot.points, lot.name));
        }
    }
}

/// Adds to the lot of this name, or puts it behind those that are spent before it.
fn insert(all: &mut ThinVec<Packed>, points: i64, expires_s: u32, mark: u16) {
    let behind = all.partition_point(|lot| lot.expires_s <= expires_s);
    let together = all[..behind].iter().rev().take_while(|lot| lot.expires_s == expires_s);
    let same = together.enumerate().find(|(_, lot)| lot.is(expires_s, mark)).map(|(nth, _)| behind - 1 - nth);
    let Some(at) = same else { return put(all, behind, points, expires_s, mark) };
    let room = (PACKED_MOST - all[at].points()).min(points);
    all[at] = Packed::new(all[at].points() + room, expires_s, mark);
    put(all, at + 1, points - room, expires_s, mark);
}

/// Puts points at a position, in as many places as they take.
fn put(all: &mut ThinVec<Packed>, mut at: usize, mut points: i64, expires_s: u32, mark: u16) {
    while points > 0 {
        let piece = points.min(PACKED_MOST);
        all.reserve_exact(1);
        all.insert(at, Packed::new(piece, expires_s, mark));
        points -= piece;
        at += 1;
    }
}

/// Takes points from the first lots; there are more of them.
fn spend_from(all: &mut ThinVec<Packed>, points: i64) {
    let (mut left, mut gone) = (points, 0);
    while left > 0 && all[gone].points() <= left {
        left -= all[gone].points();
        gone += 1;
    }
    if left > 0 {
        let Packed { expires_s, mark, .. } = all[gone];
        all[gone] = Packed::new(all[gone].points() - left, expires_s, mark);
    }
    all.drain(..gone);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(expires_s: u32, source: u16) -> LotName {
        LotName { expires_s, source, slides: false }
    }

    fn listed(lots: &Lots) -> Vec<(i64, u32, u16)> {
        lots.iter().map(|lot| (lot.points, lot.name.expires_s, lot.name.source)).collect()
    }

    #[test]
    fn lots_go_by_expiry_then_by_age_and_equal_ones_are_one() {
        let mut lots = Lots::default();
        for (points, expires_s, source) in
            [(5, NEVER_S, 1), (7, 300, 1), (2, 200, 2), (3, 300, 2), (4, 300, 1), (1, 200, 2)]
        {
            lots.add(points, name(expires_s, source));
        }
        assert_eq!(listed(&lots), [(3, 200, 2), (11, 300, 1), (3, 300, 2), (5, NEVER_S, 1)]);
        assert_eq!((lots.balance(), lots.count(), lots.due_s()), (22, 4, 200));
        lots.spend(15);
        assert_eq!(listed(&lots), [(2, 300, 2), (5, NEVER_S, 1)]);
        assert_eq!((lots.expiring(299), lots.expire(300)), (0, 2));
        assert_eq!((listed(&lots), lots.due_s()), (vec![(5, NEVER_S, 1)], NEVER_S));
        lots.spend(5);
        assert_eq!(lots, Lots::default());
    }

    #[test]
    fn a_debt_is_paid_before_there_is_a_lot() {
        let mut lots = Lots::debt(10);
        lots.add(4, name(100, 1));
        assert_eq!((lots.balance(), lots.count(), lots.due_s()), (-6, 0, NEVER_S));
        assert_eq!((lots.expire(100), lots.balance()), (0, -6));
        lots.add(9, name(200, 1));
        assert_eq!(listed(&lots), [(3, 200, 1)]);
        let mut even = Lots::debt(3);
        even.add(3, name(200, 1));
        assert_eq!(even, Lots::default());
    }

    #[test]
    fn sliding_lots_move_together_and_others_stay() {
        let mut lots = Lots::default();
        for (points, expires_s) in [(5, 100), (6, 150)] {
            lots.add(points, LotName { expires_s, source: 1, slides: true });
        }
        lots.add(7, name(120, 1));
        assert!(lots.would_slide(130) && !lots.would_slide(100));
        lots.slide(150);
        assert_eq!(listed(&lots), [(7, 120, 1), (11, 150, 1)]);
        lots.slide(110);
        assert_eq!(listed(&lots), [(7, 120, 1), (11, 150, 1)]);
    }

    #[test]
    fn a_lot_beyond_what_a_place_counts_takes_two() {
        let mut lots = Lots::default();
        lots.add(i64::MAX - 10, name(100, 1));
        assert_eq!(listed(&lots), [(i64::MAX - 10, 100, 1)]);
        lots.add(10, name(200, 1));
        assert_eq!(lots.iter().map(|lot| lot.points).sum::<i64>(), i64::MAX);
        assert!(lots.has(name(200, 1)) && lots.iter().all(|lot| lot.points > 0));
        lots.add(0, name(300, 1));
        lots.spend(i64::MAX - 1);
        assert_eq!(listed(&lots), [(1, 200, 1)]);
    }

    /// What is done to lots, and to the plain list that they are held against.
    #[derive(Debug, Clone)]
    enum Step {
        Add(i64, u32, u16),
        Spend(u8),
        Expire(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..200i64, 1..8u32, 1..4u16).prop_map(|(points, expires_s, source)| Step::Add(points, expires_s, source)),
            2 => any::<u8>().prop_map(Step::Spend),
            1 => (0..8u32).prop_map(Step::Expire),
        ]
    }

    proptest! {
        #[test]
        fn lots_are_what_a_list_of_single_points_would_be(debt in 0..300i64, steps in prop::collection::vec(step(), 1..40)) {
            // Every point by itself: when it expires, which of all it is, where it came from.
            let (mut lots, mut plain, mut owed) = (Lots::debt(debt), Vec::<(u32, usize, u16)>::new(), debt);
            let mut born = Vec::<(u32, u16)>::new();
            for step in steps {
                match step {
                    Step::Add(points, expires_s, source) => {
                        lots.add(points, name(expires_s, source));
                        let paid = owed.min(points);
                        owed -= paid;
                        // The age is that of the first of its name that is there.
                        let there = plain.iter().any(|(at, _, from)| (*at, *from) == (expires_s, source));
                        if !there {
                            born.retain(|known| *known != (expires_s, source));
                            born.push((expires_s, source));
                        }
                        let age = born.iter().position(|known| *known == (expires_s, source)).unwrap();
                        for _ in paid..points {
                            plain.push((expires_s, age, source));
                        }
                        // Ages are positions, which moved for those behind one that was taken out.
                        for point in &mut plain {
                            point.1 = born.iter().position(|known| *known == (point.0, point.2)).unwrap();
                        }
                        plain.sort();
                    }
                    Step::Spend(share) => {
                        let points = plain.len() * usize::from(share) / 255;
                        lots.spend(points as i64);
                        plain.drain(..points);
                    }
                    Step::Expire(through_s) => {
                        let gone = plain.iter().take_while(|(at, ..)| *at <= through_s).count();
                        prop_assert_eq!(lots.expire(through_s), gone as i64);
                        plain.drain(..gone);
                    }
                }
                prop_assert_eq!(lots.balance(), plain.len() as i64 - owed);
                prop_assert_eq!(lots.due_s(), plain.first().map_or(NEVER_S, |point| point.0));
                let mut one_by_one = Vec::new();
                for lot in lots.iter() {
                    one_by_one.extend((0..lot.points).map(|_| (lot.name.expires_s, lot.name.source)));
                }
                let due: Vec<_> = plain.iter().map(|(at, _, source)| (*at, *source)).collect();
                prop_assert_eq!(one_by_one, due);
            }
        }
    }
}
