//! Every code, with what a client may conclude from it. Codes are given once and never reused.

/// Operations.
pub mod op {
    /// [`crate::operation::Enrol`].
    pub const ENROL: u16 = 0x0001;
    /// [`crate::operation::CheckIn`].
    pub const CHECK_IN: u16 = 0x0002;
    /// [`crate::operation::RecordOrder`].
    pub const RECORD_ORDER: u16 = 0x0003;
    /// [`crate::operation::Redeem`].
    pub const REDEEM: u16 = 0x0004;
    /// [`crate::operation::RecordOrderLines`].
    pub const RECORD_ORDER_LINES: u16 = 0x0005;
    /// [`crate::operation::RecordActivity`].
    pub const RECORD_ACTIVITY: u16 = 0x0006;
    /// [`crate::operation::UseRight`].
    pub const USE_RIGHT: u16 = 0x0007;
    /// [`crate::operation::SetBirthday`].
    pub const SET_BIRTHDAY: u16 = 0x0008;
    /// [`crate::operation::RecordCheckIn`].
    pub const RECORD_CHECK_IN: u16 = 0x0009;
    /// [`crate::operation::MakeUp`].
    pub const MAKE_UP: u16 = 0x000a;
    /// [`crate::operation::SetZone`].
    pub const SET_ZONE: u16 = 0x000b;
    /// [`crate::operation::SetTag`].
    pub const SET_TAG: u16 = 0x000c;
    /// [`crate::operation::AnswerQuestion`].
    pub const ANSWER_QUESTION: u16 = 0x000d;
    /// [`crate::operation::AcceptInvitation`].
    pub const ACCEPT_INVITATION: u16 = 0x000e;
    /// [`crate::operation::ClaimOrder`].
    pub const CLAIM_ORDER: u16 = 0x000f;
    /// [`crate::operation::ReportOrder`].
    pub const REPORT_ORDER: u16 = 0x0010;
    /// [`crate::operation::ConfirmReceipt`].
    pub const CONFIRM_RECEIPT: u16 = 0x0011;
    /// [`crate::operation::Hold`].
    pub const HOLD: u16 = 0x0012;
    /// [`crate::operation::Confirm`].
    pub const CONFIRM: u16 = 0x0013;
    /// [`crate::operation::ConfirmPart`].
    pub const CONFIRM_PART: u16 = 0x0014;
    /// [`crate::operation::Cancel`].
    pub const CANCEL: u16 = 0x0015;
    /// [`crate::operation::GetMember`].
    pub const GET_MEMBER: u16 = 0x0041;
    /// [`crate::operation::GetCampaign`].
    pub const GET_CAMPAIGN: u16 = 0x0042;
    /// [`crate::operation::GetOutcome`].
    pub const GET_OUTCOME: u16 = 0x0043;
    /// [`crate::operation::GetLots`].
    pub const GET_LOTS: u16 = 0x0044;
    /// [`crate::operation::GetStanding`].
    pub const GET_STANDING: u16 = 0x0045;
    /// [`crate::operation::GetProfile`].
    pub const GET_PROFILE: u16 = 0x0046;
    /// [`crate::operation::GetQuiz`].
    pub const GET_QUIZ: u16 = 0x0047;
    /// [`crate::operation::GetStatement`].
    pub const GET_STATEMENT: u16 = 0x0048;
    /// [`crate::operation::GetClaim`].
    pub const GET_CLAIM: u16 = 0x0049;
    /// [`crate::operation::DryRun`].
    pub const DRY_RUN: u16 = 0x004a;
    /// [`crate::operation::GetHolds`].
    pub const GET_HOLDS: u16 = 0x004b;
    /// [`crate::operation::GetQuotas`].
    pub const GET_QUOTAS: u16 = 0x004c;
    /// [`crate::operator::GetStatus`].
    pub const GET_STATUS: u16 = 0x0101;
    /// [`crate::operator::TakeSnapshot`].
    pub const TAKE_SNAPSHOT: u16 = 0x0102;
    /// [`crate::operator::Activate`].
    pub const ACTIVATE: u16 = 0x0103;
    /// [`crate::files::ListFiles`].
    pub const LIST_FILES: u16 = 0x0104;
    /// [`crate::files::ReadFile`].
    pub const READ_FILE: u16 = 0x0105;
    /// [`crate::files::CheckFile`].
    pub const CHECK_FILE: u16 = 0x0106;
    /// [`crate::operator::PublishQuestion`].
    pub const PUBLISH_QUESTION: u16 = 0x0107;
    /// [`crate::operator::GetResults`].
    pub const GET_RESULTS: u16 = 0x0108;
}

