//! Records: parts as they stand in the log. The layouts are frozen; a change is a new kind.
//!
//! Every record begins with its length (`u16`, of the whole record) and its kind (`u8`); times are milliseconds after
//! the base of their tail (`u32`). All integers little-endian. `docs/disk-format.md` has the tables.

mod first;
mod member;

use arrayvec::ArrayVec;

use super::kept::KeptOrder;
use super::keyed::KeyEntry;
use super::part::{BlockPart, CellEnded, CellHeld, CellUse, DirectoryPart, MemberPart, QUOTAS_MOST};
use super::question::Question;
use super::quota::CellName;
use crate::programme::Each;

pub use member::write as write_member;

/// Kinds 1 to 4 are the first version's; they are read and not written any more.
const MEMBER: u8 = 5;
const CELL_OPENED: u8 = 32;
const GRANTED: u8 = 33;
const CELL_FOLDED: u8 = 34;
const QUESTION_PUBLISHED: u8 = 35;
const QUESTION_FORGOTTEN: u8 = 36;
const WIDE_CELL_OPENED: u8 = 37;
const UNITS_HELD: u8 = 38;
const UNITS_ENDED: u8 = 39;
const UNITS_LAPSED: u8 = 40;
const ORDER_TAKEN: u8 = 64;
const ORDERS_FORGOTTEN: u8 = 65;
const ORDER_KEPT: u8 = 66;
const KEPT_FORGOTTEN: u8 = 67;

/// A record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of a member shard.
    Member(MemberPart),
    /// Of a campaign's block.
    Block(BlockPart),
    /// Of a directory shard.
    Directory(DirectoryPart),
}

impl Record {
    /// The decision's instant.
    pub fn now_ms(&self) -> i64 {
        match self {
            Record::Member(MemberPart { now_ms, .. })
            | Record::Block(
                BlockPart::Opened { now_ms, .. }
                | BlockPart::Granted { now_ms, .. }
                | BlockPart::Published { now_ms, .. }
                | BlockPart::QuestionForgotten { now_ms, .. }
                | BlockPart::Held { now_ms, .. }
                | BlockPart::Ended { now_ms, .. }
                | BlockPart::Lapsed { now_ms, .. }
                | BlockPart::Folded { now_ms, .. },
            )
            | Record::Directory(
                DirectoryPart::Taken { now_ms, .. }
                | DirectoryPart::Forgot { now_ms, .. }
                | DirectoryPart::Kept { now_ms, .. }
                | DirectoryPart::KeptForgot { now_ms, .. },
            ) => *now_ms,
        }
    }
}

/// Bytes that are no record of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// It ends early, or its length is not that of its kind.
    #[error("a record of kind {kind} states {stated} bytes, {present} are there")]
    Length {
        /// Its kind.
        kind: u8,
        /// Its length field.
        stated: usize,
        /// Bytes present or expected.
        present: usize,
    },
    /// A kind that a newer Tidegate may know.
    #[error("record kind {0} is unknown to this version; was the log written by a newer one?")]
    Kind(u8),
    /// A field holds what it never can.
    #[error("a record of kind {0} holds a value it never can")]
    Value(u8),
}

/// Writes one record; `fill` appends what follows length and kind.
fn record(out: &mut Vec<u8>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, kind]);
    fill(out);
    let length = u16::try_from(out.len() - start).expect("records are short");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}

fn after_base(now_ms: i64, base_ms: i64) -> [u8; 4] {
    u32::try_from(now_ms - base_ms).expect("a place's time never runs back, an epoch lasts no days").to_le_bytes()
}

