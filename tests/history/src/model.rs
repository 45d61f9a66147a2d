//! One member, as plain as it can be: what each request does to it, and which answer that gives.

use crate::{Ask, Seen};

/// The numbers of the programme that a history is about.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Points for a check-in.
    pub check_in: i64,
    /// Points the offer costs.
    pub price: i64,
    /// How often a member may redeem.
    pub times: u32,
}

/// What a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State {
    enrolled: bool,
    balance: i64,
    earned: i64,
    used: u32,
    last_day: Option<i32>,
    /// Orders recorded, a bit each.
    orders: u64,
}

impl State {
    /// The state after a request that was told `seen`; `None` if this state cannot have told it.
    pub fn after(self, rules: &Rules, ask: Ask, seen: Seen) -> Option<State> {
        let told = match (ask, seen) {
            (_, Seen::Never) => return Some(self),
            (Ask::Enrol, Seen::Enrolled) => !self.enrolled,
            (Ask::Enrol, Seen::AlreadyEnrolled) => self.enrolled,
            (_, Seen::NoMember) => return (!self.enrolled && ask != Ask::Enrol).then_some(self),
            _ if !self.enrolled => return None,
            (Ask::CheckIn, Seen::CheckedIn { day, before, after }) => {
                self.last_day.is_none_or(|last| last < day)
                    && (before, after) == (self.balance, self.balance + rules.check_in)
            }
            (Ask::CheckIn, Seen::AlreadyCheckedIn { day }) => self.last_day == Some(day),
            (Ask::Order { number, points }, Seen::Recorded { before, after }) => {
                !self.has(number) && (before, after) == (self.balance, self.balance + points)
            }
            // By another request, or by this one: it was sent again when its answer was lost, and an order has a key of its own.
            (Ask::Order { .. }, Seen::AlreadyRecorded) => true,
            (Ask::Redeem, Seen::Granted { before, after, .. }) => {
                self.may_redeem(rules) && (before, after) == (self.balance, self.balance - rules.price)
            }
            (Ask::Redeem, Seen::NotEnough { balance }) => balance == self.balance && balance < rules.price,
            (Ask::Redeem, Seen::LimitReached { used }) => used == self.used && used >= rules.times,
            // Whether it was sold out is not the member's: see the check of quotas.
            (Ask::Redeem, Seen::SoldOut) => true,
            (Ask::Get, Seen::View { balance, earned, used, last_day }) => {
                (balance, earned, used, last_day) == (self.balance, self.earned, self.used, self.last_day)
            }
            _ => false,
        };
        told.then(|| self.changed(rules, ask, seen))
    }

    /// The states that a request without an answer may lead to, if it happens.
    pub fn perhaps(self, rules: &Rules, ask: Ask, days: &[i32]) -> Vec<State> {
        let guesses: Vec<Seen> = match ask {
            Ask::Enrol if !self.enrolled => vec![Seen::Enrolled],
            Ask::CheckIn => {
                let (before, after) = (self.balance, self.balance + rules.check_in);
                days.iter().map(|&day| Seen::CheckedIn { day, before, after }).collect()
            }
            Ask::Order { points, .. } => vec![Seen::Recorded { before: self.balance, after: self.balance + points }],
            Ask::Redeem => {
                vec![Seen::Granted { before: self.balance, after: self.balance - rules.price, grant: 0 }]
            }
            Ask::Enrol | Ask::Get => vec![],
        };
        guesses.into_iter().filter_map(|seen| self.after(rules, ask, seen)).collect()
    }

    fn changed(mut self, rules: &Rules, ask: Ask, seen: Seen) -> State {
        match (ask, seen) {
            (_, Seen::Enrolled) => self.enrolled = true,
            (_, Seen::CheckedIn { day, .. }) => {
                self.last_day = Some(day);
                self.earn(rules.check_in);
            }
            (Ask::Order { number, points }, Seen::Recorded { .. } | Seen::AlreadyRecorded) if !self.has(number) => {
                self.orders |= 1 << number;
                self.earn(points);
            }
            (_, Seen::Granted { .. }) => {
                self.balance -= rules.price;
                self.used += 1;
            }
            _ => {}
        }
        self
    }

    fn earn(&mut self, points: i64) {
        self.balance += points;
        self.earned += points;
    }

    fn has(self, number: u8) -> bool {
        self.orders >> number & 1 == 1
    }

    fn may_redeem(self, rules: &Rules) -> bool {
        self.balance >= rules.price && self.used < rules.times
    }
}