/// Every operation: its code, its name in texts, metrics and reports, and the body it carries.
pub const OPERATIONS: &[(u16, &str, &str)] = &[
    (op::ENROL, "enrol", "Enrol"),
    (op::CHECK_IN, "check-in", "CheckIn"),
    (op::RECORD_ORDER, "record-order", "RecordOrder"),
    (op::REDEEM, "redeem", "Redeem"),
    (op::RECORD_ORDER_LINES, "record-order-lines", "RecordOrderLines"),
    (op::RECORD_ACTIVITY, "record-activity", "RecordActivity"),
    (op::USE_RIGHT, "use-right", "UseRight"),
    (op::SET_BIRTHDAY, "set-birthday", "SetBirthday"),
    (op::RECORD_CHECK_IN, "record-check-in", "RecordCheckIn"),
    (op::MAKE_UP, "make-up", "MakeUp"),
    (op::SET_ZONE, "set-zone", "SetZone"),
    (op::SET_TAG, "set-tag", "SetTag"),
    (op::ANSWER_QUESTION, "answer-question", "AnswerQuestion"),
    (op::ACCEPT_INVITATION, "accept-invitation", "AcceptInvitation"),
    (op::CLAIM_ORDER, "claim-order", "ClaimOrder"),
    (op::REPORT_ORDER, "report-order", "ReportOrder"),
    (op::CONFIRM_RECEIPT, "confirm-receipt", "ConfirmReceipt"),
    (op::HOLD, "hold", "Hold"),
    (op::CONFIRM, "confirm", "Confirm"),
    (op::CONFIRM_PART, "confirm-part", "ConfirmPart"),
    (op::CANCEL, "cancel", "Cancel"),
    (op::GET_MEMBER, "get-member", "GetMember"),
    (op::GET_CAMPAIGN, "get-campaign", "GetCampaign"),
    (op::GET_OUTCOME, "get-outcome", "GetOutcome"),
    (op::GET_LOTS, "get-lots", "GetLots"),
    (op::GET_STANDING, "get-standing", "GetStanding"),
    (op::GET_PROFILE, "get-profile", "GetProfile"),
    (op::GET_QUIZ, "get-quiz", "GetQuiz"),
    (op::GET_STATEMENT, "get-statement", "GetStatement"),
    (op::GET_CLAIM, "get-claim", "GetClaim"),
    (op::DRY_RUN, "dry-run", "DryRun"),
    (op::GET_HOLDS, "get-holds", "GetHolds"),
    (op::GET_QUOTAS, "get-quotas", "GetQuotas"),
    (op::GET_STATUS, "get-status", "GetStatus"),
    (op::TAKE_SNAPSHOT, "take-snapshot", "TakeSnapshot"),
    (op::ACTIVATE, "activate", "Activate"),
    (op::LIST_FILES, "list-files", "ListFiles"),
    (op::READ_FILE, "read-file", "ReadFile"),
    (op::CHECK_FILE, "check-file", "CheckFile"),
    (op::PUBLISH_QUESTION, "publish-question", "PublishQuestion"),
    (op::GET_RESULTS, "get-results", "GetResults"),
];

