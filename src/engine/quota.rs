//! One campaign's quotas: cells that hold what is used, named by offer, tier and the day their window opened.
//!
//! Nothing is ever reset: a window opens onto fresh cells. How much a cell may hold is the programme's word, not the
//! cell's, so that a changed quota holds from the next decision on.
//!
//! Units that are held are used. A block knows how many of each cell are held until which second: whoever decides counts what is due as
//! free, and the next outcome that changes the block gives it back first. So a time-out is exact, and a look at it writes nothing.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use super::part::{BlockPart, CellEnded, CellHeld, CellUse};
use super::question::Question;
use crate::planted::{Bug, planted};
use crate::programme::Each;

/// Which units a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CellName {
    /// The local day on which the window opened, or the first of what it counts by.
    pub period: i32,
    /// The offer's number; 0 for all offers.
    pub offer: u16,
    /// The store's number; 0 for all stores.
    pub store: u16,
    /// The tier's number; 0 for all tiers.
    pub tier: u8,
    /// What it counts by.
    pub each: Each,
}

impl Hash for CellName {
    /// In two pieces: a redemption looks for several cells, and field by field that was felt.
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let CellName { period, offer, store, tier, each } = *self;
        state.write_u64(u64::from(period as u32) << 32 | u64::from(offer) << 16 | u64::from(store));
        state.write_u16(u16::from(tier) << 8 | each as u16);
    }
}

impl CellName {
    /// The cell of a window, over all stores.
    #[inline(always)]
    pub fn of_window(period: i32, offer: u16, tier: u8) -> CellName {
        CellName { period, offer, store: 0, tier, each: Each::Window }
    }

    /// Whether it is the cell of a window, over all stores: the first version had no other.
    pub fn is_plain(self) -> bool {
        self == CellName::of_window(self.period, self.offer, self.tier)
    }

    /// Whether every grant of an offer counts in it once: what all of these hold together is what was granted.
    pub fn counts_grants(self) -> bool {
        self.is_plain() && self.offer != 0 && self.tier == 0
    }
}

/// What is used of one quota in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What it counts.
    pub name: CellName,
    /// Units granted and not given back, those that are held included.
    pub used: u32,
    /// Units that came over from the window before, beyond what the programme says.
    pub carried: u32,
}

/// A campaign's cells.
#[derive(Debug, Clone)]
pub struct Block {
    cells: Vec<Option<Cell>>,
    by_name: HashMap<CellName, u32>,
    free: Vec<u32>,
    granted: u64,
    folded: u64,
    folded_through: i32,
    /// Units that are held: by the second at which their time is over, and the slot of their cell.
    held: BTreeMap<(u32, u32), u32>,
    /// How often any were given back.
    returns: u64,
    /// A quiz's, ascending by number.
    questions: Vec<Question>,
    /// The number of the newest question that there ever was.
    newest_question: u32,
}

/// Questions of a quiz that are kept at a time.
pub const QUESTIONS_MOST: usize = 256;

impl Default for Block {
    fn default() -> Block {
        Block::restore(Vec::new(), 0, 0, i32::MIN)
    }
}

impl Block {
    /// A block as a snapshot holds it.
    pub fn restore(cells: Vec<Option<Cell>>, granted: u64, folded: u64, folded_through: i32) -> Block {
        let (mut by_name, mut free) = (HashMap::new(), Vec::new());
        for (slot, cell) in cells.iter().enumerate() {
            match cell {
                Some(cell) => drop(by_name.insert(cell.name, slot as u32)),
                None => free.push(slot as u32),
            }
        }
        let (questions, held) = (Vec::new(), BTreeMap::new());
        Block { cells, by_name, free, granted, folded, folded_through, held, returns: 0, questions, newest_question: 0 }
    }

    /// Puts back what is held, as a snapshot states it; `None` if it cannot be.
    pub fn restore_held(&mut self, held: impl IntoIterator<Item = ((u32, u32), u32)>, returns: u64) -> Option<()> {
        let mut by_slot: HashMap<u32, u32> = HashMap::new();
        for ((due_s, slot), units) in held {
            let sum = by_slot.entry(slot).or_default();
            *sum = sum.checked_add(units)?;
            let cell = self.cells.get(slot as usize).copied().flatten()?;
            let fits = units > 0 && *sum <= cell.used && self.held.insert((due_s, slot), units).is_none();
            fits.then_some(())?;
        }
        self.returns = returns;
        Some(())
    }

