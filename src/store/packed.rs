//! Members, blocks and orders as bytes within a section. The layouts are frozen; `docs/disk-format.md` has the tables. Integers are
//! little-endian.
//!
//! Whatever the bytes are, reading them ends with a value that the engine can go on from, or with what is wrong.

use tidegate_protocol::{MemberKey, RequestId};

use super::pool::WINDOW;
use crate::engine::{
    Block, Bucket, Cell, CellName, Counter, HeldLimit, HeldOffer, Hold, Invitation, LOTS_MOST, LedgerAt, Lot, LotName,
    Lots, Member, Pending, Plan, Question, Remembered, Right, Run,
};
use crate::programme::{Birthday, Each};

/// What of a member is a list stands under its number, ascending, where it has any.
const LOTS: u8 = 1;
const PENDING: u8 = 2;
const COUNTERS: u8 = 3;
const RIGHTS: u8 = 4;
const PLANS: u8 = 5;
const PROGRESS: u8 = 6;
const STOOD_UNDER: u8 = 7;
const BIRTHDAY: u8 = 8;
const DAYS: u8 = 9;
const RUNS: u8 = 10;
const TAGS: u8 = 11;
const INVITATION: u8 = 12;
const HOLDS: u8 = 13;

/// Appends a member and its answers.
pub(super) fn write_member(member: &Member, answers: &[&Remembered], out: &mut Vec<u8>) {
    out.extend_from_slice(&member.key.0);
    out.extend_from_slice(&member.programme().to_le_bytes());
    out.extend_from_slice(&member.mark.0);
    out.extend_from_slice(&member.balance().to_le_bytes());
    out.extend_from_slice(&member.earned.to_le_bytes());
    out.extend_from_slice(&member.newest().epoch.to_le_bytes());
    out.extend_from_slice(&member.newest().offset.to_le_bytes());
    out.extend_from_slice(&member.last_day.to_le_bytes());
    out.extend_from_slice(&member.streak.to_le_bytes());
    out.extend_from_slice(&member.streak_best.to_le_bytes());
    out.push(member.tier);
    let lists = out.len();
    out.push(0);
    write_list(out, lists, LOTS, member.lots().iter(), |out, lot| {
        out.extend_from_slice(&lot.points.to_le_bytes());
        write_name(out, lot.name);
    });
    write_list(out, lists, PENDING, member.pending(), |out, pending| {
        out.extend_from_slice(&pending.points.to_le_bytes());
        out.extend_from_slice(&pending.opens_s.to_le_bytes());
        write_name(out, pending.name);
    });
    write_list(out, lists, COUNTERS, member.counters(), |out, counter| {
        out.extend_from_slice(&counter.campaign.to_le_bytes());
        out.extend_from_slice(&counter.offer.to_le_bytes());
        out.extend_from_slice(&counter.period.to_le_bytes());
        out.extend_from_slice(&counter.used.to_le_bytes());
    });
    write_list(out, lists, RIGHTS, member.rights(), |out, right| {
        out.extend_from_slice(&right.number.to_le_bytes());
        out.extend_from_slice(&right.count.to_le_bytes());
        out.extend_from_slice(&right.expires_s.to_le_bytes());
    });
    write_list(out, lists, PLANS, member.plans(), |out, plan| {
        out.extend_from_slice(&plan.what.to_le_bytes());
        out.extend_from_slice(&plan.at_s.to_le_bytes());
    });
    write_list(out, lists, PROGRESS, member.progress(), |out, bucket| {
        out.push(bucket.measure);
        out.extend_from_slice(&bucket.day.to_le_bytes());
        out.extend_from_slice(&bucket.value.to_le_bytes());
    });
    write_list(out, lists, STOOD_UNDER, member.stood_under().into_iter(), |out, version| {
        out.extend_from_slice(&version.to_le_bytes());
    });
    write_list(out, lists, BIRTHDAY, member.birthday().into_iter(), |out, birthday| {
        out.extend_from_slice(&[birthday.month, birthday.day]);
        out.extend_from_slice(&birthday.from_year.to_le_bytes());
        out.extend_from_slice(&birthday.said_on.to_le_bytes());
    });
    let days = member.days().filter(|days| (days.zone, days.former, days.after, days.owed) != (0, 0, None, 0));
    write_list(out, lists, DAYS, days.into_iter(), |out, days| {
        out.extend_from_slice(&days.zone.to_le_bytes());
        out.extend_from_slice(&days.former.to_le_bytes());
        out.push(u8::from(days.after.is_some()));
        out.extend_from_slice(&days.after.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&days.owed.to_le_bytes());
    });
    write_list(out, lists, RUNS, member.days().into_iter().flat_map(|days| days.runs()), |out, run| {
        out.extend_from_slice(&run.last.to_le_bytes());
        out.extend_from_slice(&run.days.to_le_bytes());
    });
    write_list(out, lists, TAGS, member.tags().iter(), |out, tag| out.extend_from_slice(&tag.to_le_bytes()));
    write_list(out, lists, INVITATION, member.invitation().into_iter(), |out, invitation| {
        out.extend_from_slice(&invitation.inviter.0);
        out.extend_from_slice(&invitation.until_s.to_le_bytes());
        out.extend_from_slice(&invitation.since_s.to_le_bytes());
    });
    write_list(out, lists, HOLDS, member.holds().iter(), write_hold);
    out.push(answers.len() as u8);
    answers.iter().for_each(|answer| write_answer(out, answer));
}