/// Appends a block's part.
pub fn write_block(out: &mut Vec<u8>, part: &BlockPart, base_ms: i64) {
    match part {
        BlockPart::Opened { now_ms, slot, name, carried } => {
            let plain = name.is_plain() && *carried == 0;
            record(out, if plain { CELL_OPENED } else { WIDE_CELL_OPENED }, |out| {
                out.extend_from_slice(&after_base(*now_ms, base_ms));
                out.extend_from_slice(&slot.to_le_bytes());
                out.extend_from_slice(&name.period.to_le_bytes());
                out.extend_from_slice(&name.offer.to_le_bytes());
                out.push(name.tier);
                if !plain {
                    out.push(name.each as u8);
                    out.extend_from_slice(&name.store.to_le_bytes());
                    out.extend_from_slice(&carried.to_le_bytes());
                }
            });
        }
        BlockPart::Held { now_ms, due_s, cells } => record(out, UNITS_HELD, |out| {
            out.push(cells.len() as u8);
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&due_s.to_le_bytes());
            for CellHeld { slot, used, units } in cells {
                out.extend([slot, used, units].into_iter().flat_map(|number| number.to_le_bytes()));
            }
        }),
        BlockPart::Ended { now_ms, due_s, cells } => record(out, UNITS_ENDED, |out| {
            out.push(cells.len() as u8);
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&due_s.to_le_bytes());
            for CellEnded { slot, confirmed, returned } in cells {
                out.extend([slot, confirmed, returned].into_iter().flat_map(|number| number.to_le_bytes()));
            }
        }),
        BlockPart::Lapsed { now_ms, through_s } => record(out, UNITS_LAPSED, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&through_s.to_le_bytes());
        }),
        BlockPart::Granted { now_ms, cells } => record(out, GRANTED, |out| {
            out.push(cells.len() as u8);
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            for cell in cells {
                out.extend_from_slice(&cell.slot.to_le_bytes());
                out.extend_from_slice(&cell.used.to_le_bytes());
            }
        }),
        BlockPart::Published { now_ms, question } => record(out, QUESTION_PUBLISHED, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&question.to_bytes());
        }),
        BlockPart::QuestionForgotten { now_ms, number } => record(out, QUESTION_FORGOTTEN, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&number.to_le_bytes());
        }),
        BlockPart::Folded { now_ms, slot } => record(out, CELL_FOLDED, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&slot.to_le_bytes());
        }),
    }
}

/// Appends a directory's part.
pub fn write_directory(out: &mut Vec<u8>, part: &DirectoryPart, base_ms: i64) {
    match part {
        DirectoryPart::Taken { now_ms, slot, entry } => record(out, ORDER_TAKEN, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&slot.to_le_bytes());
            out.extend_from_slice(&entry.to_bytes());
        }),
        DirectoryPart::Kept { now_ms, slot, kept } => record(out, ORDER_KEPT, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&slot.to_le_bytes());
            out.extend_from_slice(&kept.to_bytes());
        }),
        DirectoryPart::KeptForgot { now_ms, through_s } => record(out, KEPT_FORGOTTEN, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&through_s.to_le_bytes());
        }),
        DirectoryPart::Forgot { now_ms, programme, through_ms } => record(out, ORDERS_FORGOTTEN, |out| {
            out.extend_from_slice(&after_base(*now_ms, base_ms));
            out.extend_from_slice(&programme.to_le_bytes());
            out.extend_from_slice(&through_ms.to_le_bytes());
        }),
    }
}

