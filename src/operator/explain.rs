//! `tidegate explain KEY --programme SLUG OPERATION`: whether a request would succeed now, which condition fails, what would unlock it.

use std::process::ExitCode;

use serde::Serialize;
use tidegate_client::Client;
use tidegate_protocol::code::{Applied, OPERATIONS, op, row};
use tidegate_protocol::operation::{
    AcceptInvitation, AnswerQuestion, CheckIn, ConfirmReceipt, DryRun, Enrol, Field, GetCampaign, MakeUp,
    RecordActivity, RecordCheckIn, RecordOrder, Redeem, SetBirthday, SetTag, SetZone, UseRight,
};
use tidegate_protocol::{Body, Encode, List, MemberKey, Text, encode};

use super::connect::{Connection, Failure, patient, programme, refused, tell};
use super::reason::reason;
use super::show;
use super::time::instant_ms;

/// Say whether a request would succeed now, which condition fails, and what would unlock it. Nothing changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate explain 1234 --programme monthly-exchange redeem monthly-gift SET-MASK-10
  tidegate explain 1234 --programme all-channels order --brand house --channel taobao --number T-1 --amount-minor 12300
  tidegate explain 1234 --programme community activity chat --field messages=5
  tidegate explain 1234 --programme check-in check-in --json

Exit codes: 0 it would succeed; 1 it would be refused, or could not be asked; 2 wrong usage.")]
pub struct Explain {
    /// The member's key: a decimal number, or 32 hexadecimal digits (dashes are passed over).
    key: MemberKey,
    /// The programme, by slug.
    #[arg(long, value_name = "SLUG")]
    programme: String,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    operation: Operation,
}

/// What the member would ask for.
#[derive(Debug, clap::Subcommand)]
enum Operation {
    /// Become a member.
    Enrol,
    /// Check in: for today, or late for the day of an instant.
    CheckIn {
        /// When it happened, such as 2026-11-20T10:00:00+08:00 [default: today's].
        #[arg(long, value_name = "INSTANT", value_parser = instant_ms)]
        at: Option<i64>,
    },
    /// Make up for a missed day.
    MakeUp {
        /// The local day, such as 2026-11-20.
        day: jiff::civil::Date,
    },
    /// Redeem a campaign's offer.
    Redeem {
        /// The campaign's id.
        campaign: String,
        /// The offer's SKU.
        offer: String,
    },
    /// Pay an order; one without lines.
    Order {
        /// The brand.
        #[arg(long, value_parser = text)]
        brand: Text,
        /// The channel.
        #[arg(long, value_parser = text)]
        channel: Text,
        /// The store.
        #[arg(long, value_parser = text, default_value = "")]
        store: Text,
        /// The order's number.
        #[arg(long, value_parser = text)]
        number: Text,
        /// What was paid, in the currency's minor units.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        amount_minor: i64,
        /// When, such as 2026-11-20T10:00:00+08:00 [default: now].
        #[arg(long, value_name = "INSTANT", value_parser = instant_ms)]
        paid_at: Option<i64>,
    },
    /// Receive an order.
    Receipt {
        /// The channel.
        #[arg(long, value_parser = text)]
        channel: Text,
        /// The order's number.
        #[arg(long, value_parser = text)]
        number: Text,
        /// When [default: now].
        #[arg(long, value_name = "INSTANT", value_parser = instant_ms)]
        at: Option<i64>,
    },
    /// Do what the programme declares as an activity.
    Activity {
        /// The activity's id.
        #[arg(value_parser = text)]
        activity: Text,
        /// Its own key, if it has one.
        #[arg(long = "key", value_name = "KEY", value_parser = text, default_value = "")]
        natural: Text,
        /// What it came to, as NAME=VALUE; say it again for each.
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
        fields: Vec<Field>,
        /// When [default: now].
        #[arg(long, value_name = "INSTANT", value_parser = instant_ms)]
        at: Option<i64>,
    },
    /// Use one of a right.
    UseRight {
        /// The right's id.
        #[arg(value_parser = text)]
        right: Text,
    },
    /// Say its birthday.
    Birthday {
        /// The month.
        month: u8,
        /// The day.
        day: u8,
    },
    /// Have its days counted in another zone.
    Zone {
        /// Its IANA name.
        #[arg(value_parser = text)]
        zone: Text,
    },
    /// Be given a tag, or lose it.
    Tag {
        /// The tag.
        #[arg(value_parser = text)]
        tag: Text,
        /// Lose it.
        #[arg(long)]
        off: bool,
    },
    /// Answer a question. Whether the answer is right is not told.
    Answer {
        /// The quiz's id.
        #[arg(value_parser = text)]
        quiz: Text,
        /// The question's id.
        #[arg(value_parser = text)]
        question: Text,
        /// The answer.
        #[arg(value_parser = text)]
        answer: Text,
    },
    /// Say who invited it.
    Invitation {
        /// The inviter's key.
        inviter: MemberKey,
    },
}