/// Appends a list unless it is empty, and counts it in the byte at `lists`.
fn write_list<T>(
    out: &mut Vec<u8>,
    lists: usize,
    number: u8,
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    let start = out.len();
    out.extend_from_slice(&[number, 0, 0]);
    let mut count = 0u16;
    for item in items {
        write(out, item);
        count += 1;
    }
    if count == 0 {
        return out.truncate(start);
    }
    out[start + 1..start + 3].copy_from_slice(&count.to_le_bytes());
    out[lists] += 1;
}

fn write_hold(out: &mut Vec<u8>, hold: &Hold) {
    out.extend_from_slice(&hold.id.0);
    out.extend_from_slice(&hold.due_s.to_le_bytes());
    out.extend_from_slice(&hold.grace_s.to_le_bytes());
    out.extend_from_slice(&hold.tender.to_le_bytes());
    out.extend_from_slice(&(hold.lots.len() as u16).to_le_bytes());
    for lot in &hold.lots {
        out.extend_from_slice(&lot.points.to_le_bytes());
        write_name(out, lot.name);
    }
    out.push(hold.rights.len() as u8);
    for right in &hold.rights {
        out.extend_from_slice(&right.number.to_le_bytes());
        out.extend_from_slice(&right.expires_s.to_le_bytes());
    }
    out.push(hold.offers.len() as u8);
    for offer in &hold.offers {
        out.extend_from_slice(&offer.campaign.to_le_bytes());
        out.extend_from_slice(&offer.offer.to_le_bytes());
        out.extend_from_slice(&offer.count.to_le_bytes());
        out.extend_from_slice(&offer.period.to_le_bytes());
        out.extend_from_slice(&offer.points.to_le_bytes());
        out.extend_from_slice(&offer.money_minor.to_le_bytes());
        out.extend_from_slice(&[offer.cells.len() as u8, offer.limits.len() as u8]);
        offer.cells.iter().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
        for limit in &offer.limits {
            out.extend_from_slice(&limit.offer.to_le_bytes());
            out.extend_from_slice(&limit.period.to_le_bytes());
        }
    }
}

