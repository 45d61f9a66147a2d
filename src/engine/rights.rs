//! Rights that a member can use, each once: by name and number, the first to expire first.

/// So many of a right that expire at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The right's number.
    pub number: u16,
    /// How many; more than none.
    pub count: u32,
    /// From this second on they are expired; [`super::NEVER_S`] for never.
    pub expires_s: u32,
}

/// All rights of a member that are counted, by their expiry, then by age.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(Vec<Right>);

impl Rights {
    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// The second at which the first expire; `None` if there are none.
    pub fn due_s(&self) -> Option<u32> {
        self.0.first().map(|first| first.expires_s)
    }

    /// How many of a right there are.
    pub fn count(&self, number: u16) -> u64 {
        self.0.iter().filter(|right| right.number == number).map(|right| u64::from(right.count)).sum()
    }

    /// Adds some; those of one right that expire together are one. `None`, with nothing done, if they are none, or more than are
    /// counted.
    pub fn add(&mut self, added: Right) -> Option<()> {
        let behind = self.0.partition_point(|right| right.expires_s <= added.expires_s);
        let same = self.0[..behind]
            .iter_mut()
            .find(|right| (right.number, right.expires_s) == (added.number, added.expires_s));
        match same {
            _ if added.count == 0 => return None,
            Some(same) => same.count = same.count.checked_add(added.count)?,
            None => self.0.insert(behind, added),
        }
        Some(())
    }

    /// Takes one of a right, of those that expire first; `None` if there is none.
    pub fn take(&mut self, number: u16) -> Option<()> {
        self.take_first(number).map(drop)
    }

    /// The same, and gives it.
    pub fn take_first(&mut self, number: u16) -> Option<Right> {
        let at = self.0.iter().position(|right| right.number == number)?;
        let first = Right { count: 1, ..self.0[at] };
        self.0[at].count -= 1;
        if self.0[at].count == 0 {
            self.0.remove(at);
        }
        Some(first)
    }

    /// Drops what is expired by a second; gives how many that were.
    pub fn expire(&mut self, through_s: u32) -> u64 {
        let gone = self.0.partition_point(|right| right.expires_s <= through_s);
        self.0.drain(..gone).map(|right| u64::from(right.count)).sum()
    }
}
