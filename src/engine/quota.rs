//! One campaign's quotas: cells that hold what is used, named by offer, tier and the day their window opened.
//!
//! Nothing is ever reset: a window opens onto fresh cells. How much a cell may hold is the programme's word, not the
//! cell's, so that a changed quota holds from the next decision on.

use hashbrown::HashMap;

use super::part::BlockPart;
use super::question::Question;
use crate::planted::{Bug, planted};

/// Which units a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellName {
    /// The local day on which the window opened.
    pub period: i32,
    /// The offer's number; 0 for all offers.
    pub offer: u16,
    /// The tier's number; 0 for all tiers.
    pub tier: u8,
}

/// What is used of one quota in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// What it counts.
    pub name: CellName,
    /// Units granted and not returned.
    pub used: u32,
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
        Block { cells, by_name, free, granted, folded, folded_through, questions: Vec::new(), newest_question: 0 }
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

    /// The cell's slot and units used; `None` if nothing was granted yet.
    pub fn find(&self, name: CellName) -> Option<(u32, u32)> {
        let slot = *self.by_name.get(&name)?;
        self.cells[slot as usize].map(|cell| (slot, cell.used))
    }

    /// Units used of a cell.
    pub fn used(&self, name: CellName) -> u32 {
        self.find(name).map_or(0, |(_, used)| used)
    }

    /// The newest window of which anything was granted; `i32::MIN` if nothing ever was.
    pub fn newest_period(&self) -> i32 {
        self.cells.iter().flatten().map(|cell| cell.name.period).max().unwrap_or(i32::MIN)
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
            BlockPart::Granted { cells, .. } => cells.iter().enumerate().all(|(at, changed)| {
                let first = cells[..at].iter().all(|before| before.slot != changed.slot);
                first && cell(changed.slot).is_some_and(|cell| cell.used.checked_add(1) == Some(changed.used))
            }),
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
            BlockPart::Folded { slot, .. } => cell(*slot).is_some(),
        }
    }

    /// Makes the change that a part states.
    pub fn apply(&mut self, part: &BlockPart) {
        match part {
            BlockPart::Opened { slot, name, .. } => {
                let at = *slot as usize;
                while self.cells.len() <= at {
                    self.free.push(self.cells.len() as u32);
                    self.cells.push(None);
                }
                self.free.retain(|free| free != slot);
                assert!(self.cells[at].is_none(), "a cell opens in a free slot");
                self.cells[at] = Some(Cell { name: *name, used: 0 });
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
                self.folded_through = self.folded_through.max(cell.name.period);
                if cell.name.offer != 0 && cell.name.tier == 0 {
                    self.folded = self.folded.wrapping_add(u64::from(cell.used));
                }
            }
        }
    }

    /// Grants in the cells of single offers: with what is folded they are all grants (I6).
    pub fn counted(&self) -> u64 {
        let offers = self.cells.iter().flatten().filter(|cell| cell.name.offer != 0 && cell.name.tier == 0);
        offers.fold(self.folded, |sum, cell| sum.wrapping_add(u64::from(cell.used)))
    }
}
