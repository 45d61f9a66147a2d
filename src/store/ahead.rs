//! Asks ahead for the memory that a turn will touch, step by step as each step's addresses come to hand: with a million members
//! every one of them is in no cache, and asked for together they overlap.
//!
//! Promises: it costs or saves time only, nothing learnt here is used to decide, so that whatever moves between two steps may
//! move. Never: holds two locks.

use super::Store;
use super::execute::Turn;
use super::members::Members;
use super::pool::NONE;
use super::prepare::{Asked, Prepared};

/// Requests below which asking for memory ahead costs more than it saves.
const EXPECT_FROM: usize = 8;

/// How far memory was asked for, for one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// First the slot of the member that will forget for it, then the node of that member's answer that was asked for last.
    at: u32,
    /// Answers of that member that were not asked for yet.
    left: u8,
}

impl Store {
    /// Asks for all of it: orders by their keys; the members; for whom one will forget its smallest id; and those of its answers, among which that is
    /// looked for.
    pub(super) fn expect(&self, turn: &mut Turn) {
        let requests = turn.frame.requests.len();
        if requests < EXPECT_FROM {
            return;
        }
        let mut ahead = std::mem::take(&mut turn.ahead);
        ahead.clear();
        ahead.resize(requests, Ahead { at: NONE, left: 0 });
        let all = |_: &Ahead, _: &Prepared| true;
        let forgets = |_: &Ahead, request: &Prepared| request.asked.is_remembered();
        let known = |ahead: &Ahead, _: &Prepared| ahead.at != NONE;
        let older = |ahead: &Ahead, _: &Prepared| ahead.left > 0;
        for request in &turn.frame.requests {
            if let Asked::Once(_, key) | Asked::ClaimOrder(_, key) | Asked::ConfirmReceipt(_, key) = &request.asked {
                self.directory[self.directory_shard(key)].lock().state.expect(key);
            }
        }
        self.step(turn, &mut ahead, all, |members, _, request, _| members.expect_index(request.member_hash));
        self.step(turn, &mut ahead, all, |members, _, request, nth| {
            members.expect_member(request.member_hash);
            if request.asked.is_remembered() {
                members.expect_oldest(*nth);
                *nth += 1;
            }
        });
        self.step(turn, &mut ahead, forgets, |members, ahead, request, nth| {
            ahead.at = members.expect_who_forgets(request.member_hash, nth);
        });
        self.step(turn, &mut ahead, known, |members, ahead, _, _| {
            let (newest, held) = members.expect_newest(ahead.at);
            *ahead = Ahead { at: newest, left: held.saturating_sub(1) };
        });
        while self.step(turn, &mut ahead, older, |members, ahead, _, _| {
            *ahead = Ahead { at: members.expect_older(ahead.at), left: ahead.left - 1 };
        }) {}
        turn.ahead = ahead;
    }

