//! The search for an order that explains a member's history.
//!
//! At each step any event may come next that began before the earliest end of those that are left: no event that ended before
//! another began may come after it. What was tried from the same set of events in the same state is not tried again (Lowe's
//! refinement of Wing and Gong's search). Events without an answer may come anywhere after their begin, or not at all.

use std::collections::{BTreeMap, HashSet};

use crate::model::{Rules, State};
use crate::{Event, NEVER, Seen};

/// A history that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLinearizable {
    /// Whose.
    pub member: u64,
    /// The most events that some order explains.
    pub explained: usize,
    /// All of the member's events, by their begin.
    pub events: Vec<Event>,
}

impl std::fmt::Display for NotLinearizable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (member, explained, events) = (self.member, self.explained, self.events.len());
        writeln!(f, "no order explains more than {explained} of the {events} events of member {member}:")?;
        self.events.iter().try_for_each(|event| {
            let ended = if event.ended == NEVER { "…".into() } else { event.ended.to_string() };
            writeln!(f, "  {:>8} to {ended:>8}: {:?} → {:?}", event.began, event.ask, event.seen)
        })
    }
}

/// Checks every member's events.
pub fn check_members(rules: &Rules, events: &[Event]) -> Result<(), NotLinearizable> {
    let mut by_member: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.seen != Seen::Never) {
        by_member.entry(event.member).or_default().push(*event);
    }
    by_member.into_values().try_for_each(|events| check_member(rules, events))
}

/// Checks the events of one member.
pub fn check_member(rules: &Rules, mut events: Vec<Event>) -> Result<(), NotLinearizable> {
    events.sort_by_key(|event| event.began);
    let days: HashSet<i32> = events.iter().filter_map(|event| day(event.seen)).collect();
    let mut search = Search {
        rules,
        days: if days.is_empty() { vec![0] } else { days.into_iter().collect() },
        done: vec![false; events.len()],
        seen: HashSet::new(),
        most: 0,
        events,
    };
    if search.explains(0, State::default()) {
        return Ok(());
    }
    let Search { events, most, .. } = search;
    Err(NotLinearizable { member: events[0].member, explained: most, events })
}

fn day(seen: Seen) -> Option<i32> {
    match seen {
        Seen::CheckedIn { day, .. } | Seen::AlreadyCheckedIn { day } => Some(day),
        Seen::View { last_day, .. } => last_day,
        _ => None,
    }
}

struct Search<'a> {
    rules: &'a Rules,
    events: Vec<Event>,
    /// Local days that the history speaks of.
    days: Vec<i32>,
    done: Vec<bool>,
    /// Which events were done, and the state after them.
    seen: HashSet<(Vec<bool>, State)>,
    most: usize,
}

impl Search<'_> {
    /// Whether what is left can follow on `state`; `count` events are done.
    fn explains(&mut self, count: usize, state: State) -> bool {
        self.most = self.most.max(count);
        let left = || self.events.iter().zip(&self.done).filter(|(_, done)| !**done).map(|(event, _)| event);
        let Some(due) = left().map(|event| event.ended).min().filter(|due| *due != NEVER) else {
            // Whatever is left has no answer, and need not have happened.
            return true;
        };
        if !self.seen.insert((self.done.clone(), state)) {
            return false;
        }
        for at in 0..self.events.len() {
            let event = self.events[at];
            if event.began > due {
                return false;
            }
            if self.done[at] {
                continue;
            }
            let next = match event.seen {
                Seen::Unknown => state.perhaps(self.rules, event.ask, &self.days),
                seen => state.after(self.rules, event.ask, seen).into_iter().collect(),
            };
            self.done[at] = true;
            if next.into_iter().any(|state| self.explains(count + 1, state)) {
                return true;
            }
            self.done[at] = false;
        }
        false
    }
}