/// Application close codes of QUIC streams and connections.
pub mod close {
    /// Nothing is wrong; the peer is done.
    pub const DONE: u32 = 0;
    /// A frame or batch broke the rules.
    pub const MALFORMED: u32 = 1;
    /// A frame was longer than allowed.
    pub const OVERSIZED: u32 = 2;
    /// The handshake went wrong; the `HELLO-REFUSED` frame says how.
    pub const HELLO: u32 = 3;
    /// A higher session of the same instance has come.
    pub const FENCED: u32 = 4;
    /// The server is going; come back.
    pub const DRAINING: u32 = 5;
    /// The log failed: nothing undurable is answered any more. The server ends; a restart recovers.
    pub const LOG_FAILED: u32 = 6;
    /// The peer does not read its answers.
    pub const SLOW_READER: u32 = 7;
    /// More connections than allowed, told by a server that lets the handshake end; this one refuses before it.
    pub const TOO_MANY: u32 = 8;
    /// The peer did not complete a frame or a handshake in time.
    pub const TIME_OUT: u32 = 9;
}

/// Whether an answer tells of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The change is made and durable.
    Yes,
    /// It was made before, by an earlier request.
    Before,
    /// Nothing changed.
    No,
    /// Nothing changed now; whether an earlier request changed it is no longer remembered.
    NotNow,
}

/// What a client may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: this is the final answer.
    Done,
    /// Send the same bytes with the same id again, after the hint.
    SameId,
    /// Ask again as a new request with a new id, once the hint holds.
    NewId,
    /// Correct the request; as it is, it can never succeed.
    Correct,
}