    /// Units that are held: by the second at which their time is over, and the slot of their cell.
    pub fn held(&self) -> impl Iterator<Item = ((u32, u32), u32)> + '_ {
        self.held.iter().map(|(key, units)| (*key, *units))
    }

    /// The second at which the first of what is held is over; `None` if nothing is.
    pub fn due_s(&self) -> Option<u32> {
        self.held.first_key_value().map(|((due_s, _), _)| *due_s)
    }

    /// Whether the time of anything that is held is over by a second.
    #[inline(always)]
    pub fn is_due(&self, now_s: u32) -> bool {
        !self.held.is_empty() && self.due_s().is_some_and(|due_s| due_s <= now_s)
    }

    /// How often units were given back.
    pub fn returns(&self) -> u64 {
        self.returns
    }

    /// Units of a cell whose time is over by a second, though that was not written down yet.
    fn lapsed(&self, slot: u32, now_s: u32) -> u32 {
        let due = self.held.range(..=(now_s, u32::MAX));
        due.filter(|((_, of), _)| *of == slot).map(|(_, units)| *units).sum()
    }

    /// Units of a cell that are held beyond a second.
    pub fn held_beyond(&self, slot: u32, now_s: u32) -> u64 {
        let held = self.held.iter().filter(|((due_s, of), _)| *of == slot && *due_s > now_s);
        held.map(|(_, units)| u64::from(*units)).sum()
    }

    /// Grants whose time was over by a second, though that was not written down yet.
    pub fn lapsed_grants(&self, now_s: u32) -> u64 {
        let due = self.held.range(..=(now_s, u32::MAX));
        let grants = due.filter(|((_, slot), _)| self.cells[*slot as usize].is_some_and(|it| it.name.counts_grants()));
        grants.map(|(_, units)| u64::from(*units)).sum()
    }

    /// Whether any unit of a cell is held.
    pub fn holds_any(&self, slot: u32) -> bool {
        self.held.keys().any(|(_, of)| *of == slot)
    }

    /// Puts a quiz's questions back, as a snapshot states them; `None` if they cannot be.
    pub fn restore_questions(&mut self, questions: Vec<Question>, newest: u32) -> Option<()> {
        let ascending = questions.windows(2).all(|pair| pair[0].number < pair[1].number);
        let last = questions.last().map_or(0, |question| question.number);
        let good = questions.len() <= QUESTIONS_MOST && questions.iter().all(Question::holds);
        (self.questions, self.newest_question) = (questions, newest);
        (ascending && good && last <= newest && newest < i32::MAX as u32).then_some(())
    }

    /// The published questions, ascending by number.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The question of this slug.
    pub fn question(&self, slug: &str) -> Option<&Question> {
        self.questions.iter().rev().find(|question| question.slug.as_str() == slug)
    }

    /// The number of the newest question that there ever was.
    pub fn newest_question(&self) -> u32 {
        self.newest_question
    }

    /// Whether a question was answered.
    pub fn is_answered(&self, question: &Question) -> bool {
        self.cells.iter().flatten().any(|cell| cell.name.period == question.period())
    }

    /// Every slot, free ones included.
    pub fn cells(&self) -> &[Option<Cell>] {
        &self.cells
    }

    /// Grants over all windows.
    pub fn granted(&self) -> u64 {
        self.granted
    }

    /// Grants whose cells are folded.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// The newest window whose cells are folded; `i32::MIN` if none are. What it and those before it granted is no longer
    /// told apart, so that none of them may open again (I2).
    pub fn folded_through(&self) -> i32 {
        self.folded_through
    }

    /// The cell of a name with its slot, as it is at a second; `None` if nothing was granted yet.
    #[inline(always)]
    pub fn find(&self, name: CellName, now_s: u32) -> Option<(u32, Cell)> {
        let slot = *self.by_name.get(&name)?;
        let mut cell = self.cells[slot as usize]?;
        if self.is_due(now_s) {
            cell.used -= self.lapsed(slot, now_s);
        }
        Some((slot, cell))
    }

    /// Units used of a cell at a second.
    pub fn used(&self, name: CellName, now_s: u32) -> u32 {
        self.find(name, now_s).map_or(0, |(_, cell)| cell.used)
    }

    /// Whether a cell is of a window, over all tiers and stores, and there is none of a later one.
    pub fn is_newest(&self, slot: u32) -> bool {
        let Some(cell) = self.cells.get(slot as usize).copied().flatten() else { return false };
        let name = CellName { period: i32::MAX, ..cell.name };
        cell.name.is_plain() && cell.name.tier == 0 && self.before(name) == Some(cell.name)
    }

    /// The newest cell before a window's, of the same offer over all tiers and stores.
    pub fn before(&self, name: CellName) -> Option<CellName> {
        let names = self.cells.iter().flatten().map(|cell| cell.name);
        let earlier = names.filter(|it| *it == CellName { period: it.period, ..name } && it.period < name.period);
        earlier.max_by_key(|it| it.period)
    }

    /// The newest window of which anything was granted; `i32::MIN` if nothing ever was.
    pub fn newest_period(&self) -> i32 {
        let windows = self.cells.iter().flatten().filter(|cell| cell.name.each == Each::Window);
        windows.map(|cell| cell.name.period).max().unwrap_or(i32::MIN)
    }

    /// The slot that the `nth` next new cell takes.
    pub fn free_slot(&self, nth: usize) -> u32 {
        match self.free.len().checked_sub(nth + 1) {
            Some(at) => self.free[at],
            None => (self.cells.len() + nth - self.free.len()) as u32,
        }
    }

    /// Whether a part from the log fits: the cells it names are there, each once, or new where it opens one.
    pub fn takes(&self, part: &BlockPart) -> bool {
        let cell = |slot: u32| self.cells.get(slot as usize).copied().flatten();
        match part {
            BlockPart::Opened { slot, name, .. } => {
                let free = cell(*slot).is_none() && (*slot as usize) < self.cells.len() + 64;
                free && !self.by_name.contains_key(name)
            }
            BlockPart::Granted { cells, .. } => {
                let counts = |changed: &CellUse| cell(changed.slot)?.used.checked_add(1);
                once(cells, |cell| cell.slot) && cells.iter().all(|it| counts(it) == Some(it.used))
            }
            BlockPart::Held { cells, due_s, .. } => {
                let counts = |held: &CellHeld| {
                    let room = self.held.get(&(*due_s, held.slot)).copied().unwrap_or(0).checked_add(held.units);
                    room.and(cell(held.slot)?.used.checked_add(held.units)).filter(|_| held.units > 0)
                };
                once(cells, |cell| cell.slot) && cells.iter().all(|it| counts(it) == Some(it.used))
            }
            BlockPart::Ended { cells, due_s, .. } => {
                let held = |it: &CellEnded| {
                    let held = self.held.get(&(*due_s, it.slot)).copied().unwrap_or(0);
                    let ended = it.confirmed.checked_add(it.returned);
                    ended.is_some_and(|ended| ended > 0 && ended <= held)
                };
                once(cells, |cell| cell.slot) && cells.iter().all(held)
            }
            BlockPart::Lapsed { through_s, .. } => self.is_due(*through_s),
            BlockPart::Published { question, .. } => {
                let known = self.questions.iter().any(|known| known.number == question.number);
                let next = question.number == self.newest_question + 1 && self.questions.len() < QUESTIONS_MOST;
                question.holds() && (known || next)
            }
            BlockPart::QuestionForgotten { number, .. } => {
                let period = *number as i32;
                let folded = self.cells.iter().flatten().all(|cell| cell.name.period != period);
                folded && self.questions.iter().any(|question| question.number == *number)
            }
            BlockPart::Folded { slot, .. } => cell(*slot).is_some() && !self.holds_any(*slot),
        }
    }

    /// Makes the change that a part states.
    pub fn apply(&mut self, part: &BlockPart) {
        match part {
            BlockPart::Opened { slot, name, carried, .. } => {
                let at = *slot as usize;
                while self.cells.len() <= at {
                    self.free.push(self.cells.len() as u32);
                    self.cells.push(None);
                }
                self.free.retain(|free| free != slot);
                assert!(self.cells[at].is_none(), "a cell opens in a free slot");
                self.cells[at] = Some(Cell { name: *name, used: 0, carried: *carried });
                self.by_name.insert(*name, *slot);
            }
            BlockPart::Granted { cells, .. } => {
                for changed in cells {
                    let cell = self.cells[changed.slot as usize].as_mut().expect("a grant counts in open cells");
                    assert_eq!(cell.used + 1, changed.used, "a grant is one unit");
                    cell.used = changed.used;
                }
                // These totals are modulo 2^64, as the books compare them.
                self.granted = self.granted.wrapping_add(1);
                if planted(Bug::UnitReturnedTwice) && self.granted.is_multiple_of(5) {
                    let returned = self.cells[cells[0].slot as usize].as_mut().expect("a grant counts in open cells");
                    returned.used -= 1;
                }
            }
            BlockPart::Held { cells, due_s, .. } => {
                for CellHeld { slot, used, units } in cells {
                    let cell = self.cells[*slot as usize].as_mut().expect("what is held counts in open cells");
                    assert_eq!(cell.used + units, *used, "what is held is used");
                    cell.used = *used;
                    if cell.name.counts_grants() {
                        self.granted = self.granted.wrapping_add(u64::from(*units));
                    }
                    *self.held.entry((*due_s, *slot)).or_default() += units;
                }
            }
            BlockPart::Ended { cells, due_s, .. } => {
                for CellEnded { slot, confirmed, returned } in cells {
                    self.end((*due_s, *slot), confirmed + returned);
                    self.give_back(*slot, *returned);
                }
                if cells.iter().any(|cell| cell.returned > 0) {
                    self.returns += 1;
                }
            }
            BlockPart::Lapsed { through_s, .. } => {
                while let Some(((due_s, slot), units)) = self.held.first_key_value().map(|(key, units)| (*key, *units))
                    && due_s <= *through_s
                {
                    self.end((due_s, slot), units);
                    self.give_back(slot, units);
                }
                self.returns += 1;
            }
            BlockPart::Published { question, .. } => {
                match self.questions.iter_mut().find(|known| known.number == question.number) {
                    Some(known) => *known = (**question).clone(),
                    None => self.questions.push((**question).clone()),
                }
                self.newest_question = self.newest_question.max(question.number);
            }
            BlockPart::QuestionForgotten { number, .. } => self.questions.retain(|known| known.number != *number),
            BlockPart::Folded { slot, .. } => {
                let cell = self.cells[*slot as usize].take().expect("an open cell is folded");
                self.by_name.remove(&cell.name);
                self.free.push(*slot);
                if cell.name.each == Each::Window {
                    self.folded_through = self.folded_through.max(cell.name.period);
                }
                if cell.name.counts_grants() {
                    self.folded = self.folded.wrapping_add(u64::from(cell.used));
                }
            }
        }
    }

    /// Units are held no longer.
    fn end(&mut self, key: (u32, u32), units: u32) {
        let held = self.held.get_mut(&key).expect("what ends was held");
        *held = held.checked_sub(units).expect("no more ends than was held");
        if *held == 0 {
            self.held.remove(&key);
        }
    }

    /// Units of a cell can be granted again.
    fn give_back(&mut self, slot: u32, units: u32) {
        let cell = self.cells[slot as usize].as_mut().expect("a cell of which units are held is not folded");
        cell.used = cell.used.checked_sub(units).expect("what is held is used");
        if cell.name.counts_grants() {
            self.granted = self.granted.wrapping_sub(u64::from(units));
        }
    }

    /// Grants in the cells of single offers: with what is folded they are all grants (I6).
    pub fn counted(&self) -> u64 {
        let offers = self.cells.iter().flatten().filter(|cell| cell.name.counts_grants());
        offers.fold(self.folded, |sum, cell| sum.wrapping_add(u64::from(cell.used)))
    }
}

/// Whether no slot stands twice.
fn once<T>(cells: &[T], slot: impl Fn(&T) -> u32) -> bool {
    cells.iter().enumerate().all(|(at, cell)| cells[..at].iter().all(|before| slot(before) != slot(cell)))
}