#[derive(Serialize)]
struct Found {
    member: MemberKey,
    programme: String,
    operation: &'static str,
    /// Whether it would succeed.
    succeeds: bool,
    /// What it would be answered.
    answer: &'static str,
    body: Option<Body>,
    /// Which condition fails, or what would come of it.
    reason: String,
    /// What would unlock it; empty where nothing is known to.
    unlock: String,
}

fn text(text: &str) -> Result<Text, String> {
    Text::try_from(text).map_err(|error| error.to_string())
}

fn field(text: &str) -> Result<Field, String> {
    let wrong = || format!("`{text}` is no field; write NAME=VALUE with a whole number, such as seconds=240");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (name, value) = (Text::try_from(name).map_err(|_| wrong())?, value.parse().map_err(|_| wrong())?);
    Ok(Field { name, value })
}

impl Explain {
    /// Asks and prints.
    pub fn run(self) -> ExitCode {
        let found = match self.connection.ask(async |client| self.ask(client).await) {
            Ok(found) => found,
            Err(failure) => return tell(self.connection.json, &failure),
        };
        match self.connection.json {
            true => show::say_json(&found),
            false => show::say(&found.text()),
        }
        if found.succeeds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    async fn ask(&self, client: &Client) -> Result<Found, Failure> {
        let number = programme(client, &self.programme)?;
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let (code, bytes) = match &self.operation {
            Operation::Redeem { campaign, offer } => self.redeem(client, number, campaign, offer).await?,
            other => self.body(other, now_ms),
        };
        let body = bytes.try_into().map_err(|_| Failure::Input("the request is longer than can be asked".into()))?;
        let answer = client.dry_run(number, DryRun { member: self.key, code, body }, patient()).await?;
        let Body::WouldBe(would) = answer.body else { return refused(answer) };
        let row = row(would.code);
        let succeeds = row.is_some_and(|row| row.applied == Applied::Yes);
        // Of an answer to a question only the code is told.
        let body = Some(would.body.as_slice()).filter(|bytes| !bytes.is_empty());
        let body = body.and_then(|bytes| Body::decode(would.code, bytes).ok());
        let (reason, unlock) = reason(would.code, body.as_ref());
        let operation = OPERATIONS.iter().find(|(known, ..)| *known == code).map_or("unknown", |(_, name, _)| name);
        let (member, programme) = (self.key, self.programme.clone());
        let answer = row.map_or("unknown", |row| row.name);
        Ok(Found { member, programme, operation, succeeds, answer, body, reason, unlock })
    }

    /// The body of an operation that needs nothing looked up.
    fn body(&self, operation: &Operation, now_ms: i64) -> (u16, Vec<u8>) {
        let member = self.key;
        match operation {
            Operation::Enrol => (op::ENROL, bytes(&Enrol { member })),
            Operation::CheckIn { at: Some(happened_ms) } => {
                (op::RECORD_CHECK_IN, bytes(&RecordCheckIn { member, happened_ms: *happened_ms }))
            }
            Operation::CheckIn { at: None } | Operation::Redeem { .. } => (op::CHECK_IN, bytes(&CheckIn { member })),
            Operation::MakeUp { day } => {
                let day = jiff::civil::date(1970, 1, 1).until(*day).map_or(i32::MAX, |since| since.get_days());
                (op::MAKE_UP, bytes(&MakeUp { member, day }))
            }
            Operation::Order { brand, channel, store, number, amount_minor, paid_at } => {
                let order = RecordOrder {
                    member,
                    paid_at_ms: paid_at.unwrap_or(now_ms),
                    amount_minor: *amount_minor,
                    brand: *brand,
                    channel: *channel,
                    store: *store,
                    number: *number,
                };
                (op::RECORD_ORDER, bytes(&order))
            }
            Operation::Receipt { channel, number, at } => {
                let (happened_ms, channel, number) = (at.unwrap_or(now_ms), *channel, *number);
                (op::CONFIRM_RECEIPT, bytes(&ConfirmReceipt { member, happened_ms, channel, number }))
            }
            Operation::Activity { activity, natural, fields, at } => {
                let fields = List::cut(fields.iter().copied());
                let (happened_ms, activity, key) = (at.unwrap_or(now_ms), *activity, *natural);
                (op::RECORD_ACTIVITY, bytes(&RecordActivity { member, happened_ms, activity, key, fields }))
            }
            Operation::UseRight { right } => (op::USE_RIGHT, bytes(&UseRight { member, right: *right })),
            Operation::Birthday { month, day } => {
                (op::SET_BIRTHDAY, bytes(&SetBirthday { member, month: *month, day: *day }))
            }
            Operation::Zone { zone } => (op::SET_ZONE, bytes(&SetZone { member, zone: *zone })),
            Operation::Tag { tag, off } => (op::SET_TAG, bytes(&SetTag { member, tag: *tag, on: u8::from(!off) })),
            Operation::Answer { quiz, question, answer } => {
                let (quiz, question, answer) = (*quiz, *question, *answer);
                (op::ANSWER_QUESTION, bytes(&AnswerQuestion { member, quiz, question, answer }))
            }
            Operation::Invitation { inviter } => {
                (op::ACCEPT_INVITATION, bytes(&AcceptInvitation { member, inviter: *inviter }))
            }
        }
    }

    /// A redemption, whose campaign and offer have numbers on the wire.
    async fn redeem(
        &self,
        client: &Client,
        number: u32,
        campaign: &str,
        offer: &str,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let slug = Text::try_from(campaign).map_err(|error| Failure::Input(error.to_string()))?;
        let answer = client.get_campaign(number, GetCampaign { campaign: 0, slug }, patient()).await?;
        let Body::CampaignView(view) = answer.body else { return refused(answer) };
        let offers = view.offers.as_slice();
        let found = offers.iter().find(|known| known.sku.as_str() == offer).ok_or_else(|| {
            let known: Vec<&str> = offers.iter().map(|offer| offer.sku.as_str()).collect();
            Failure::Input(format!("{campaign} has no offer `{offer}`; its offers are: {}", known.join(", ")))
        })?;
        let body = Redeem { member: self.key, campaign: view.number, offer: found.number };
        Ok((op::REDEEM, bytes(&body)))
    }
}

fn bytes<T: Encode>(body: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(body, &mut bytes);
    bytes
}

impl Found {
    fn text(&self) -> String {
        let Found { member, programme, operation, answer, reason, unlock, .. } = self;
        let verdict = if self.succeeds { "would succeed" } else { "would be refused" };
        let mut text = format!("{operation} by member {member} of {programme} {verdict} now: {answer}\n  {reason}\n");
        if !unlock.is_empty() {
            text += &format!("  what would unlock it: {unlock}\n");
        }
        text
    }
}