    /// Takes a step for each request that wants it, the shards one after the other, with a count by shard; whether any wanted.
    fn step(
        &self,
        turn: &Turn,
        ahead: &mut [Ahead],
        wants: impl Fn(&Ahead, &Prepared) -> bool,
        mut take: impl FnMut(&Members, &mut Ahead, &Prepared, &mut u32),
    ) -> bool {
        let mut any = false;
        for shard in &turn.touched {
            let mut wanted = false;
            turn.chain(*shard, |at, request| wanted |= wants(&ahead[at], request));
            if !wanted {
                continue;
            }
            any = true;
            let (held, mut nth) = (self.members[*shard as usize].lock(), 0);
            turn.chain(*shard, |at, request| {
                if wants(&ahead[at], request) {
                    take(&held.state.members, &mut ahead[at], request, &mut nth);
                }
            });
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use parking_lot::Mutex;
    use tidegate_protocol::batch::{self, Answers};
    use tidegate_protocol::code::{answer, op};
    use tidegate_protocol::operation::{CheckIn, Enrol};
    use tidegate_protocol::{MemberKey, RequestId};

    use super::*;
    use crate::programme::{Bundle, BundleFile};
    use crate::store::{HashKeys, Limits, Scope, Shape, WINDOW};

    const DAY_MS: i64 = 24 * 3_600_000;
    const START_MS: i64 = 1_790_000_000_000;
    const MEMBERS: u64 = 10;
    const PROGRAMME: &str = r#"
programme = "ahead"
title = { en = "Ahead", zh = "先" }
zone = "Asia/Shanghai"
currency = "CNY"
brands = ["house"]
channels = ["shop"]

[check-in]
points = 3
"#;

    /// Epochs end one after the other, and none lasts for days.
    static CUT: Mutex<()> = Mutex::new(());

    /// One shard whose pool is full long before its members' windows are.
    fn store() -> Store {
        let keys = HashKeys { short: [1; 16], long: [2; 16] };
        let store = Store::new(Shape { shards: 1, keys, lineage: 0 }, Limits { answers: 18, ..Limits::default() }, 1);
        let file = BundleFile { name: "programme.toml".into(), text: PROGRAMME.into() };
        store.activate(Bundle::from_files(vec![file]).unwrap(), 0, false, START_MS).unwrap();
        store
    }

    /// A frame of as many check-ins as `members`; how many were not refused.
    fn check_ins(store: &Store, turn: &mut Turn, serial: &AtomicU64, now_ms: i64, members: &[u64]) -> u64 {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        let start = batch::start_requests(&mut bytes);
        for (at, number) in members.iter().enumerate() {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&serial.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            let (id, member) = (RequestId::mint(now_ms, random), MemberKey::from_number(*number));
            match at {
                0 => batch::push_entry(&mut bytes, op::ENROL, 1, 60_000, id, &Enrol { member }),
                _ => batch::push_entry(&mut bytes, op::CHECK_IN, 1, 60_000, id, &CheckIn { member }),
            }
        }
        batch::finish_requests(&mut bytes, start, members.len() as u16);
        let start = batch::start_answers(&mut out);
        let executed = store.execute(turn, now_ms, &bytes, &Scope::All, None, &mut out).unwrap();
        let one_at_a_time = CUT.lock();
        store.made_durable(store.cut());
        drop(one_at_a_time);
        batch::finish_answers(&mut out, start, now_ms, executed.count);
        Answers::new(&out).unwrap().filter(|told| told.as_ref().unwrap().code == answer::CHECKED_IN).count() as u64
    }

    /// Members of a frame, of whom the first two come as often as all others; the first of the frame enrols.
    fn some(frame: u64) -> Vec<u64> {
        let of = |at: u64| if (frame + at).is_multiple_of(2) { at % 2 } else { (frame * 7 + at * 3) % MEMBERS };
        std::iter::once(frame % (2 * MEMBERS)).chain((1..12).map(of)).collect()
    }

    #[test]
    fn who_is_asked_for_is_who_forgets() {
        let (store, serial, mut turn) = (store(), AtomicU64::new(0), Turn::default());
        let (mut itself, mut another, mut for_a_new_one) = (0, 0, 0);
        for frame in 0..300 {
            check_ins(&store, &mut turn, &serial, START_MS + frame as i64 * DAY_MS, &some(frame));
            for number in 0..3 * MEMBERS {
                let member = MemberKey::from_number(number);
                let hash = store.shape.keys.member(1, member);
                let members = &mut store.members[0].lock().state.members;
                let expected = members.expect_who_forgets(hash, &mut 0);
                let slot = members.find(hash, 1, member);
                let full = slot.is_some_and(|slot| members.answers(slot).count() == WINDOW);
                let forgets = members.room_for_answer(slot.unwrap_or_else(|| members.free_slot()));
                if expected == NONE {
                    continue; // There is room, or the next node is free and the one after it is taken.
                }
                assert_eq!(Some(expected), forgets, "for member {number} after frame {frame}");
                itself += u64::from(full);
                another += u64::from(!full && slot.is_some());
                for_a_new_one += u64::from(slot.is_none());
            }
        }
        assert!(itself > 100 && another > 100 && for_a_new_one > 100, "{itself}, {another}, {for_a_new_one}");
    }

    #[test]
    fn what_moves_while_it_is_asked_for_harms_nothing() {
        let (store, serial) = (store(), AtomicU64::new(0));
        let applied: u64 = std::thread::scope(|scope| {
            let turns: Vec<_> = (0..2)
                .map(|thread| {
                    let (store, serial) = (&store, &serial);
                    scope.spawn(move || {
                        let mut turn = Turn::default();
                        let frames = (0..2_000).map(|frame| {
                            let asked = serial.load(Ordering::Relaxed) as i64;
                            check_ins(store, &mut turn, serial, START_MS + asked / 24 * DAY_MS, &some(frame + thread))
                        });
                        frames.sum::<u64>()
                    })
                })
                .collect();
            turns.into_iter().map(|turn| turn.join().unwrap()).sum()
        });
        let totals = store.members[0].lock().state.members.totals()[1];
        assert!(applied > 1_000, "{applied}");
        assert_eq!((totals.issued, totals.members), (3 * applied as i64, 2 * MEMBERS));
    }
}
