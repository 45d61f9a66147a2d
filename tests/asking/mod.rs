//! One request at a time against a store, in the bytes a gateway would send; shared by the tests of store and crashes.

#![allow(dead_code, reason = "every test uses a part of it")]

use tidegate::engine::{LedgerAt, Record, read_record};
use tidegate::log::{LogPages, PlaceId};
use tidegate::programme::{Bundle, BundleFile};
use tidegate::store::{Executed, Later, OutcomeSearch, Scope, Search, Store, Turn};
use tidegate_protocol::batch::{self, Answers};
use tidegate_protocol::{Decode, Encode, MemberKey, RequestId, Text, decode};

/// A deadline that every request here has.
pub const DEADLINE_MS: u32 = 60_000;

/// What came back for one request.
#[derive(Debug, Clone)]
pub struct Told {
    /// The answer's code.
    pub code: u16,
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it may be told.
    pub epoch: u64,
    /// What only the log can answer.
    pub search: Option<OutcomeSearch>,
}

impl Told {
    /// The answer's body, read.
    pub fn read<T: Decode<()>>(&self) -> T {
        decode(&self.body).unwrap()
    }
}

/// A batch of one request.
pub fn request<T: Encode>(op: u16, programme: u32, id: RequestId, body: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = batch::start_requests(&mut bytes);
    batch::push_entry(&mut bytes, op, programme, DEADLINE_MS, id, body);
    batch::finish_requests(&mut bytes, start, 1);
    bytes
}

/// Asks with every right.
pub fn ask(store: &Store, now_ms: i64, bytes: &[u8]) -> Told {
    ask_as(store, now_ms, bytes, &Scope::All, None)
}

/// Asks as someone with a scope, while changes may be refused.
pub fn ask_as(store: &Store, now_ms: i64, bytes: &[u8], scope: &Scope, later: Option<Later>) -> Told {
    let mut turn = Turn::default();
    let mut out = Vec::new();
    let start = batch::start_answers(&mut out);
    let executed: Executed = store.execute(&mut turn, now_ms, bytes, scope, later, &mut out).unwrap();
    let search = executed.searches.first().and_then(|search| match search {
        Search::Outcome(search) => Some(*search),
        Search::Statement(_) => None,
    });
    batch::finish_answers(&mut out, start, now_ms, executed.count - executed.searches.len() as u16);
    let answers: Vec<_> = Answers::new(&out).unwrap().map(Result::unwrap).collect();
    let (code, body) = answers.first().map_or((0, Vec::new()), |answer| (answer.code, answer.body.to_vec()));
    Told { code, body, epoch: executed.epoch, search }
}

/// Whether the ledger holds the request that a search is about: walked from the member's newest entry back.
pub fn ledger_has(pages: &LogPages, search: &OutcomeSearch) -> bool {
    let mut at = search.newest;
    while at != LedgerAt::default() {
        let page = pages.entry(at.epoch, PlaceId(search.place.to_u32()), at.offset, 256).unwrap();
        let page = page.expect("an entry that a member names is in the log");
        let (record, _) = read_record(&page.bytes, page.base_ms).unwrap();
        let Record::Member(part) = record else { panic!("a member's entry is a member's part") };
        assert_eq!(part.slot, search.slot, "entries of one member are chained");
        if part.id == search.id {
            return true;
        }
        at = part.previous;
    }
    false
}

/// An id whose random bits follow from `number`.
pub fn id(ms: i64, number: u64) -> RequestId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    RequestId::mint(ms, random)
}

/// The `number`-th member.
pub fn member(number: u64) -> MemberKey {
    MemberKey::from_number(number)
}

/// A short text.
pub fn text(text: &str) -> Text {
    Text::try_from(text).unwrap()
}

/// A bundle of one file.
pub fn bundle(programme: &str) -> Bundle {
    let file = BundleFile { name: "programme.toml".into(), text: programme.into() };
    Bundle::from_files(vec![file]).unwrap()
}

/// A pseudo-random sequence that is the same for ever (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
