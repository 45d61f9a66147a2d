//! Every answer's body as one type, found by the answer's code: for clients, tools and tests that take any answer.

use serde::Serialize;

use crate::{Malformed, answer, code, decode, files, operator, refusal};

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($type:ty),)*) => {
        /// The body of any answer. The variant's name is the one in the table of codes.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "each variant is documented with the type it carries")]
        pub enum Body {
            $($name($type),)*
            /// Of a code that this crate does not know: final, and not understood.
            Unknown(Vec<u8>),
        }

        impl Body {
            /// Reads the body that belongs to an answer of this code.
            pub fn decode(code: u16, bytes: &[u8]) -> Result<Body, Malformed> {
                match code::row(code).map(|row| row.body) {
                    $(Some(stringify!($name)) => decode(bytes).map(Body::$name),)*
                    _ => Ok(Body::Unknown(bytes.to_vec())),
                }
            }

            /// The name of the body in the table of codes.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Body::$name(_) => stringify!($name),)*
                    Body::Unknown(_) => "unknown",
                }
            }

            /// Appends the bytes of the body.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Body::$name(body) => crate::encode(body, out),)*
                    Body::Unknown(bytes) => out.extend_from_slice(bytes),
                }
            }
        }
    };
}

bodies! {
    Enrolled(answer::Enrolled),
    CheckedIn(answer::CheckedIn),
    Recorded(answer::Recorded),
    Granted(answer::Granted),
    AlreadyRecorded(answer::AlreadyRecorded),
    ActivityRecorded(answer::ActivityRecorded),
    RightUsed(answer::RightUsed),
    BirthdaySet(answer::BirthdaySet),
    ZoneSet(answer::ZoneSet),
    TagSet(answer::TagSet),
    Answered(answer::Answered),
    InvitationAccepted(answer::InvitationAccepted),
    OrderClaimed(answer::OrderClaimed),
    ClaimWaits(answer::ClaimWaits),
    ClaimWrong(answer::ClaimWrong),
    OrderReported(answer::OrderReported),
    ReceiptConfirmed(answer::ReceiptConfirmed),
    Held(answer::Held),
    Confirmed(answer::Confirmed),
    Cancelled(answer::Cancelled),
    HoldsView(answer::HoldsView),
    QuotasView(answer::QuotasView),
    ClaimView(answer::ClaimView),
    WouldBe(answer::WouldBe),
    MemberView(answer::MemberView),
    CampaignView(answer::CampaignView),
    OutcomeView(answer::OutcomeView),
    LotsView(answer::LotsView),
    StandingView(answer::StandingView),
    ProfileView(answer::ProfileView),
    QuizView(answer::QuizView),
    QuestionPublished(operator::QuestionPublished),
    ResultsView(operator::ResultsView),
    StatementView(answer::StatementView),
    StatusView(operator::StatusView),
    SnapshotTaken(operator::SnapshotTaken),
    Activated(operator::Activated),
    VersionConflict(operator::VersionConflict),
    FilesView(files::FilesView),
    FileBytes(files::FileBytes),
    FileChecked(files::FileChecked),
    Plain(refusal::Plain),
    AlreadyCheckedIn(refusal::AlreadyCheckedIn),
    NotOpen(refusal::NotOpen),
    TierNotAdmitted(refusal::TierNotAdmitted),
    NotEnoughPoints(refusal::NotEnoughPoints),
    LimitReached(refusal::LimitReached),
    SoldOut(refusal::SoldOut),
    TooOld(refusal::TooOld),
    PaidInTheFuture(refusal::PaidInTheFuture),
    KeyConflict(refusal::KeyConflict),
    FieldMissing(refusal::FieldMissing),
    NotReached(refusal::NotReached),
    BirthdayLocked(refusal::BirthdayLocked),
    DayOutOfReach(refusal::DayOutOfReach),
    TenderRefused(refusal::TenderRefused),
    Stale(refusal::Stale),
    Clock(refusal::Clock),
    Later(refusal::Later),
    Because(refusal::Because),
}