/// Takes fixed-width fields off the front of a record.
struct Fields<'a> {
    rest: &'a [u8],
    kind: u8,
    stated: usize,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadRecord> {
        let short = BadRecord::Length { kind: self.kind, stated: self.stated, present: self.rest.len() };
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(short)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, BadRecord> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, BadRecord> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, BadRecord> {
        self.take().map(u32::from_le_bytes)
    }

    fn i32(&mut self) -> Result<i32, BadRecord> {
        self.take().map(i32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, BadRecord> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, BadRecord> {
        self.take().map(i64::from_le_bytes)
    }
}

/// Reads the record at the front of `bytes`, and says how long it is.
pub fn read_record(bytes: &[u8], base_ms: i64) -> Result<(Record, usize), BadRecord> {
    let (head, _) =
        bytes.split_first_chunk::<3>().ok_or(BadRecord::Length { kind: 0, stated: 3, present: bytes.len() })?;
    let (stated, kind) = (usize::from(u16::from_le_bytes([head[0], head[1]])), head[2]);
    let rest = bytes.get(3..stated).ok_or(BadRecord::Length { kind, stated, present: bytes.len() })?;
    let mut fields = Fields { rest, kind, stated };
    let record = match kind {
        first::ENROLLED..=first::REDEEMED => Record::Member(first::read(&mut fields, base_ms)?),
        MEMBER => Record::Member(member::read(&mut fields, base_ms)?),
        CELL_OPENED..=UNITS_LAPSED => Record::Block(read_block(&mut fields, base_ms)?),
        ORDER_TAKEN..=KEPT_FORGOTTEN => Record::Directory(read_directory(&mut fields, base_ms)?),
        other => return Err(BadRecord::Kind(other)),
    };
    if !fields.rest.is_empty() {
        return Err(BadRecord::Length { kind, stated, present: stated - fields.rest.len() });
    }
    Ok((record, stated))
}

fn read_block(fields: &mut Fields<'_>, base_ms: i64) -> Result<BlockPart, BadRecord> {
    let counts = matches!(fields.kind, GRANTED | UNITS_HELD | UNITS_ENDED);
    let cells = if counts { usize::from(fields.u8()?) } else { 0 };
    let now_ms = base_ms.saturating_add(i64::from(fields.u32()?));
    Ok(match fields.kind {
        CELL_OPENED => {
            let slot = fields.u32()?;
            let name = CellName::of_window(fields.i32()?, fields.u16()?, fields.u8()?);
            BlockPart::Opened { now_ms, slot, name, carried: 0 }
        }
        WIDE_CELL_OPENED => {
            let (slot, period, offer, tier) = (fields.u32()?, fields.i32()?, fields.u16()?, fields.u8()?);
            let each = Each::numbered(fields.u8()?).ok_or(BadRecord::Value(fields.kind))?;
            let (store, carried) = (fields.u16()?, fields.u32()?);
            let name = CellName { period, offer, store, tier, each };
            BlockPart::Opened { now_ms, slot, name, carried }
        }
        UNITS_HELD => {
            let due_s = fields.u32()?;
            let cell = |_| Ok(CellHeld { slot: fields.u32()?, used: fields.u32()?, units: fields.u32()? });
            BlockPart::Held { now_ms, due_s, cells: (0..cells).map(cell).collect::<Result<_, BadRecord>>()? }
        }
        UNITS_ENDED => {
            let due_s = fields.u32()?;
            let cell = |_| Ok(CellEnded { slot: fields.u32()?, confirmed: fields.u32()?, returned: fields.u32()? });
            BlockPart::Ended { now_ms, due_s, cells: (0..cells).map(cell).collect::<Result<_, BadRecord>>()? }
        }
        UNITS_LAPSED => BlockPart::Lapsed { now_ms, through_s: fields.u32()? },
        QUESTION_PUBLISHED => {
            let question = Question::read(fields.rest).map_err(|_| BadRecord::Value(fields.kind))?;
            fields.rest = &[];
            BlockPart::Published { now_ms, question: Box::new(question) }
        }
        QUESTION_FORGOTTEN => BlockPart::QuestionForgotten { now_ms, number: fields.u32()? },
        CELL_FOLDED => BlockPart::Folded { now_ms, slot: fields.u32()? },
        _ => {
            if cells == 0 || cells > QUOTAS_MOST {
                return Err(BadRecord::Value(fields.kind));
            }
            let mut read = ArrayVec::new();
            for _ in 0..cells {
                read.push(CellUse { slot: fields.u32()?, used: fields.u32()? });
            }
            BlockPart::Granted { now_ms, cells: read }
        }
    })
}

fn read_directory(fields: &mut Fields<'_>, base_ms: i64) -> Result<DirectoryPart, BadRecord> {
    let now_ms = base_ms.saturating_add(i64::from(fields.u32()?));
    Ok(match fields.kind {
        ORDER_TAKEN => {
            DirectoryPart::Taken { now_ms, slot: fields.u32()?, entry: KeyEntry::from_bytes(&fields.take()?) }
        }
        ORDER_KEPT => {
            let slot = fields.u32()?;
            let kept = KeptOrder::from_bytes(&fields.take()?).filter(|kept| kept.programme != 0);
            DirectoryPart::Kept { now_ms, slot, kept: Box::new(kept.ok_or(BadRecord::Value(fields.kind))?) }
        }
        KEPT_FORGOTTEN => DirectoryPart::KeptForgot { now_ms, through_s: fields.u32()? },
        _ => DirectoryPart::Forgot { now_ms, programme: fields.u32()?, through_ms: fields.i64()? },
    })
}
