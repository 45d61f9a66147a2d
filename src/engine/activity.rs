//! Activities: what members do beside buying and checking in, as the programme declares it.

use tidegate_protocol::code::answer;
use tidegate_protocol::operation::RecordActivity;
use tidegate_protocol::refusal::{FieldMissing, NotReached, PaidInTheFuture, TooOld};

use super::Context;
use super::draft::{Asker, Draft, Given};
use super::keyed::NaturalKey;
use super::part::Change;
use super::refusal::Refusal;
use crate::programme::{Activity, Deed, Measure};

/// Decides an activity. With a natural key it is known to be new, and `after_ms` is the instant at or before which it might be forgotten.
pub fn record_activity(asker: Asker<'_>, key: Option<(NaturalKey, i64)>, body: &RecordActivity) -> Result<(), Refusal> {
    let context = asker.context;
    let activity = context.programme.activity(body.activity.as_str());
    let activity = activity.ok_or(Refusal::Plain(answer::UNKNOWN_ACTIVITY))?;
    check(context, activity, key.map(|(_, after_ms)| after_ms), body)?;
    let change = Change::Acted {
        activity: activity.source,
        happened_ms: body.happened_ms,
        fingerprint: key.map(|(fingerprint, _)| fingerprint),
    };
    let mut draft = Draft::asked(asker, change);
    let given = Given { channel: 0, happened_ms: body.happened_ms };
    draft.earn(activity.points(|name| field(body, name).unwrap_or(0)), &activity.giving, &given)?;
    draft.progress(Measure::Growth, body.happened_ms, activity.growth)?;
    draft.qualifies(Deed::Activity(activity.source), body.happened_ms);
    draft.finish();
    Ok(())
}

fn field(body: &RecordActivity, name: &str) -> Option<i64> {
    body.fields.as_slice().iter().find(|field| field.name.as_str() == name).map(|field| field.value)
}

/// When it happened, and what it came to.
fn check(
    context: &Context<'_>,
    activity: &Activity,
    after_ms: Option<i64>,
    body: &RecordActivity,
) -> Result<(), Refusal> {
    let until_ms = context.now_ms + activity.ahead_ms;
    if body.happened_ms > until_ms {
        return Err(Refusal::InTheFuture(PaidInTheFuture { until_ms }));
    }
    if let Some(after_ms) = after_ms.filter(|after_ms| body.happened_ms <= *after_ms) {
        return Err(Refusal::TooOld(TooOld { after_ms }));
    }
    let after_ms = context.now_ms - activity.late_ms - 1;
    if body.happened_ms <= after_ms {
        return Err(Refusal::TooLate(TooOld { after_ms }));
    }
    if let Some(missing) = activity.fields().find(|name| field(body, name).is_none()) {
        let field = missing.try_into().unwrap_or_default();
        return Err(Refusal::FieldMissing(FieldMissing { field }));
    }
    for threshold in &activity.when {
        let told = field(body, &threshold.field).unwrap_or(0);
        if told < threshold.least {
            let field = threshold.field.as_str().try_into().unwrap_or_default();
            return Err(Refusal::NotReached(NotReached { field, told, least: threshold.least }));
        }
    }
    Ok(())
}