/// One row of the specification.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The code.
    pub code: u16,
    /// Its name in texts, metrics and reports.
    pub name: &'static str,
    /// Whether something changed.
    pub applied: Applied,
    /// What to do next.
    pub next: Next,
    /// The body it carries.
    pub body: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! answers {
    ($($constant:ident = $code:literal, $name:literal, $applied:ident, $next:ident, $body:literal, $meaning:literal;)*) => {
        /// Answers.
        pub mod answer {
            $(#[doc = $meaning] pub const $constant: u16 = $code;)*
        }

        /// The specification of every answer.
        pub const ANSWERS: &[Row] = &[
            $(Row { code: $code, name: $name, applied: Applied::$applied, next: Next::$next, body: $body, meaning: $meaning },)*
        ];
    };
}

answers! {
    ENROLLED = 0x0001, "enrolled", Yes, Done, "Enrolled", "The member is enrolled.";
    CHECKED_IN = 0x0002, "checked-in", Yes, Done, "CheckedIn", "The check-in counts, today's or an earlier day's.";
    RECORDED = 0x0003, "recorded", Yes, Done, "Recorded", "The order is recorded.";
    GRANTED = 0x0004, "granted", Yes, Done, "Granted", "The offer is granted and paid for.";
    ALREADY_RECORDED = 0x0005, "already-recorded", Before, Done, "AlreadyRecorded", "This very order or activity was recorded before.";
    ACTIVITY_RECORDED = 0x0006, "activity-recorded", Yes, Done, "ActivityRecorded", "The activity is recorded.";
    RIGHT_USED = 0x0007, "right-used", Yes, Done, "RightUsed", "One of the right is used.";
    BIRTHDAY_SET = 0x0008, "birthday-set", Yes, Done, "BirthdaySet", "The birthday is kept.";
    ZONE_SET = 0x0009, "zone-set", Yes, Done, "ZoneSet", "The member's days are counted in this zone.";
    TAG_SET = 0x000a, "tag-set", Yes, Done, "TagSet", "The member has the tag, or has it no longer.";
    ANSWERED = 0x000b, "answered", Yes, Done, "Answered", "The answer counts, right or wrong.";
    INVITATION_ACCEPTED = 0x000c, "invitation-accepted", Yes, Done, "InvitationAccepted", "The member counts as invited.";
    ORDER_CLAIMED = 0x000d, "order-claimed", Yes, Done, "OrderClaimed", "The order is the member's: its points are given.";
    CLAIM_WAITS = 0x000e, "claim-waits", Yes, Done, "ClaimWaits", "The order is not known yet: the claim waits for it.";
    CLAIM_WRONG = 0x000f, "claim-wrong", Yes, Done, "ClaimWrong", "The order is not known to be the member's: a wrong guess, which counts.";
    ORDER_REPORTED = 0x0010, "order-reported", Yes, Done, "OrderReported", "The order is known, and can be claimed.";
    RECEIPT_CONFIRMED = 0x0011, "receipt-confirmed", Yes, Done, "ReceiptConfirmed", "The order is received: its points open at their time.";
    HELD = 0x0012, "held", Yes, Done, "Held", "All that was asked for is held until its time is over.";
    CONFIRMED = 0x0013, "confirmed", Yes, Done, "Confirmed", "What was held is the member's; what of it is not confirmed is given back.";
    CANCELLED = 0x0014, "cancelled", Yes, Done, "Cancelled", "What was held is given back.";
    MEMBER = 0x0041, "member", No, Done, "MemberView", "What the member has.";
    CAMPAIGN = 0x0042, "campaign", No, Done, "CampaignView", "What the campaign offers.";
    OUTCOME = 0x0043, "outcome", No, Done, "OutcomeView", "What became of the request.";
    LOTS = 0x0044, "lots", No, Done, "LotsView", "The member's points, lot by lot.";
    STANDING = 0x0045, "standing", No, Done, "StandingView", "Where the member stands, and what it may do.";
    PROFILE = 0x0046, "profile", No, Done, "ProfileView", "What is kept of the member beside its points.";
    QUIZ = 0x0047, "quiz", No, Done, "QuizView", "The quiz's questions.";
    STATEMENT = 0x0048, "statement", No, Done, "StatementView", "A page of the member's entries in the ledger.";
    CLAIM = 0x0049, "claim", No, Done, "ClaimView", "How it stands with the order for this member.";
    WOULD_BE = 0x004a, "would-be", No, Done, "WouldBe", "What the request would be answered now; nothing changed.";
    HOLDS = 0x004b, "holds", No, Done, "HoldsView", "What the member holds.";
    QUOTAS = 0x004c, "quotas", No, Done, "QuotasView", "The campaign's quotas, and what is left of them.";
    STATUS = 0x0081, "status", No, Done, "StatusView", "The state of the server.";
    SNAPSHOT_TAKEN = 0x0082, "snapshot-taken", Yes, Done, "SnapshotTaken", "The snapshot is complete and durable.";
    ACTIVATED = 0x0083, "activated", Yes, Done, "Activated", "The programme's version is in force (or would be, in a dry run).";
    FILES = 0x0084, "files", No, Done, "FilesView", "The files of the data directory.";
    FILE_BYTES = 0x0085, "file-bytes", No, Done, "FileBytes", "A piece of the file.";
    FILE_CHECKED = 0x0086, "file-checked", No, Done, "FileChecked", "Every byte of the file is what was written.";
    QUESTION_PUBLISHED = 0x0087, "question-published", Yes, Done, "QuestionPublished", "The question can be answered from when it opens.";
    RESULTS = 0x0088, "results", No, Done, "ResultsView", "What a quiz's questions were answered.";

    NO_SUCH_MEMBER = 0x0100, "no-such-member", No, NewId, "Plain", "The member is not enrolled.";
    ALREADY_ENROLLED = 0x0101, "already-enrolled", No, Done, "Plain", "The member is enrolled, by another request.";
    NO_CHECK_IN = 0x0102, "no-check-in", No, Correct, "Plain", "The programme has no check-in.";
    ALREADY_CHECKED_IN = 0x0103, "already-checked-in", No, NewId, "AlreadyCheckedIn", "The member has checked in on this local day.";
    NO_SUCH_CAMPAIGN = 0x0104, "no-such-campaign", No, Correct, "Plain", "The programme has no such campaign.";
    NO_SUCH_OFFER = 0x0105, "no-such-offer", No, Correct, "Plain", "The campaign has no such offer.";
    NOT_YET_OPEN = 0x0106, "not-yet-open", No, NewId, "NotOpen", "The campaign's first window, or the question, has not opened yet.";
    CLOSED = 0x0107, "closed", No, NewId, "NotOpen", "The campaign's window, or the question, is closed.";
    TIER_NOT_ADMITTED = 0x0108, "tier-not-admitted", No, NewId, "TierNotAdmitted", "The offer has no price for the member's tier.";
    NOT_ENOUGH_POINTS = 0x0109, "not-enough-points", No, NewId, "NotEnoughPoints", "The member has fewer points than the price.";
    LIMIT_REACHED = 0x010a, "limit-reached", No, NewId, "LimitReached", "The member has used the window's limit, the question's attempts, or its guesses at orders.";
    SOLD_OUT = 0x010b, "sold-out", No, NewId, "SoldOut", "A quota of the window is used up.";
    UNKNOWN_CHANNEL = 0x010c, "unknown-channel", No, Correct, "Plain", "The programme declares no such channel.";
    UNKNOWN_BRAND = 0x010d, "unknown-brand", No, Correct, "Plain", "The programme declares no such brand.";
    INVALID_AMOUNT = 0x010e, "invalid-amount", No, Correct, "Plain", "The amount is below zero, or beyond what points can count.";
    PAID_IN_THE_FUTURE = 0x010f, "paid-in-the-future", No, NewId, "PaidInTheFuture", "The order was paid later than now.";
    TOO_OLD = 0x0110, "too-old", NotNow, Correct, "TooOld", "It happened before the remembered horizon: it may have been recorded and forgotten.";
    KEY_CONFLICT = 0x0111, "key-conflict", No, Correct, "KeyConflict", "An order of this channel and number, or an activity of this key, was recorded with other contents.";
    NO_ORDERS = 0x0112, "no-orders", No, Correct, "Plain", "The programme earns nothing from orders.";
    NO_ORDER_NUMBER = 0x0113, "no-order-number", No, Correct, "Plain", "The order has no number.";
    TOO_MANY_LOTS = 0x0114, "too-many-lots", No, NewId, "Plain", "The member has as many lots of points as can be kept apart: some must be spent, or expire.";
    UNKNOWN_ACTIVITY = 0x0115, "unknown-activity", No, Correct, "Plain", "The programme declares no such activity.";
    FIELD_MISSING = 0x0116, "field-missing", No, Correct, "FieldMissing", "The activity lacks a field that the programme reads.";
    NOT_REACHED = 0x0117, "not-reached", No, NewId, "NotReached", "The activity does not come to what counts.";
    TOO_LATE = 0x0118, "too-late", No, Correct, "TooOld", "The activity or check-in happened longer ago than the programme allows.";
    IN_THE_FUTURE = 0x0119, "in-the-future", No, NewId, "PaidInTheFuture", "The activity or check-in happened later than now.";
    UNKNOWN_RIGHT = 0x011a, "unknown-right", No, Correct, "Plain", "The programme declares no such right.";
    NO_RIGHT_LEFT = 0x011b, "no-right-left", No, NewId, "Plain", "The member has none of this right to use.";
    NO_BIRTHDAYS = 0x011c, "no-birthdays", No, Correct, "Plain", "The programme keeps no birthdays.";
    INVALID_DATE = 0x011d, "invalid-date", No, Correct, "Plain", "No year has this month and day.";
    BIRTHDAY_LOCKED = 0x011e, "birthday-locked", No, NewId, "BirthdayLocked", "The member has said its birthday, and cannot say another yet.";
    DAY_OUT_OF_REACH = 0x011f, "day-out-of-reach", No, Correct, "DayOutOfReach", "The day is none that can still be checked in: too long ago, not over, or before what is known of the member's days.";
    NO_MAKE_UP = 0x0120, "no-make-up", No, Correct, "Plain", "The programme has no make-up cards.";
    UNKNOWN_ZONE = 0x0121, "unknown-zone", No, Correct, "Plain", "The programme allows no such zone.";
    UNKNOWN_TAG = 0x0122, "unknown-tag", No, Correct, "Plain", "The programme declares no such tag.";
    NO_SUCH_QUIZ = 0x0123, "no-such-quiz", No, Correct, "Plain", "The programme declares no such quiz.";
    NO_SUCH_QUESTION = 0x0124, "no-such-question", No, NewId, "Plain", "The quiz has no such question published.";
    NO_SUCH_OPTION = 0x0125, "no-such-option", No, Correct, "Plain", "The question has no such option.";
    ANSWERED_RIGHT = 0x0126, "answered-right", No, Done, "Plain", "The member has answered the question right already.";
    NO_REFERRALS = 0x0127, "no-referrals", No, Correct, "Plain", "The programme makes nothing of invitations.";
    NO_SUCH_INVITER = 0x0128, "no-such-inviter", No, Correct, "Plain", "Who is said to have invited is no member.";
    OWN_INVITATION = 0x0129, "own-invitation", No, Correct, "Plain", "A member invites neither itself nor who invited it.";
    INVITER_NOT_ADMITTED = 0x012a, "inviter-not-admitted", No, Correct, "Plain", "Neither its tier nor a tag lets the inviter invite.";
    NOT_INVITABLE = 0x012b, "not-invitable", No, Correct, "Plain", "The member was invited already, or enrolled too long ago.";
    NO_SUCH_PAGE = 0x012c, "no-such-page", No, Correct, "Plain", "No page of this member's statement gave this cursor.";
    NO_CLAIMS = 0x012d, "no-claims", No, Correct, "Plain", "The programme lets nobody claim orders of this channel.";
    NOT_CLAIMABLE = 0x012e, "not-claimable", No, Correct, "Plain", "The order can be claimed no longer, or could never be.";
    ALREADY_CLAIMED = 0x012f, "already-claimed", No, Done, "Plain", "The member has claimed this order already.";
    NOTHING_PENDING = 0x0130, "nothing-pending", No, Done, "Plain", "No points of this member wait for the receipt of such an order.";
    NO_DRY_RUN = 0x0131, "no-dry-run", No, Correct, "Plain", "A dry run is of an operation on the member that is named, and of no claim.";
    PROOF_MISSING = 0x0132, "proof-missing", No, Correct, "Plain", "The programme asks for a proof of whose the order is, and there is none.";
    NO_SUCH_HOLD = 0x0133, "no-such-hold", No, Done, "Plain", "The member holds nothing under this id: it was confirmed, cancelled or over, or never was.";
    TOO_MANY_HOLDS = 0x0134, "too-many-holds", No, NewId, "Plain", "The member holds as much at a time as it can: some must be confirmed or cancelled, or its time be over.";
    EMPTY_HOLD = 0x0135, "empty-hold", No, Correct, "Plain", "Nothing is asked to be held, or none of something, or the same thing twice.";
    HOLD_TOO_LONG = 0x0136, "hold-too-long", No, Correct, "Plain", "The programme holds nothing for so long.";
    COSTS_MONEY = 0x0137, "costs-money", No, Correct, "Plain", "The offer costs money: hold it, and confirm once that is paid.";
    MORE_THAN_HELD = 0x0138, "more-than-held", No, Correct, "Plain", "The hold has not so much, or nothing is to be confirmed of it.";
    UNKNOWN_STORE = 0x0139, "unknown-store", No, Correct, "Plain", "The programme declares no such store.";
    STORE_MISSING = 0x013a, "store-missing", No, Correct, "Plain", "A quota of the offer is by store: hold the offer, and name one.";
    TAG_MISSING = 0x013b, "tag-missing", No, NewId, "Plain", "The member has none of the tags that the campaign is for.";
    NO_TENDER = 0x013c, "no-tender", No, Correct, "Plain", "Points pay no part of an order in this programme.";
    TENDER_REFUSED = 0x013d, "tender-refused", No, Correct, "TenderRefused", "Points cannot pay so much of this order.";

    ID_CONFLICT = 0x0200, "id-conflict", No, Correct, "Plain", "This id was used for another request of this member.";
    STALE = 0x0201, "stale", NotNow, Correct, "Stale", "The id is at or below the member's mark; ask for its outcome.";
    EXPIRED = 0x0202, "expired", No, NewId, "Clock", "The deadline has passed: not applied, and never will be.";
    ID_AHEAD = 0x0203, "id-ahead", No, SameId, "Clock", "The id's time is more than 5 s ahead of the server's.";
    ID_MALFORMED = 0x0204, "id-malformed", No, Correct, "Plain", "The id is not a UUIDv7.";
    DEADLINE_TOO_LONG = 0x0205, "deadline-too-long", No, Correct, "Plain", "The deadline is longer than the server allows.";

    BUSY = 0x0300, "busy", No, SameId, "Later", "More work is under way than allowed.";
    DRAINING = 0x0301, "draining", No, SameId, "Later", "The server is going; come back after a reconnect.";
    STORAGE_FULL = 0x0302, "storage-full", No, SameId, "Later", "The disk has no room for changes; reads go on.";
    MEMBERS_FULL = 0x0303, "members-full", No, SameId, "Later", "The server holds as many members as it was told to.";
    ORDERS_FULL = 0x0304, "orders-full", No, SameId, "Later", "The server remembers as many orders as it was told to.";

    UNKNOWN_OPERATION = 0x0400, "unknown-operation", No, Correct, "Plain", "The operation's code is unknown here.";
    MALFORMED_BODY = 0x0401, "malformed-body", No, Correct, "Because", "The body is not what its code says.";
    NOT_ALLOWED = 0x0402, "not-allowed", No, Correct, "Plain", "The certificate's role or programmes do not cover this.";
    NO_SUCH_PROGRAMME = 0x0403, "no-such-programme", No, Correct, "Plain", "No programme has this number.";

    BUNDLE_REFUSED = 0x0500, "bundle-refused", No, Correct, "Because", "The programme bundle has errors.";
    VERSION_CONFLICT = 0x0501, "version-conflict", No, Correct, "VersionConflict", "Another version is in force than the one to be replaced.";
    SNAPSHOT_FAILED = 0x0502, "snapshot-failed", No, NewId, "Because", "The snapshot could not be written; the one before stands.";
    NO_SUCH_FILE = 0x0503, "no-such-file", No, NewId, "Plain", "There is no such file, or no longer: list the files again.";
    FILE_DAMAGED = 0x0504, "file-damaged", No, Correct, "Because", "The file is not what was written.";
    FILE_UNREADABLE = 0x0505, "file-unreadable", No, NewId, "Because", "The storage does not give the file's bytes.";
    QUESTION_REFUSED = 0x0506, "question-refused", No, Correct, "Because", "The question cannot be published so.";
}

/// The specification of one answer; `None` for a code that this crate does not know, which a client takes as final and
/// not understood.
pub fn row(code: u16) -> Option<&'static Row> {
    ANSWERS.iter().find(|row| row.code == code)
}

/// The name of an answer in texts and reports.
pub fn name(code: u16) -> &'static str {
    row(code).map_or("unknown-answer", |row| row.name)
}