fn read_hold(fields: &mut Fields<'_>) -> Result<Hold, &'static str> {
    const BAD: &str = "a hold of a member that cannot be";
    let mut hold = Hold { id: RequestId(fields.take()?), due_s: fields.u32()?, ..Hold::default() };
    (hold.grace_s, hold.tender) = (fields.u32()?, fields.i64()?);
    for _ in 0..fields.u16()? {
        hold.lots.push(Lot { points: fields.i64()?, name: read_name(fields)? });
    }
    for _ in 0..fields.u8()? {
        hold.rights.push(Right { number: fields.u16()?, count: 1, expires_s: fields.u32()? });
    }
    for _ in 0..fields.u8()? {
        let (campaign, offer, count) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let (period, points, money_minor) = (fields.i32()?, fields.i64()?, fields.i64()?);
        let (cells, limits) = (fields.u8()?, fields.u8()?);
        let (mut held, none) = (HeldOffer::new(campaign, offer, count, points), Err(BAD));
        (held.period, held.money_minor) = (period, money_minor);
        for _ in 0..cells {
            held.cells.try_push(fields.u32()?).or(none)?;
        }
        for _ in 0..limits {
            held.limits.try_push(HeldLimit { offer: fields.u16()?, period: fields.i32()? }).or(none)?;
        }
        hold.offers.push(held);
    }
    if hold.is_whole() { Ok(hold) } else { Err(BAD) }
}

fn write_name(out: &mut Vec<u8>, name: LotName) {
    out.extend_from_slice(&name.expires_s.to_le_bytes());
    out.extend_from_slice(&name.mark().to_le_bytes());
}

fn write_answer(out: &mut Vec<u8>, answer: &Remembered) {
    out.extend_from_slice(&answer.id.0);
    out.extend_from_slice(&answer.hash.to_le_bytes());
    out.extend_from_slice(&answer.sequence.to_le_bytes());
    out.extend_from_slice(&answer.after.to_le_bytes());
    out.extend_from_slice(&answer.change.to_le_bytes());
    out.extend_from_slice(&answer.detail.to_le_bytes());
    out.extend_from_slice(&answer.version.to_le_bytes());
    out.extend_from_slice(&answer.code.to_le_bytes());
    out.extend_from_slice(&answer.lineage.to_le_bytes());
}

/// A member and its answers, or what is wrong with the bytes.
pub(super) type ReadMember = Result<(Member, Vec<Remembered>), &'static str>;

pub(super) fn read_member(fields: &mut Fields<'_>) -> ReadMember {
    let (mut member, balance) = read_core(fields)?;
    let mut lots = Lots::debt(balance.min(0).checked_neg().ok_or(NO_NUMBER)?);
    let (mut listed, mut pending, mut holds, mut before) = (0i64, Vec::new(), Vec::new(), 0);
    for _ in 0..fields.u8()? {
        let (number, count) = (fields.u8()?, fields.u16()?);
        if number <= before || count == 0 {
            return Err("lists of a member that are out of order, or empty");
        }
        before = number;
        match number {
            LOTS => {
                lots.reserve(usize::from(count).min(LOTS_MOST));
                for _ in 0..count {
                    let (points, name) = (fields.i64()?, read_name(fields)?);
                    listed = listed.checked_add(points).filter(|_| points > 0).ok_or(NO_NUMBER)?;
                    lots.add(points, name);
                }
            }
            PENDING => {
                for _ in 0..count {
                    pending.push(Pending { points: fields.i64()?, opens_s: fields.u32()?, name: read_name(fields)? });
                }
            }
            COUNTERS => read_counters(fields, count, &mut member)?,
            RIGHTS => {
                for _ in 0..count {
                    let right = Right { number: fields.u16()?, count: fields.u32()?, expires_s: fields.u32()? };
                    member.push_right(right).ok_or("rights of a member that are none, or no number")?;
                }
            }
            PLANS => {
                for _ in 0..count {
                    member.set_plan(Plan { what: fields.u16()?, at_s: fields.u32()? });
                }
            }
            PROGRESS => {
                for _ in 0..count {
                    let bucket = Bucket { measure: fields.u8()?, day: fields.i32()?, value: fields.i64()? };
                    member.add_progress(bucket).ok_or(NO_NUMBER)?;
                }
            }
            STOOD_UNDER if count == 1 => member.set_stood_under(fields.u32()?),
            BIRTHDAY if count == 1 => member.set_birthday(Birthday {
                month: fields.u8()?,
                day: fields.u8()?,
                from_year: i16::from_le_bytes(fields.take()?),
                said_on: fields.i32()?,
            }),
            DAYS if count == 1 => {
                let days = member.days_mut();
                (days.zone, days.former) = (fields.u16()?, fields.u16()?);
                let (known, after) = (fields.u8()?, fields.i32()?);
                days.after = (known != 0).then_some(after);
                days.owed = fields.i64()?;
                if days.owed < 0 {
                    return Err(NO_NUMBER);
                }
            }
            RUNS => {
                for _ in 0..count {
                    member.days_mut().add(Run { last: fields.i32()?, days: fields.u16()? });
                }
            }
            TAGS => {
                for _ in 0..count {
                    member.set_tag(fields.u16()?, true);
                }
            }
            HOLDS => {
                for _ in 0..count {
                    holds.push(read_hold(fields)?);
                }
            }
            INVITATION if count == 1 => {
                let (inviter, until_s) = (MemberKey(fields.take()?), fields.u32()?);
                member.set_invitation(Invitation { inviter, until_s, since_s: fields.u32()? });
            }
            _ => return Err("a list of a member that a newer Tidegate may know"),
        }
    }
    if listed != balance.max(0) || pending.iter().any(|pending| pending.points <= 0) {
        return Err("lots that are not the balance, or of no points");
    }
    member.set_lots(lots);
    member.set_pending(pending).ok_or(NO_NUMBER)?;
    holds.into_iter().try_for_each(|hold| member.push_hold(hold)).ok_or(NO_NUMBER)?;
    let answers = read_answers(fields)?;
    Ok((member, answers))
}

/// A member as the first version wrote it: points without a source that never expire.
pub(super) fn read_first_member(fields: &mut Fields<'_>) -> ReadMember {
    let (mut member, balance) = read_core(fields)?;
    let mut lots = Lots::debt(balance.min(0).checked_neg().ok_or(NO_NUMBER)?);
    lots.add(balance.max(0), LotName::PLAIN);
    member.set_lots(lots);
    let count = fields.u16()?;
    read_counters(fields, count, &mut member)?;
    let answers = read_answers(fields)?;
    Ok((member, answers))
}

/// What both versions begin with: a member without lots, and its balance.
fn read_core(fields: &mut Fields<'_>) -> Result<(Member, i64), &'static str> {
    let key = MemberKey(fields.take()?);
    let programme = fields.u32()?;
    if programme == 0 || programme > u32::from(u16::MAX) {
        return Err("a member of no programme");
    }
    let mut member = Member::new(programme, key);
    member.mark = RequestId(fields.take()?);
    let balance = fields.i64()?;
    member.earned = fields.i64()?;
    member.set_newest(LedgerAt { epoch: fields.u64()?, offset: fields.u32()? });
    member.last_day = fields.i32()?;
    member.streak = fields.u16()?;
    member.streak_best = fields.u16()?;
    member.tier = fields.u8()?;
    Ok((member, balance))
}

fn read_name(fields: &mut Fields<'_>) -> Result<LotName, &'static str> {
    Ok(LotName::of(fields.u32()?, fields.u16()?))
}

fn read_counters(fields: &mut Fields<'_>, count: u16, member: &mut Member) -> Result<(), &'static str> {
    for _ in 0..count {
        let (campaign, offer) = (fields.u16()?, fields.u16()?);
        if campaign == 0 {
            return Err("a counter of no campaign");
        }
        member.push_counter(Counter { campaign, offer, period: fields.i32()?, used: fields.u32()? });
    }
    Ok(())
}

fn read_answers(fields: &mut Fields<'_>) -> Result<Vec<Remembered>, &'static str> {
    let count = fields.u8()?;
    if usize::from(count) > WINDOW {
        return Err("more answers than a member is remembered with");
    }
    let answers = (0..count).map(|_| {
        Ok(Remembered {
            id: RequestId(fields.take()?),
            hash: fields.u64()?,
            sequence: fields.u64()?,
            after: fields.i64()?,
            change: fields.i64()?,
            detail: fields.u64()?,
            version: fields.u32()?,
            code: fields.u16()?,
            lineage: fields.u16()?,
        })
    });
    let answers = answers.collect::<Result<Vec<_>, &'static str>>()?;
    if !answers.iter().all(Remembered::can_be_given) {
        return Err("a remembered answer that was never given");
    }
    Ok(answers)
}

const NO_NUMBER: &str = "points of a member that are no number";

/// Appends a block: its totals, and every slot of its cells.
pub(super) fn write_block(block: &Block, out: &mut Vec<u8>) {
    out.extend_from_slice(&block.granted().to_le_bytes());
    out.extend_from_slice(&block.folded().to_le_bytes());
    out.extend_from_slice(&block.folded_through().to_le_bytes());
    out.extend_from_slice(&(block.cells().len() as u32).to_le_bytes());
    for cell in block.cells() {
        out.push(u8::from(cell.is_some()));
        if let Some(cell) = cell {
            out.extend_from_slice(&cell.name.period.to_le_bytes());
            out.extend_from_slice(&cell.name.offer.to_le_bytes());
            out.push(cell.name.tier);
            out.extend_from_slice(&cell.used.to_le_bytes());
        }
    }
}

pub(super) fn read_block(fields: &mut Fields<'_>) -> Result<Block, &'static str> {
    let (granted, folded, folded_through, count) = (fields.u64()?, fields.u64()?, fields.i32()?, fields.u32()?);
    let cells = (0..count).map(|_| {
        Ok(match fields.u8()? {
            0 => None,
            _ => {
                let name = CellName::of_window(fields.i32()?, fields.u16()?, fields.u8()?);
                Some(Cell { name, used: fields.u32()?, carried: 0 })
            }
        })
    });
    restored(granted, folded, folded_through, cells.collect::<Result<Vec<_>, &'static str>>()?)
}

fn restored(granted: u64, folded: u64, folded_through: i32, cells: Vec<Option<Cell>>) -> Result<Block, &'static str> {
    let mut names: Vec<CellName> = cells.iter().flatten().map(|cell| cell.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("two cells of one name");
    }
    Ok(Block::restore(cells, granted, folded, folded_through))
}

/// Whether a block has anything that the first layout has no room for.
pub(super) fn is_wide(block: &Block) -> bool {
    let wide = |cell: &Cell| !cell.name.is_plain() || cell.carried > 0;
    block.returns() > 0 || block.due_s().is_some() || block.cells().iter().flatten().any(wide)
}

/// Appends a block with cells of any name, and with what is held.
pub(super) fn write_wide_block(block: &Block, out: &mut Vec<u8>) {
    out.extend_from_slice(&block.granted().to_le_bytes());
    out.extend_from_slice(&block.folded().to_le_bytes());
    out.extend_from_slice(&block.folded_through().to_le_bytes());
    out.extend_from_slice(&block.returns().to_le_bytes());
    out.extend_from_slice(&(block.cells().len() as u32).to_le_bytes());
    for cell in block.cells() {
        out.push(u8::from(cell.is_some()));
        if let Some(Cell { name, used, carried }) = cell {
            out.extend_from_slice(&name.period.to_le_bytes());
            out.extend_from_slice(&name.offer.to_le_bytes());
            out.extend_from_slice(&[name.tier, name.each as u8]);
            out.extend_from_slice(&name.store.to_le_bytes());
            out.extend_from_slice(&used.to_le_bytes());
            out.extend_from_slice(&carried.to_le_bytes());
        }
    }
    out.extend_from_slice(&(block.held().count() as u32).to_le_bytes());
    for ((due_s, slot), units) in block.held() {
        out.extend([due_s, slot, units].into_iter().flat_map(u32::to_le_bytes));
    }
}

pub(super) fn read_wide_block(fields: &mut Fields<'_>) -> Result<Block, &'static str> {
    let (granted, folded, folded_through) = (fields.u64()?, fields.u64()?, fields.i32()?);
    let (returns, count) = (fields.u64()?, fields.u32()?);
    let cells = (0..count).map(|_| {
        Ok(match fields.u8()? {
            0 => None,
            _ => {
                let (period, offer, tier) = (fields.i32()?, fields.u16()?, fields.u8()?);
                let each =
                    Each::numbered(fields.u8()?).ok_or("a cell that counts by what a newer Tidegate may know")?;
                let name = CellName { period, offer, store: fields.u16()?, tier, each };
                Some(Cell { name, used: fields.u32()?, carried: fields.u32()? })
            }
        })
    });
    let cells = cells.collect::<Result<Vec<_>, &'static str>>()?;
    let mut block = restored(granted, folded, folded_through, cells)?;
    let held = (0..fields.u32()?).map(|_| Ok(((fields.u32()?, fields.u32()?), fields.u32()?)));
    let held = held.collect::<Result<Vec<_>, &'static str>>()?;
    block.restore_held(held, returns).ok_or("units that are held of cells that are not there, or not used")?;
    Ok(block)
}

/// Appends a quiz's questions: the number of the newest there ever was, how many there are, and each behind its length.
pub(super) fn write_questions(block: &Block, out: &mut Vec<u8>) {
    out.extend_from_slice(&block.newest_question().to_le_bytes());
    out.extend_from_slice(&(block.questions().len() as u16).to_le_bytes());
    for question in block.questions() {
        let bytes = question.to_bytes();
        out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
}

pub(super) fn read_questions(fields: &mut Fields<'_>, block: &mut Block) -> Result<(), &'static str> {
    let (newest, count) = (fields.u32()?, fields.u16()?);
    let questions = (0..count).map(|_| {
        let length = usize::from(fields.u16()?);
        let (bytes, rest) = fields.0.split_at_checked(length).ok_or("an end in the middle of a question")?;
        fields.0 = rest;
        Question::read(bytes).map_err(|_| "a question that does not decode")
    });
    let questions = questions.collect::<Result<Vec<_>, &'static str>>()?;
    block.restore_questions(questions, newest).ok_or("questions that are none, or out of order")
}

/// Takes fixed-width fields off the front of a section.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or("an end in the middle of a field")?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, &'static str> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, &'static str> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, &'static str> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, &'static str> {
        self.take().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, &'static str> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, &'static str> {
        self.take().map(i64::from_le_bytes)
    }
}
